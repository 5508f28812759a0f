//! Columns of text -> columns of a type, with the row that does not parse. Kind: pure. Spec: INP.

use crate::error::{Code, Error, Result};
use crate::schema::DataType;
use arrow::array::{Array, ArrayRef, StringArray};
use arrow::compute::{CastOptions, cast_with_options};
use std::sync::Arc;

/// How much of a value an error shows.
const SHOWN: usize = 40;

/// The column in the Arrow form of `t`. `line_of` says where a row stands, for errors.
pub(super) fn parse(column: StringArray, name: &str, t: &DataType, line_of: &dyn Fn(usize) -> u64) -> Result<ArrayRef> {
    if *t == DataType::String {
        return Ok(Arc::new(column));
    }
    if !is_parsed(t) {
        return Err(Error::new(Code::SCHEMA, format!("text cannot be read as {t}")).with("column", name));
    }
    // "Safe" makes null of what does not parse, which tells the row.
    let parsed = cast_with_options(&column, &t.to_arrow()?, &CastOptions { safe: true, ..Default::default() })?;
    let bad = (0..column.len()).find(|row| column.is_valid(*row) && (parsed.is_null(*row) || loses_digits(column.value(*row), t)));
    match bad {
        None => Ok(parsed),
        Some(row) => {
            let value: String = column.value(row).chars().take(SHOWN).collect();
            Err(Error::new(Code::INPUT, format!("{value:?} is not a {t}"))
                .with("column", name)
                .with("line", line_of(row))
                .help("correct the value, or write into a table whose column has a type that fits it"))
        }
    }
}

/// Whether text is parsed into this type here.
pub(super) fn is_parsed(t: &DataType) -> bool {
    use DataType::*;
    matches!(t, String | Long | Integer | Short | Byte | Float | Double | Decimal { .. } | Boolean | Date | Timestamp | TimestampNtz)
}

/// Whether a decimal has more digits behind the point than its type keeps; the parser would round them away.
fn loses_digits(text: &str, t: &DataType) -> bool {
    let DataType::Decimal { scale, .. } = t else { return false };
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], text[at + 1..].parse::<i64>().unwrap_or(0)),
        None => (text, 0),
    };
    let Some((_, fraction)) = mantissa.split_once('.') else { return exponent < 0 && -exponent > i64::from(*scale) };
    i64::try_from(fraction.trim_end_matches('0').len()).unwrap_or(i64::MAX).saturating_sub(exponent) > i64::from(*scale)
}
