//! Functions of arrays and maps. Kind: pure. Spec: EXP.

use super::rows::{self, Builtin, Out, each, error};
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int32Array, UInt32Array, make_comparator};
use arrow::compute::{SortOptions, take};
use arrow::datatypes::{DataType, Int32Type};
use arrow::error::ArrowError;
use std::sync::Arc;

pub(super) static ALL: &[Builtin] = &[
    Builtin { name: "size", returns: rows::int, run: size },
    Builtin { name: "array_contains", returns: rows::boolean, run: contains },
    Builtin { name: "element_at", returns: inner, run: |a| element(a, true) },
    Builtin { name: "item", returns: inner, run: |a| element(a, false) },
];

fn inner(args: &[DataType]) -> Option<DataType> {
    match args.first()? {
        DataType::List(field) => Some(field.data_type().clone()),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(pair) => Some(pair.get(1)?.data_type().clone()),
            _ => None,
        },
        _ => None,
    }
}

/// Where the values of a row begin and end.
fn span(array: &ArrayRef, row: usize) -> Result<(usize, usize), ArrowError> {
    let offsets = match array.data_type() {
        DataType::List(_) => array.as_list::<i32>().value_offsets(),
        DataType::Map(..) => array.as_map().value_offsets(),
        other => return Err(error(format!("a {other} has no elements"))),
    };
    Ok((offsets[row] as usize, offsets[row + 1] as usize))
}

/// Null has no size.
fn size(args: &[ArrayRef]) -> Out {
    each::<i32, Int32Array>(args, |row| span(&args[0], row).map(|(start, end)| i32::try_from(end - start).ok()))
}

/// Null when the value is not found and some element is null.
fn contains(args: &[ArrayRef]) -> Out {
    let list = args[0].as_list::<i32>();
    let (values, wanted) = (super::canonical(list.values()), super::canonical(&args[1]));
    let compare = make_comparator(&values, &wanted, SortOptions::default())?;
    each::<bool, BooleanArray>(args, |row| {
        let (start, end) = span(&args[0], row)?;
        let found = (start..end).any(|i| values.is_valid(i) && compare(i, row).is_eq());
        Ok(if found {
            Some(true)
        } else if (start..end).any(|i| values.is_null(i)) {
            None
        } else {
            Some(false)
        })
    })
}

/// An element of an array by its place, or the value of a key. Places count from 1, or from the end, when `from_one`, else from 0.
/// A place outside is an error, a key that is not there null.
fn element(args: &[ArrayRef], from_one: bool) -> Out {
    let mut at: Vec<Option<u32>> = Vec::with_capacity(args[0].len());
    if let DataType::Map(..) = args[0].data_type() {
        let map = args[0].as_map();
        let (keys, wanted) = (super::canonical(map.keys()), super::canonical(&args[1]));
        let compare = make_comparator(&keys, &wanted, SortOptions::default())?;
        for row in 0..map.len() {
            let valid = map.is_valid(row) && wanted.is_valid(row);
            let (start, end) = span(&args[0], row)?;
            at.push(if valid { (start..end).find(|i| compare(*i, row).is_eq()).and_then(|i| u32::try_from(i).ok()) } else { None });
        }
        return take(map.values(), &UInt32Array::from(at), None);
    }
    let list = args[0].as_list::<i32>();
    let places = args[1].as_primitive::<Int32Type>();
    for row in 0..list.len() {
        if list.is_null(row) || places.is_null(row) {
            at.push(None);
            continue;
        }
        let (start, end) = span(&args[0], row)?;
        let (place, count) = (i64::from(places.value(row)), (end - start) as i64);
        let index = match place {
            0 if from_one => return Err(error("`element_at` counts from 1")),
            n if n < 0 && from_one => count + n,
            n if from_one => n - 1,
            n => n,
        };
        if !(0..count).contains(&index) {
            return Err(error(format!("an array of {count} elements has none at {place}")));
        }
        at.push(u32::try_from(start as i64 + index).ok());
    }
    let values = take(list.values(), &UInt32Array::from(at), None)?;
    Ok(Arc::clone(&values))
}
