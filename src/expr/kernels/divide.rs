//! Division and remainder as Spark's ANSI mode has them. Kind: pure. Spec: EXP.
//!
//! Invariant: where a divisor is zero and the dividend is not null there is no value, for no type.

use super::rows::{Out, error};
use super::{canonical, udf};
use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, RecordBatch};
use arrow::compute::kernels::cmp::eq;
use arrow::compute::nullif;
use arrow::datatypes::{DataType, Field, Schema, i256};
use arrow::error::ArrowError;
use datafusion_common::ScalarValue;
use datafusion_expr::type_coercion::binary::BinaryTypeCoercer;
use datafusion_expr::{Operator, ScalarUDF};
use datafusion_physical_expr::PhysicalExpr;
use datafusion_physical_expr::expressions::{BinaryExpr, Column};
use std::sync::{Arc, LazyLock};

/// `/`. No value where the divisor is zero, for doubles neither, unless the dividend is null.
pub(crate) fn quotient() -> Arc<ScalarUDF> {
    static UDF: LazyLock<Arc<ScalarUDF>> =
        LazyLock::new(|| udf("quotient", 2, |types| combined(types, Operator::Divide), |args| divided(args, Operator::Divide)));
    Arc::clone(&UDF)
}
/// `%`, which refuses zero as `/` does.
pub(crate) fn remainder() -> Arc<ScalarUDF> {
    static UDF: LazyLock<Arc<ScalarUDF>> =
        LazyLock::new(|| udf("remainder", 2, |types| combined(types, Operator::Modulo), |args| divided(args, Operator::Modulo)));
    Arc::clone(&UDF)
}

/// Precision and scale of a quotient, as Spark cuts them to 38 digits.
fn quotient_type((p1, s1): (u8, i8), (p2, s2): (u8, i8)) -> (u8, i8) {
    let (p1, s1, p2, s2) = (i32::from(p1), i32::from(s1), i32::from(p2), i32::from(s2));
    let scale = (s1 + p2 + 1).max(6);
    let whole = p1 - s1 + s2;
    if whole + scale <= 38 { ((whole + scale) as u8, scale as i8) } else { (38, (38 - whole).max(scale.min(6)) as i8) }
}

/// `a · 10^shift / b`, rounded half away from zero or cut off.
pub(crate) fn decimal_quotient(a: i128, b: i128, shift: i32, round: bool) -> Option<i128> {
    let power = |n: i32| i256::from_i128(10).checked_pow(n.unsigned_abs());
    let (mut a, mut b) = (i256::from_i128(a), i256::from_i128(b));
    if shift >= 0 {
        a = a.checked_mul(power(shift)?)?;
    } else {
        b = b.checked_mul(power(shift)?)?;
    }
    let (whole, rest) = (a.checked_div(b)?, a.checked_rem(b)?);
    let doubled = rest.wrapping_abs().checked_mul(i256::from_i128(2))?;
    let up = round && doubled >= b.wrapping_abs();
    let step = if a.is_negative() == b.is_negative() { i256::ONE } else { i256::MINUS_ONE };
    (if up { whole.checked_add(step)? } else { whole }).to_i128()
}

fn combined(types: &[DataType], op: Operator) -> Option<DataType> {
    let [left, right] = types else { return None };
    if let (Operator::Divide, DataType::Decimal128(p1, s1), DataType::Decimal128(p2, s2)) = (op, left, right) {
        let (precision, scale) = quotient_type((*p1, *s1), (*p2, *s2));
        return Some(DataType::Decimal128(precision, scale));
    }
    BinaryTypeCoercer::new(left, &op, right).get_result_type().ok()
}

fn divided(args: &[ArrayRef], op: Operator) -> Out {
    let (left, right) = (&args[0], &args[1]);
    let zero = ScalarValue::new_zero(right.data_type())?.to_scalar()?;
    let zeros = eq(&canonical(right), &zero)?;
    let divisor = match zeros.true_count() {
        0 => Arc::clone(right),
        _ if (0..zeros.len()).any(|row| zeros.is_valid(row) && zeros.value(row) && left.is_valid(row)) => {
            return Err(ArrowError::DivideByZero);
        }
        _ => nullif(right, &zeros)?,
    };
    if let (Operator::Divide, DataType::Decimal128(..), DataType::Decimal128(..)) = (op, left.data_type(), divisor.data_type()) {
        return decimals_divided(left.as_primitive(), divisor.as_primitive());
    }
    let field = |name: &str, of: &ArrayRef| Field::new(name, of.data_type().clone(), true);
    let schema = Arc::new(Schema::new(vec![field("l", left), field("r", &divisor)]));
    let batch = RecordBatch::try_new(schema, vec![Arc::clone(left), divisor])?;
    let computed = BinaryExpr::new(Arc::new(Column::new("l", 0)), op, Arc::new(Column::new("r", 1))).with_fail_on_overflow(true);
    Ok(computed.evaluate(&batch)?.into_array(batch.num_rows())?)
}

/// Rounded half away from zero, where Arrow cuts off. No divisor is zero.
fn decimals_divided(left: &Decimal128Array, right: &Decimal128Array) -> Out {
    let (precision, scale) = quotient_type((left.precision(), left.scale()), (right.precision(), right.scale()));
    let shift = i32::from(scale) + i32::from(right.scale()) - i32::from(left.scale());
    let pairs = left.iter().zip(right.iter());
    let quotients = pairs.map(|pair| match pair {
        (Some(a), Some(b)) => decimal_quotient(a, b, shift, true).map(Some).ok_or_else(|| error("a quotient is too large for its type")),
        _ => Ok(None),
    });
    let values = quotients.collect::<Result<Decimal128Array, ArrowError>>()?.with_precision_and_scale(precision, scale)?;
    values.validate_decimal_precision(precision)?;
    Ok(Arc::new(values))
}

#[cfg(test)]
#[path = "divide_tests.rs"]
mod tests;
