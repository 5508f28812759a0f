//! A list of objects that somebody else made stands in for listing them. Kind: edge. Spec: VAC.
//!
//! Columns as Spark wants them: `path`, `length`, `isDir`, `modificationTime` (milliseconds), in any case and order.

use super::listing::Listed;
use crate::error::{Code, Error, Result};
use crate::storage::TableRoot;
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, TimeUnit};
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};

/// The columns of an inventory as SQL.
pub const INVENTORY_COLUMNS: &str = "path STRING, length BIGINT, isDir BOOLEAN, modificationTime BIGINT";

/// The files inside the table that the rows name; folders and what lies elsewhere are passed over. `LB-INPUT` names a column that is
/// missing, of another type, or null.
pub(super) fn listed(root: &TableRoot, rows: BoxStream<'static, Result<RecordBatch>>) -> BoxStream<'static, Result<Listed>> {
    let root = root.clone();
    rows.map(move |batch| batch.and_then(|batch| Ok(stream::iter(files(&root, &batch)?.into_iter().map(Ok))))).try_flatten().boxed()
}

fn files(root: &TableRoot, batch: &RecordBatch) -> Result<Vec<Listed>> {
    let column = |name: &str, as_type: &DataType| -> Result<ArrayRef> {
        let wrong = |what: &str| {
            Error::new(Code::INPUT, format!("the column `{name}` of the inventory {what}"))
                .with("column", name)
                .help(format!("an inventory has the columns {INVENTORY_COLUMNS}"))
        };
        let schema = batch.schema();
        let at = schema.fields().iter().position(|f| f.name().eq_ignore_ascii_case(name)).ok_or_else(|| wrong("is missing"))?;
        let array = batch.column(at);
        let array = match array.data_type() {
            DataType::Timestamp(..) => &cast(array, &DataType::Timestamp(TimeUnit::Millisecond, None))?,
            _ => array,
        };
        let array = cast(array, as_type).map_err(|_| wrong(&format!("is a {}, not a {as_type}", array.data_type())))?;
        if array.null_count() > 0 { Err(wrong("holds a null, or what does not parse")) } else { Ok(array) }
    };
    let (path, length) = (column("path", &DataType::Utf8)?, column("length", &DataType::Int64)?);
    let (is_dir, modified) = (column("isDir", &DataType::Boolean)?, column("modificationTime", &DataType::Int64)?);
    let (path, length) = (path.as_string::<i32>(), length.as_primitive::<Int64Type>());
    let (is_dir, modified) = (is_dir.as_boolean(), modified.as_primitive::<Int64Type>());
    let file = |row: usize| {
        if is_dir.value(row) {
            return None;
        }
        // The paths of an inventory are names, not URIs: nothing in them is decoded.
        let path = root.inside(&path.value(row).replace('%', "%25"))?.into_owned();
        Some(Listed { path, size: u64::try_from(length.value(row)).unwrap_or(0), modified: modified.value(row) })
    };
    Ok((0..batch.num_rows()).filter_map(file).collect())
}

#[cfg(test)]
#[path = "inventory_tests.rs"]
mod tests;
