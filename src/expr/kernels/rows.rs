//! Functions that go row by row. Kind: shape. Spec: EXP.

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use std::sync::Arc;

pub(super) type Out = Result<ArrayRef, ArrowError>;

/// A function of the table: its name, the type of its values from those of its arguments, and what it does.
pub(super) struct Builtin {
    pub(super) name: &'static str,
    pub(super) returns: fn(&[DataType]) -> Option<DataType>,
    pub(super) run: fn(&[ArrayRef]) -> Out,
}

/// The value of each row of which no argument is null; `f` gets the row's number.
pub(super) fn each<T, A>(args: &[ArrayRef], mut f: impl FnMut(usize) -> Result<Option<T>, ArrowError>) -> Out
where
    A: Array + FromIterator<Option<T>> + 'static,
{
    let rows = args.first().map_or(1, |a| a.len());
    let mut out: Vec<Option<T>> = Vec::with_capacity(rows);
    for row in 0..rows {
        out.push(if args.iter().any(|a| a.is_null(row)) { None } else { f(row)? });
    }
    Ok(Arc::new(A::from_iter(out)))
}

/// The error of one row.
pub(super) fn error(text: impl Into<String>) -> ArrowError {
    ArrowError::ComputeError(text.into())
}

macro_rules! gives {
    ($($name:ident = $type:expr;)*) => {
        $(pub(super) fn $name(_: &[DataType]) -> Option<DataType> {
            Some($type)
        })*
    };
}
gives! {
    text = DataType::Utf8;
    int = DataType::Int32;
    long = DataType::Int64;
    double = DataType::Float64;
    boolean = DataType::Boolean;
    date = DataType::Date32;
    binary = DataType::Binary;
    instant = DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, Some("UTC".into()));
}
