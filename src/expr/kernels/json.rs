//! JSON text -> variants. Kind: pure. Spec: EXP.

use super::rows::{Builtin, Out};
use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, StructArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Fields};
use arrow::error::ArrowError;
use parquet_variant_compute::json_to_variant;
use std::sync::Arc;

pub(super) static ALL: &[Builtin] =
    &[Builtin { name: "parse_json", returns: |_| Some(DataType::Struct(pieces())), run: |args| parsed(&args[0]) }];

fn pieces() -> Fields {
    Fields::from(["metadata", "value"].map(|name| Field::new(name, DataType::Binary, false)).to_vec())
}

/// JSON texts as variants: metadata and value, both plain binary.
pub(crate) fn parsed(texts: &ArrayRef) -> Out {
    let variants = json_to_variant(texts).map_err(|e| ArrowError::ComputeError(format!("a text is no JSON: {e}")))?;
    let columns = [variants.metadata_column(), variants.value_column()].map(plain);
    let columns = columns.into_iter().collect::<Result<Vec<_>, _>>()?;
    Ok(Arc::new(StructArray::try_new(pieces(), columns, variants.nulls().cloned())?))
}

/// Plain binary without nulls: where the variant itself is null its pieces are empty.
pub(crate) fn plain(array: &ArrayRef) -> Out {
    let array = cast(array, &DataType::Binary)?;
    if array.null_count() == 0 {
        return Ok(array);
    }
    Ok(Arc::new(array.as_binary::<i32>().iter().map(|v| Some(v.unwrap_or_default())).collect::<BinaryArray>()))
}
