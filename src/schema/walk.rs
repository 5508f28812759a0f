//! Visiting nested fields and types. Kind: pure. Spec: SCH.

use super::{DataType, Field, Struct};

/// Whether some struct field at any depth fulfils `test`; parents before children, in column order.
pub(crate) fn any_field<'a>(fields: &'a Struct, mut test: impl FnMut(&'a Field) -> bool) -> bool {
    fn visit<'a>(fields: &'a Struct, test: &mut dyn FnMut(&'a Field) -> bool) -> bool {
        fields.fields.iter().any(|field| test(field) || inside(&field.data_type, test))
    }
    fn inside<'a>(data_type: &'a DataType, test: &mut dyn FnMut(&'a Field) -> bool) -> bool {
        match data_type {
            DataType::Struct(fields) => visit(fields, test),
            DataType::Array { element, .. } => inside(element, test),
            DataType::Map { key, value, .. } => inside(key, test) || inside(value, test),
            _ => false,
        }
    }
    visit(fields, &mut test)
}

/// Whether some type at any depth fulfils `test`.
pub(crate) fn any_type<'a>(fields: &'a Struct, mut test: impl FnMut(&'a DataType) -> bool) -> bool {
    fn visit<'a>(data_type: &'a DataType, test: &mut dyn FnMut(&'a DataType) -> bool) -> bool {
        test(data_type)
            || match data_type {
                DataType::Struct(fields) => fields.fields.iter().any(|field| visit(&field.data_type, test)),
                DataType::Array { element, .. } => visit(element, test),
                DataType::Map { key, value, .. } => visit(key, test) || visit(value, test),
                _ => false,
            }
    }
    fields.fields.iter().any(|field| visit(&field.data_type, &mut test))
}

/// The same tree with the name, nullability and metadata of every struct field changed, parents before children. The types that
/// `change` returns are not looked at.
pub(crate) fn try_map_fields<E>(fields: &Struct, change: &mut dyn FnMut(&Field) -> Result<Field, E>) -> Result<Struct, E> {
    fn inside<E>(data_type: &DataType, change: &mut dyn FnMut(&Field) -> Result<Field, E>) -> Result<DataType, E> {
        Ok(match data_type {
            DataType::Struct(fields) => DataType::Struct(try_map_fields(fields, change)?),
            DataType::Array { element, contains_null } => {
                DataType::Array { element: Box::new(inside(element, change)?), contains_null: *contains_null }
            }
            DataType::Map { key, value, value_contains_null } => DataType::Map {
                key: Box::new(inside(key, change)?),
                value: Box::new(inside(value, change)?),
                value_contains_null: *value_contains_null,
            },
            leaf => leaf.clone(),
        })
    }
    let mut out = Vec::with_capacity(fields.fields.len());
    for field in &fields.fields {
        let mut changed = change(field)?;
        changed.data_type = inside(&field.data_type, change)?;
        out.push(changed);
    }
    Ok(Struct { fields: out })
}
