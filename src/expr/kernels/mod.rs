//! Functions that the engine lacks or defines otherwise than Spark. Kind: pure. Spec: EXP.

mod divide;
mod format;
mod hash;
mod json;
mod math;
mod nested;
mod rows;
mod text;
mod time;

pub(crate) use divide::{decimal_quotient, quotient, remainder};
pub(super) use format::Pattern;
pub(crate) use json::{parsed as parsed_json, plain as plain_binary};

use crate::schema::calendar::{MICROS_DAY, date_of, day_of};
use crate::schema::cast_text::{date_text, double_text, float_text, timestamp_text};
use arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray, StringArray};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int32Type, TimeUnit, TimestampMicrosecondType,
};
use arrow::error::ArrowError;
use datafusion_common::{DataFusionError, Result};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use std::hash::{Hash, Hasher};
use std::sync::{Arc, LazyLock};

/// A function over whole arrays.
#[derive(Debug)]
struct Kernel {
    name: &'static str,
    signature: Signature,
    /// The type of its values, from those of its arguments.
    returns: fn(&[DataType]) -> Option<DataType>,
    run: fn(&[ArrayRef]) -> std::result::Result<ArrayRef, ArrowError>,
}

impl PartialEq for Kernel {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}
impl Eq for Kernel {}
impl Hash for Kernel {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for Kernel {
    fn name(&self) -> &str {
        self.name
    }
    fn signature(&self) -> &Signature {
        &self.signature
    }
    fn return_type(&self, args: &[DataType]) -> Result<DataType> {
        (self.returns)(args).ok_or_else(|| DataFusionError::Internal(format!("{} has other arguments", self.name)))
    }
    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let scalar = args.args.iter().all(|a| matches!(a, ColumnarValue::Scalar(_)));
        let rows = if scalar { 1 } else { args.number_rows };
        let arrays = args.args.into_iter().map(|a| a.into_array(rows)).collect::<Result<Vec<_>>>()?;
        let out = (self.run)(&arrays)?;
        Ok(if scalar { ColumnarValue::Scalar(datafusion_common::ScalarValue::try_from_array(&out, 0)?) } else { ColumnarValue::Array(out) })
    }
}

fn udf(
    name: &'static str,
    arity: usize,
    returns: fn(&[DataType]) -> Option<DataType>,
    run: fn(&[ArrayRef]) -> std::result::Result<ArrayRef, ArrowError>,
) -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(Kernel { name, signature: Signature::any(arity, Volatility::Immutable), returns, run }))
}

/// The function of this name, for so many arguments; `None` when there is none.
pub(super) fn builtin(name: &str, arguments: usize) -> Option<Arc<ScalarUDF>> {
    let all = [text::ALL, time::ALL, math::ALL, math::OF_DOUBLE, hash::ALL, json::ALL, nested::ALL];
    let found = all.into_iter().flatten().find(|b| b.name == name)?;
    Some(udf(found.name, arguments, found.returns, found.run))
}

/// The type of the first argument.
fn same(args: &[DataType]) -> Option<DataType> {
    args.first().cloned()
}

/// One NaN, one zero.
pub(super) fn canonical_f64(v: f64) -> f64 {
    if v.is_nan() { f64::NAN } else { v + 0.0 }
}
/// One NaN, one zero.
pub(super) fn canonical_f32(v: f32) -> f32 {
    if v.is_nan() { f32::NAN } else { v + 0.0 }
}

/// An array whose order in Arrow (IEEE total order) is Spark's: one NaN above all, one zero. Other types stay as they are.
pub(crate) fn canonical(array: &ArrayRef) -> ArrayRef {
    match array.data_type() {
        DataType::Float64 => Arc::new(array.as_primitive::<Float64Type>().unary::<_, Float64Type>(canonical_f64)) as ArrayRef,
        DataType::Float32 => Arc::new(array.as_primitive::<Float32Type>().unary::<_, Float32Type>(canonical_f32)),
        _ => Arc::clone(array),
    }
}

/// The name of `canonical` as a function.
pub(crate) const CANONICAL: &str = "canonical_float";

/// `canonical` as a function.
pub(crate) fn canonical_float() -> Arc<ScalarUDF> {
    static UDF: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| udf(CANONICAL, 1, same, |args| Ok(canonical(&args[0]))));
    Arc::clone(&UDF)
}

/// `substring(text, start, length)` in characters; the first is 1, and a negative start counts from the end.
pub(super) fn substring() -> Arc<ScalarUDF> {
    static UDF: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
        udf("substring", 3, same, |args| {
            let (text, start, length) =
                (args[0].as_string::<i32>(), args[1].as_primitive::<Int32Type>(), args[2].as_primitive::<Int32Type>());
            let rows = text.iter().zip(start.iter()).zip(length.iter());
            let out: StringArray = rows.map(|((t, s), l)| Some(part(t?, i64::from(s?), i64::from(l?)))).collect();
            Ok(Arc::new(out) as ArrayRef)
        })
    });
    Arc::clone(&UDF)
}

fn part(text: &str, start: i64, length: i64) -> &str {
    let begin = match start {
        0 => 0,
        s if s > 0 => s - 1,
        s => i64::try_from(text.chars().count()).unwrap_or(i64::MAX) + s,
    };
    let end = begin.saturating_add(length);
    if end <= 0 || end <= begin {
        return "";
    }
    let at = |n: i64| {
        let n = usize::try_from(n.max(0)).unwrap_or(usize::MAX);
        text.char_indices().nth(n).map_or(text.len(), |(i, _)| i)
    };
    &text[at(begin)..at(end)]
}

/// Whether Arrow writes values of a type otherwise than Spark's CAST does.
pub(crate) fn has_own_text(from: &DataType) -> bool {
    matches!(from, DataType::Float32 | DataType::Float64 | DataType::Date32 | DataType::Timestamp(TimeUnit::Microsecond, _))
}

/// `CAST(value AS STRING)` of the types that have their own text.
pub(crate) fn text() -> Arc<ScalarUDF> {
    fn texts<T: ArrowPrimitiveType>(array: &ArrayRef, text: fn(T::Native) -> String) -> ArrayRef {
        Arc::new(array.as_primitive::<T>().iter().map(|v| v.map(text)).collect::<StringArray>())
    }
    static UDF: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
        udf(
            "text",
            1,
            |_| Some(DataType::Utf8),
            |args| {
                Ok(match args[0].data_type() {
                    DataType::Float32 => texts::<Float32Type>(&args[0], float_text),
                    DataType::Float64 => texts::<Float64Type>(&args[0], double_text),
                    DataType::Date32 => texts::<Date32Type>(&args[0], date_text),
                    _ => texts::<TimestampMicrosecondType>(&args[0], timestamp_text),
                })
            },
        )
    });
    Arc::clone(&UDF)
}

/// `date_trunc(unit, value)` of timestamps.
pub(super) fn date_trunc() -> Arc<ScalarUDF> {
    static UDF: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
        udf(
            "date_trunc",
            2,
            |args| args.get(1).cloned(),
            |args| {
                let (units, values) = (args[0].as_string::<i32>(), args[1].as_primitive::<TimestampMicrosecondType>());
                // The unit is a literal.
                let unit = units.iter().next().flatten().unwrap_or_default();
                let out: PrimitiveArray<TimestampMicrosecondType> = values.try_unary(|micros| {
                    truncated(unit, micros).ok_or_else(|| ArrowError::ComputeError(format!("the start of the {unit} is out of range")))
                })?;
                Ok(Arc::new(out.with_timezone_opt(values.timezone())) as ArrayRef)
            },
        )
    });
    Arc::clone(&UDF)
}

/// The start of the unit around an instant; `None` when no instant stands for it.
fn truncated(unit: &str, micros: i64) -> Option<i64> {
    let day = micros.div_euclid(MICROS_DAY);
    let (year, month, _) = date_of(day);
    let start = |day: i64| day.checked_mul(MICROS_DAY);
    let first_of = |month: u32| start(i64::from(day_of(year, month, 1)?));
    let multiple = |size: i64| micros.checked_sub(micros.rem_euclid(size));
    match unit {
        "year" => first_of(1),
        "quarter" => first_of((month - 1) / 3 * 3 + 1),
        "month" => first_of(month),
        // The epoch was a Thursday, and weeks begin on Mondays.
        "week" => start(day - (day + 3).rem_euclid(7)),
        "day" => multiple(MICROS_DAY),
        "hour" => multiple(3_600_000_000),
        "minute" => multiple(60_000_000),
        "second" => multiple(1_000_000),
        "millisecond" => multiple(1_000),
        "microsecond" => Some(micros),
        _ => None,
    }
}

/// `floor` of decimals.
pub(super) fn decimal_floor() -> Arc<ScalarUDF> {
    static UDF: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
        udf("decimal_floor", 1, |args| whole(args.first()?), |args| without_fraction(&args[0], |value, one| value.div_euclid(one)))
    });
    Arc::clone(&UDF)
}

/// `ceil` of decimals.
pub(super) fn decimal_ceil() -> Arc<ScalarUDF> {
    static UDF: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
        udf("decimal_ceil", 1, |args| whole(args.first()?), |args| without_fraction(&args[0], |value, one| -(-value).div_euclid(one)))
    });
    Arc::clone(&UDF)
}

/// The decimal that holds a decimal rounded to a whole number, as Spark has it.
fn whole(from: &DataType) -> Option<DataType> {
    let DataType::Decimal128(precision, scale) = from else { return None };
    Some(DataType::Decimal128((precision.saturating_sub(scale.unsigned_abs()) + 1).min(38), 0))
}

/// `round` gets each unscaled value and the unscaled 1.
fn without_fraction(array: &ArrayRef, round: fn(i128, i128) -> i128) -> std::result::Result<ArrayRef, ArrowError> {
    let values = array.as_primitive::<Decimal128Type>();
    let overflow = || ArrowError::ComputeError("a decimal is out of range".to_owned());
    let one = 10i128.checked_pow(u32::from(values.scale().unsigned_abs())).ok_or_else(overflow)?;
    let to = whole(array.data_type()).ok_or_else(overflow)?;
    Ok(Arc::new(values.unary::<_, Decimal128Type>(|value| round(value, one)).with_data_type(to)))
}
