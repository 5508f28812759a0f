//! Functions that the engine's libraries lack, or have with another meaning than Spark. Kind: pure. Spec: SQL.

use super::failure::planner;
use crate::data::variant;
use crate::expr::{canonical_values, decimal_quotient, quotient_type, remainder as remainder_of};
use crate::schema;
use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, Float64Array, Int64Array};
use arrow::compute::kernels::cmp::eq;
use arrow::compute::kernels::numeric::{add, mul, sub};
use arrow::compute::nullif;
use arrow::datatypes::{DataType, Decimal128Type, Field, FieldRef, Float64Type, Int64Type};
use arrow::error::ArrowError;
use datafusion::common::{Result as Planning, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::Operator::Modulo;
use datafusion::logical_expr::type_coercion::binary::BinaryTypeCoercer;
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use std::sync::Arc;

/// All that have a name of their own.
pub(super) fn all() -> Vec<Arc<ScalarUDF>> {
    let operators =
        [Operator::new("try_divide", Kind::TryDivide), Operator::new("mod", Kind::Remainder), Operator::new("try_mod", Kind::TryRemainder)];
    [udf(Variants::ParseJson), udf(Variants::ToJson)].into_iter().chain(operators.into_iter().map(udf)).collect()
}

fn udf(function: impl ScalarUDFImpl + 'static) -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(function))
}

/// `/`.
pub(super) fn divide() -> Arc<ScalarUDF> {
    udf(Operator::new("/", Kind::Divide))
}
/// `DIV`.
pub(super) fn whole_divide() -> Arc<ScalarUDF> {
    udf(Operator::new("div", Kind::WholeDivide))
}
/// `+`, `-` and `*` of whole numbers, which refuse what their type cannot hold.
pub(super) fn checked(symbol: &'static str) -> Arc<ScalarUDF> {
    udf(Operator::new(symbol, Kind::Checked))
}

/// `%`.
pub(super) fn remainder() -> Arc<ScalarUDF> {
    udf(Operator::new("%", Kind::Remainder))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Divide,
    /// What is divided by zero is null.
    TryDivide,
    Remainder,
    /// The same of `%`.
    TryRemainder,
    WholeDivide,
    Checked,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Operator {
    symbol: &'static str,
    kind: Kind,
    signature: Signature,
}

impl Operator {
    fn new(symbol: &'static str, kind: Kind) -> Operator {
        Operator { symbol, kind, signature: Signature::user_defined(Volatility::Immutable) }
    }
}

/// The decimal that holds every value of a whole number's type.
fn as_decimal(data_type: &DataType) -> Option<DataType> {
    Some(DataType::Decimal128(
        match data_type {
            DataType::Int8 => 3,
            DataType::Int16 | DataType::UInt8 => 5,
            DataType::Int32 | DataType::UInt16 => 10,
            DataType::Int64 | DataType::UInt32 | DataType::UInt64 => 20,
            DataType::Decimal128(..) => return Some(data_type.clone()),
            _ => return None,
        },
        0,
    ))
}

impl ScalarUDFImpl for Operator {
    fn name(&self) -> &str {
        self.symbol
    }
    fn signature(&self) -> &Signature {
        &self.signature
    }
    fn coerce_types(&self, types: &[DataType]) -> Planning<Vec<DataType>> {
        let [left, right] = types else { return plan_err!("`{}` takes two values", self.symbol) };
        if self.kind == Kind::Checked {
            let width = |t: &DataType| t.primitive_width().unwrap_or(8);
            let wider = if width(left) >= width(right) { left } else { right };
            let wider = if wider.is_signed_integer() { wider.clone() } else { DataType::Int64 };
            return Ok(vec![wider.clone(), wider]);
        }
        if matches!(self.kind, Kind::Remainder | Kind::TryRemainder) {
            let (left, right) = BinaryTypeCoercer::new(left, &Modulo, right).get_input_types()?;
            return Ok(vec![left, right]);
        }
        let decimal = |t: &DataType| matches!(t, DataType::Decimal128(..));
        match (as_decimal(left), as_decimal(right)) {
            (Some(a), Some(b)) if decimal(left) || decimal(right) => Ok(vec![a, b]),
            _ if self.kind == Kind::WholeDivide => Ok(vec![DataType::Int64; 2]),
            _ => Ok(vec![DataType::Float64; 2]),
        }
    }
    fn return_type(&self, types: &[DataType]) -> Planning<DataType> {
        Ok(match (self.kind, types) {
            (Kind::WholeDivide, _) => DataType::Int64,
            (Kind::Remainder | Kind::TryRemainder, types) => remainder_of().return_type(types)?,
            (Kind::Divide | Kind::TryDivide, [DataType::Decimal128(p1, s1), DataType::Decimal128(p2, s2)]) => {
                let (precision, scale) = quotient_type((*p1, *s1), (*p2, *s2));
                DataType::Decimal128(precision, scale)
            }
            (Kind::Divide | Kind::TryDivide, _) => DataType::Float64,
            (Kind::Checked, types) => types.first().cloned().unwrap_or(DataType::Int64),
        })
    }
    fn invoke_with_args(&self, mut args: ScalarFunctionArgs) -> Planning<ColumnarValue> {
        if matches!(self.kind, Kind::TryDivide | Kind::TryRemainder)
            && let Some(divisor) = args.args.get_mut(1)
        {
            *divisor = without_zeros(divisor)?;
        }
        if matches!(self.kind, Kind::Remainder | Kind::TryRemainder) {
            return remainder_of().invoke_with_args(args);
        }
        let scalar = args.args.iter().all(|a| matches!(a, ColumnarValue::Scalar(_)));
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let [left, right] = arrays.as_slice() else { return plan_err!("`{}` takes two values", self.symbol) };
        let result: ArrayRef = match (self.kind, left.data_type()) {
            (Kind::Checked, _) => match self.symbol {
                "+" => add(left, right)?,
                "-" => sub(left, right)?,
                _ => mul(left, right)?,
            },
            (Kind::Divide | Kind::TryDivide, DataType::Float64) => {
                let pairs = left.as_primitive::<Float64Type>().iter().zip(right.as_primitive::<Float64Type>());
                Arc::new(divided(pairs, |b| b == 0.0, |a, b| Some(a / b))?.collect::<Float64Array>())
            }
            (Kind::WholeDivide, DataType::Int64) => {
                let pairs = left.as_primitive::<Int64Type>().iter().zip(right.as_primitive::<Int64Type>());
                Arc::new(divided(pairs, |b| b == 0, i64::checked_div)?.collect::<Int64Array>())
            }
            (kind, DataType::Decimal128(_, s1)) => {
                let DataType::Decimal128(_, s2) = right.data_type() else { return plan_err!("`{}` takes two decimals", self.symbol) };
                let (precision, scale) = match args.return_type() {
                    DataType::Decimal128(precision, scale) => (*precision, *scale),
                    _ => (38, 0),
                };
                let shift = i32::from(scale) + i32::from(*s2) - i32::from(*s1);
                let pairs = left.as_primitive::<Decimal128Type>().iter().zip(right.as_primitive::<Decimal128Type>());
                let values = divided(pairs, |b| b == 0, |a, b| decimal_quotient(a, b, shift, kind != Kind::WholeDivide))?;
                let values: Decimal128Array = values.collect();
                if kind == Kind::WholeDivide {
                    Arc::new(values.iter().map(|v| v.and_then(|v| i64::try_from(v).ok())).collect::<Int64Array>())
                } else {
                    let values = values.with_precision_and_scale(precision, scale)?;
                    values.validate_decimal_precision(precision)?;
                    Arc::new(values)
                }
            }
            (_, other) => return plan_err!("`{}` does not take {other}", self.symbol),
        };
        if scalar {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&result, 0)?));
        }
        Ok(ColumnarValue::Array(result))
    }
}

/// The divisor, null where it is zero.
fn without_zeros(divisor: &ColumnarValue) -> Planning<ColumnarValue> {
    let scalar = matches!(divisor, ColumnarValue::Scalar(_));
    let values = divisor.to_array(1)?;
    let zeros = eq(&canonical_values(&values), &ScalarValue::new_zero(values.data_type())?.to_scalar()?)?;
    let values = nullif(&values, &zeros)?;
    Ok(if scalar { ColumnarValue::Scalar(ScalarValue::try_from_array(&values, 0)?) } else { ColumnarValue::Array(values) })
}

/// Quotients of pairs; null where one is null.
fn divided<T: Copy>(
    pairs: impl Iterator<Item = (Option<T>, Option<T>)>,
    is_zero: impl Fn(T) -> bool,
    quotient: impl Fn(T, T) -> Option<T>,
) -> Planning<std::vec::IntoIter<Option<T>>> {
    let mut out = Vec::with_capacity(pairs.size_hint().0);
    for pair in pairs {
        out.push(match pair {
            (Some(_), Some(b)) if is_zero(b) => {
                return Err(ArrowError::DivideByZero.into());
            }
            (Some(a), Some(b)) => match quotient(a, b) {
                Some(value) => Some(value),
                None => return exec_err!("a quotient is too large for its type"),
            },
            _ => None,
        });
    }
    Ok(out.into_iter())
}

/// Between text and variants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Variants {
    ParseJson,
    ToJson,
}

static ONE_TEXT: std::sync::LazyLock<Signature> = std::sync::LazyLock::new(|| Signature::string(1, Volatility::Immutable));
static ONE_VALUE: std::sync::LazyLock<Signature> = std::sync::LazyLock::new(|| Signature::any(1, Volatility::Immutable));

impl ScalarUDFImpl for Variants {
    fn name(&self) -> &str {
        match self {
            Variants::ParseJson => "parse_json",
            Variants::ToJson => "to_json",
        }
    }
    fn signature(&self) -> &Signature {
        match self {
            Variants::ParseJson => &ONE_TEXT,
            Variants::ToJson => &ONE_VALUE,
        }
    }
    fn return_type(&self, _: &[DataType]) -> Planning<DataType> {
        plan_err!("the type of `{}` depends on its argument", self.name())
    }
    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Planning<FieldRef> {
        let field = match self {
            Variants::ParseJson => schema::Field::new("parse_json", schema::DataType::Variant, true).to_arrow().map_err(planner)?,
            Variants::ToJson => {
                let is_variant = |field: &FieldRef| {
                    let one = arrow::datatypes::Schema::new(vec![Arc::clone(field)]);
                    schema::Struct::from_arrow(&one).is_ok_and(|s| s.fields.iter().all(|f| f.data_type == schema::DataType::Variant))
                };
                if !args.arg_fields.iter().all(is_variant) {
                    return plan_err!("to_json takes a variant");
                }
                Field::new("to_json", DataType::Utf8, true)
            }
        };
        Ok(Arc::new(field))
    }
    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Planning<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let Some(array) = arrays.first() else { return plan_err!("`{}` takes one value", self.name()) };
        let result = match self {
            Variants::ParseJson => variant::parsed(array),
            Variants::ToJson => variant::json_texts(array),
        };
        Ok(ColumnarValue::Array(result.map_err(planner)?))
    }
}

#[cfg(test)]
#[path = "functions_tests.rs"]
mod tests;
