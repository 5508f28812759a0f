//! Whether rows of an older schema can be shown in the columns of a newer one. Kind: pure. Spec: CDF.

use crate::features::TableState;
use crate::schema::can_widen;
use crate::schema::{DataType, Struct};

/// Why rows that were written under `old` cannot be shown as rows of `new`; `None` when they can. Columns may have been added and types
/// widened; every column that was there must still be there, under its name and in its place among the partition columns.
pub(in crate::operations) fn misfit(old: &TableState, new: &TableState) -> Option<String> {
    let at = (old.schema(), old.physical_schema(), new.schema(), new.physical_schema());
    if let Some(why) = of_fields(at, "") {
        return Some(why);
    }
    let partition = |state: &TableState, column: &str| state.partition_columns().iter().any(|name| name == column);
    let moved = old.schema().fields.iter().find_map(|field| {
        let now = new.schema().field(&field.name)?;
        (partition(old, &field.name) != partition(new, &now.name))
            .then(|| format!("column {} became or was a partition column", field.name))
    });
    let values =
        |state: &TableState| state.partition_columns().iter().filter_map(|name| state.physical_name(name)).map(str::to_owned).collect();
    let (before, after): (Vec<String>, Vec<String>) = (values(old), values(new));
    moved.or_else(|| after.iter().find(|name| !before.contains(name)).map(|_| "a partition column was added".to_owned()))
}

type Sides<'a> = (&'a Struct, &'a Struct, &'a Struct, &'a Struct);

fn of_fields((old, old_physical, new, new_physical): Sides<'_>, prefix: &str) -> Option<String> {
    old.fields.iter().zip(&old_physical.fields).find_map(|(field, physical)| {
        let path = format!("{prefix}{}", field.name);
        let at = new_physical.fields.iter().position(|f| f.name == physical.name).or_else(|| {
            // Without mapping, letter case is no difference.
            let unmapped = physical.name == field.name;
            unmapped.then(|| new_physical.index_of(&physical.name)).flatten()
        });
        let Some(at) = at else { return Some(format!("column {path} was dropped, or replaced by another one")) };
        let now = &new.fields[at];
        if now.name.to_lowercase() != field.name.to_lowercase() {
            return Some(format!("column {path} was renamed to {}", now.name));
        }
        of_types((&field.data_type, &physical.data_type, &now.data_type, &new_physical.fields[at].data_type), &path)
    })
}

fn of_types(types: (&DataType, &DataType, &DataType, &DataType), path: &str) -> Option<String> {
    use DataType::{Array, Map};
    let inside = |name: &str, types: (&DataType, &DataType, &DataType, &DataType)| of_types(types, &format!("{path}.{name}"));
    match types {
        (DataType::Struct(a), DataType::Struct(b), DataType::Struct(c), DataType::Struct(d)) => {
            of_fields((a, b, c, d), &format!("{path}."))
        }
        (Array { element: a, .. }, Array { element: b, .. }, Array { element: c, .. }, Array { element: d, .. }) => {
            inside("element", (a, b, c, d))
        }
        (Map { key: a, value: e, .. }, Map { key: b, value: f, .. }, Map { key: c, value: g, .. }, Map { key: d, value: h, .. }) => {
            inside("key", (a, b, c, d)).or_else(|| inside("value", (e, f, g, h)))
        }
        (old, _, new, _) if old == new || can_widen(old, new) => None,
        (old, _, new, _) => Some(format!("the type of column {path} was changed from {old} to {new}")),
    }
}

#[cfg(test)]
#[path = "fit_tests.rs"]
mod tests;
