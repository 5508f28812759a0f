//! Paths of nested columns <-> text. Kind: pure. Spec: SCH.
//!
//! A path names struct fields, and `element`, `key` and `value` inside arrays and maps.

use super::{DataType, Field, FieldPath, Struct};
use crate::error::{Code, Error, Result};

/// `a, b.c, odd name, ``odd.name`.d` as paths; `None` for an unclosed quote or an empty name. Spaces around a name are no part of it.
pub(crate) fn column_list(text: &str) -> Option<Vec<FieldPath>> {
    let (mut columns, mut path, mut name) = (Vec::new(), Vec::new(), String::new());
    let (mut quoted, mut spaces) = (false, String::new());
    let mut chars = text.chars().peekable();
    // A comma at the end closes the last column.
    while let Some(c) = chars.next() {
        if matches!(c, '.' | ',') && !quoted {
            spaces.clear();
        } else if c.is_whitespace() && !quoted {
            spaces.extend((!name.is_empty()).then_some(c));
            continue;
        }
        name.push_str(&std::mem::take(&mut spaces));
        match c {
            '`' if quoted && chars.peek() == Some(&'`') => {
                chars.next();
                name.push('`');
            }
            '`' => quoted = !quoted,
            '.' if !quoted => path.push(std::mem::take(&mut name)),
            ',' if !quoted => {
                path.push(std::mem::take(&mut name));
                columns.push(std::mem::take(&mut path));
            }
            c => name.push(c),
        }
    }
    if !name.is_empty() || !path.is_empty() {
        path.push(name);
        columns.push(path);
    }
    let complete = columns.iter().flatten().all(|name: &String| !name.is_empty());
    (!quoted && complete).then_some(columns)
}

/// The path that text names: `address.city`, with names in backticks where they hold a dot, a comma, a backtick or outer spaces. `LB-SCHEMA`
/// when it is none.
pub fn column_path(text: &str) -> Result<FieldPath> {
    let path = column_list(text).filter(|columns| columns.len() == 1).and_then(|columns| columns.into_iter().next());
    path.ok_or_else(|| {
        Error::new(Code::SCHEMA, format!("`{text}` does not name a column")).help("write it as `address.city` or `` `odd name` ``")
    })
}

/// The path as text that `column_list` reads, names in backticks where they need them.
pub(crate) fn quoted_path(path: &[String]) -> String {
    let quoted = |name: &String| {
        let plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if plain { name.clone() } else { format!("`{}`", name.replace('`', "``")) }
    };
    path.iter().map(quoted).collect::<Vec<_>>().join(".")
}

/// What a path of a schema leads to.
pub(crate) struct Located<'a> {
    /// The path in the spelling of the schema.
    pub(crate) path: FieldPath,
    /// The struct field that the path ends at or inside.
    pub(crate) field: &'a Field,
    /// How many steps of the path lead to that field; the rest are `element`, `key` and `value`.
    pub(crate) steps: usize,
    /// The type at the end of the path.
    pub(crate) data_type: &'a DataType,
    /// Whether there may be null.
    pub(crate) nullable: bool,
    /// Whether the way leads through an array or a map.
    pub(crate) repeated: bool,
}

impl Struct {
    /// Follows a path, names in any case. `LB-SCHEMA` names the step that is not there.
    pub(crate) fn locate(&self, path: &[String]) -> Result<Located<'_>> {
        let missing = |what: String| Error::new(Code::SCHEMA, what).with("column", quoted_path(path));
        let (first, rest) = path.split_first().ok_or_else(|| missing("a column has no name".to_owned()))?;
        let no_column = |fields: &Struct, name: &str| {
            let names: Vec<String> = fields.fields.iter().map(|f| quoted_path(std::slice::from_ref(&f.name))).collect();
            missing(format!("there is no column `{name}`")).help(format!("there are {}", names.join(", ")))
        };
        let field = self.field(first).ok_or_else(|| no_column(self, first))?;
        let mut at = Located {
            path: vec![field.name.clone()],
            field,
            steps: 1,
            data_type: &field.data_type,
            nullable: field.nullable,
            repeated: false,
        };
        for step in rest {
            let is = |name: &str| step.eq_ignore_ascii_case(name);
            let (data_type, nullable, name) = match at.data_type {
                DataType::Struct(fields) => {
                    at.field = fields.field(step).ok_or_else(|| no_column(fields, step))?;
                    at.steps = at.path.len() + 1;
                    (&at.field.data_type, at.field.nullable, at.field.name.as_str())
                }
                DataType::Array { element, contains_null } if is("element") => (element.as_ref(), *contains_null, "element"),
                DataType::Map { key, .. } if is("key") => (key.as_ref(), false, "key"),
                DataType::Map { value, value_contains_null, .. } if is("value") => (value.as_ref(), *value_contains_null, "value"),
                other => return Err(missing(format!("`{}` has no part `{step}`: it is {other}", quoted_path(&at.path)))),
            };
            at.repeated |= !matches!(at.data_type, DataType::Struct(_));
            (at.data_type, at.nullable) = (data_type, nullable);
            at.path.push(name.to_owned());
        }
        Ok(at)
    }

    /// The same schema after `change` of the fields that hold the field at `path` (spelled as `locate` gives it), and of its place among
    /// them. A path that leads nowhere changes nothing.
    pub(crate) fn edited(&self, path: &[String], change: &mut dyn FnMut(&mut Vec<Field>, usize)) -> Struct {
        let mut out = self.clone();
        edit_fields(&mut out, path, change);
        out
    }

    /// The same schema with another type at the end of `path`.
    pub(crate) fn with_type(&self, at: &Located<'_>, to: &DataType) -> Struct {
        let inner = &at.path[at.steps..];
        self.edited(&at.path[..at.steps], &mut |fields, i| set_type(&mut fields[i].data_type, inner, to))
    }
}

fn edit_fields(fields: &mut Struct, path: &[String], change: &mut dyn FnMut(&mut Vec<Field>, usize)) {
    let Some((first, rest)) = path.split_first() else { return };
    let Some(i) = fields.fields.iter().position(|f| f.name == *first) else { return };
    if rest.is_empty() { change(&mut fields.fields, i) } else { edit_type(&mut fields.fields[i].data_type, rest, change) }
}

fn edit_type(data_type: &mut DataType, path: &[String], change: &mut dyn FnMut(&mut Vec<Field>, usize)) {
    match data_type {
        DataType::Struct(fields) => edit_fields(fields, path, change),
        DataType::Array { element, .. } => edit_type(element, &path[1..], change),
        DataType::Map { key, value, .. } => edit_type(if path[0] == "key" { key } else { value }, &path[1..], change),
        _ => {}
    }
}

fn set_type(data_type: &mut DataType, steps: &[String], to: &DataType) {
    match (data_type, steps) {
        (here, []) => *here = to.clone(),
        (DataType::Array { element, .. }, [_, rest @ ..]) => set_type(element, rest, to),
        (DataType::Map { key, value, .. }, [step, rest @ ..]) => set_type(if step == "key" { key } else { value }, rest, to),
        _ => {}
    }
}

#[cfg(test)]
#[path = "paths_tests.rs"]
mod tests;
