//! Partition values of files as typed columns. Kind: pure. Spec: SKIP.

use crate::error::Result;
use crate::log::batch::{FileRows, text_of};
use crate::schema::{DataType, Scalar};
use arrow::array::{ArrayRef, BooleanArray, UInt32Array, new_null_array};
use arrow::compute::{concat, take};
use std::collections::HashMap;

/// One partition column over many files.
#[derive(Clone, Debug)]
pub(crate) struct PartitionColumn {
    /// In the Arrow form of the column's type.
    pub values: ArrayRef,
    /// False where the text is not a value of the type: then nothing is known, not even that it is null.
    pub known: BooleanArray,
}

/// The values of a partition column by physical name. Each text is decoded once a batch.
pub(crate) fn partition_column(rows: &FileRows, physical: &str, data_type: &DataType) -> Result<PartitionColumn> {
    let mut known = vec![true; rows.len()];
    let Some(map) = rows.partition_values() else {
        return Ok(PartitionColumn {
            values: new_null_array(&data_type.to_arrow()?, rows.len()),
            known: BooleanArray::from(vec![false; rows.len()]),
        });
    };
    // Number 0 is null.
    let mut distinct = vec![Scalar::Null.to_array(data_type, 1)?];
    let mut numbers: HashMap<&str, Option<u32>> = HashMap::new();
    let mut last: (Option<&str>, Option<u32>) = (None, Some(0));
    let mut indices = Vec::with_capacity(rows.len());
    for (row, known) in known.iter_mut().enumerate() {
        let text = text_of(map, row, physical).filter(|t| !t.is_empty());
        if text != last.0 {
            let number = match text {
                None => Some(0),
                Some(text) => match numbers.get(text) {
                    Some(number) => *number,
                    None => {
                        let number = match Scalar::from_partition_text(Some(text), data_type) {
                            Ok(value) => {
                                distinct.push(value.to_array(data_type, 1)?);
                                Some(distinct.len() as u32 - 1)
                            }
                            Err(_) => None,
                        };
                        numbers.insert(text, number);
                        number
                    }
                },
            };
            last = (text, number);
        }
        *known = last.1.is_some();
        indices.push(last.1.unwrap_or(0));
    }
    let distinct: Vec<&dyn arrow::array::Array> = distinct.iter().map(|a| a.as_ref()).collect();
    let arrow = |e: arrow::error::ArrowError| {
        crate::error::Error::new(crate::error::Code::INTERNAL, "partition values do not line up").caused_by(e)
    };
    let distinct = concat(&distinct).map_err(arrow)?;
    Ok(PartitionColumn { values: take(&distinct, &UInt32Array::from(indices), None).map_err(arrow)?, known: BooleanArray::from(known) })
}
