//! Functions that the engine's libraries lack, or have with another meaning than Spark. Kind: pure. Spec: SQL.

use super::failure::planner;
use crate::data::variant;
use crate::expr::{decimal_quotient, quotient as quotient_of, remainder as remainder_of};
use crate::schema;
use arrow::array::{ArrayRef, AsArray, Decimal128Array, Int64Array};
use arrow::compute::kernels::numeric::{add, mul, sub};
use arrow::datatypes::{DataType, Field, FieldRef};
use arrow::error::ArrowError;
use datafusion::common::{Result as Planning, ScalarValue, plan_err};
use datafusion::logical_expr::Operator::{Minus, Modulo, Multiply, Plus};
use datafusion::logical_expr::type_coercion::binary::BinaryTypeCoercer;
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use std::sync::Arc;

/// All that have a name of their own.
pub(super) fn all() -> Vec<Arc<ScalarUDF>> {
    vec![udf(Variants::ParseJson), udf(Variants::ToJson)]
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
    Remainder,
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
    /// The types of `+`, `-` and `*` where a side is no whole number after all.
    fn coercer<'a>(&self, left: &'a DataType, right: &'a DataType) -> BinaryTypeCoercer<'a> {
        let op = match self.symbol {
            "+" => &Plus,
            "-" => &Minus,
            _ => &Multiply,
        };
        BinaryTypeCoercer::new(left, op, right)
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
            if !left.is_integer() || !right.is_integer() {
                let (left, right) = self.coercer(left, right).get_input_types()?;
                return Ok(vec![left, right]);
            }
            let width = |t: &DataType| t.primitive_width().unwrap_or(8);
            let wider = if width(left) >= width(right) { left } else { right };
            let wider = if wider.is_signed_integer() { wider.clone() } else { DataType::Int64 };
            return Ok(vec![wider.clone(), wider]);
        }
        if self.kind == Kind::Remainder {
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
        match self.kind {
            Kind::WholeDivide => Ok(DataType::Int64),
            Kind::Remainder => remainder_of().return_type(types),
            Kind::Divide => quotient_of().return_type(types),
            Kind::Checked => match types {
                [left, right] => self.coercer(left, right).get_result_type(),
                _ => plan_err!("`{}` takes two values", self.symbol),
            },
        }
    }
    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Planning<ColumnarValue> {
        let whole = args.args.first().is_some_and(|a| a.data_type().is_integer());
        match self.kind {
            Kind::Divide => return quotient_of().invoke_with_args(args),
            // Whole numbers are divided without a fraction.
            Kind::WholeDivide if whole => return quotient_of().invoke_with_args(args),
            Kind::Remainder => return remainder_of().invoke_with_args(args),
            Kind::WholeDivide | Kind::Checked => {}
        }
        let scalar = args.args.iter().all(|a| matches!(a, ColumnarValue::Scalar(_)));
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let [left, right] = arrays.as_slice() else { return plan_err!("`{}` takes two values", self.symbol) };
        let result: ArrayRef = match (self.kind, self.symbol) {
            (Kind::WholeDivide, _) => Arc::new(whole_quotients(left.as_primitive(), right.as_primitive())?),
            (_, "+") => add(left, right)?,
            (_, "-") => sub(left, right)?,
            _ => mul(left, right)?,
        };
        if scalar {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&result, 0)?));
        }
        Ok(ColumnarValue::Array(result))
    }
}

/// The whole part of quotients.
fn whole_quotients(left: &Decimal128Array, right: &Decimal128Array) -> Result<Int64Array, ArrowError> {
    let shift = i32::from(right.scale()) - i32::from(left.scale());
    let too_large = || ArrowError::ComputeError("a quotient is too large for its type".to_owned());
    let quotients = left.iter().zip(right).map(|pair| match pair {
        (Some(_), Some(0)) => Err(ArrowError::DivideByZero),
        (Some(a), Some(b)) => {
            let whole = decimal_quotient(a, b, shift, false).and_then(|quotient| i64::try_from(quotient).ok());
            whole.map(Some).ok_or_else(too_large)
        }
        _ => Ok(None),
    });
    quotients.collect()
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
