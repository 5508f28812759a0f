//! Functions that the engine lacks or defines otherwise than Spark. Kind: pure. Spec: EXP.

use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use arrow::datatypes::{DataType, Float32Type, Float64Type, Int32Type};
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
        args.first().cloned().ok_or_else(|| DataFusionError::Internal(format!("{} needs an argument", self.name)))
    }
    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let scalar = args.args.iter().all(|a| matches!(a, ColumnarValue::Scalar(_)));
        let rows = if scalar { 1 } else { args.number_rows };
        let arrays = args.args.into_iter().map(|a| a.into_array(rows)).collect::<Result<Vec<_>>>()?;
        let out = (self.run)(&arrays)?;
        Ok(if scalar { ColumnarValue::Scalar(datafusion_common::ScalarValue::try_from_array(&out, 0)?) } else { ColumnarValue::Array(out) })
    }
}

fn udf(name: &'static str, arity: usize, run: fn(&[ArrayRef]) -> std::result::Result<ArrayRef, ArrowError>) -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(Kernel { name, signature: Signature::any(arity, Volatility::Immutable), run }))
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
pub(super) fn canonical(array: &ArrayRef) -> ArrayRef {
    match array.data_type() {
        DataType::Float64 => Arc::new(array.as_primitive::<Float64Type>().unary::<_, Float64Type>(canonical_f64)) as ArrayRef,
        DataType::Float32 => Arc::new(array.as_primitive::<Float32Type>().unary::<_, Float32Type>(canonical_f32)),
        _ => Arc::clone(array),
    }
}

/// `canonical` as a function.
pub(super) fn canonical_float() -> Arc<ScalarUDF> {
    static UDF: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| udf("canonical_float", 1, |args| Ok(canonical(&args[0]))));
    Arc::clone(&UDF)
}

/// `substring(text, start, length)` in characters; the first is 1, and a negative start counts from the end.
pub(super) fn substring() -> Arc<ScalarUDF> {
    static UDF: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
        udf("substring", 3, |args| {
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
