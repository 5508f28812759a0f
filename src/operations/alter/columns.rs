//! Alterations of columns, as plans. Kind: pure. Spec: ALT.
//!
//! Invariant: the columns that an alteration does not name keep their metadata, known or not, as it is.

use super::Plan;
use crate::error::{Code, Error, Result};
use crate::features::{TableChange, TableState};
use crate::log::StringMap;
use crate::schema::paths::{Located, column_list, quoted_path};
use crate::schema::{DataType, Field, FieldPath, NewColumn, Position, Struct, any_field, metadata_key};
use serde_json::{Map, Value, json};

const STATS_COLUMNS: &str = "delta.dataSkippingStatsColumns";

pub(super) fn add(state: &TableState, columns: &[NewColumn]) -> Result<Plan> {
    let mut schema = state.schema().clone();
    let mut listed = Vec::new();
    for column in columns {
        let mut path = column.parent.clone();
        path.push(column.field.name.clone());
        schema = with_column(&schema, column, &path)?;
        let mut entry = Map::new();
        entry.insert("column".to_owned(), described(&path, &column.field));
        match &column.position {
            Position::Last => {}
            Position::First => _ = entry.insert("position".to_owned(), "FIRST".into()),
            Position::After(name) => _ = entry.insert("position".to_owned(), format!("AFTER {name}").into()),
        }
        listed.push(Value::Object(entry));
    }
    let change = TableChange { schema: Some(schema), ..TableChange::default() };
    Ok(Plan::new("ADD COLUMNS", change).parameter("columns", Value::Array(listed).to_string()))
}

/// Whether some new column forbids null.
pub(super) fn has_not_null(columns: &[NewColumn]) -> bool {
    columns.iter().any(|column| any_field(&Struct { fields: vec![column.field.clone()] }, |field| !field.nullable))
}

fn with_column(schema: &Struct, column: &NewColumn, path: &[String]) -> Result<Struct> {
    let mut failed = None;
    let mut insert = |fields: &mut Vec<Field>| {
        if fields.iter().any(|f| f.name.to_lowercase() == column.field.name.to_lowercase()) {
            failed = Some(Error::new(Code::SCHEMA, "there is a column of this name already").with("column", quoted_path(path)));
            return;
        }
        match place(fields, &column.position) {
            Ok(at) => fields.insert(at, column.field.clone()),
            Err(e) => failed = Some(e),
        }
    };
    let out = if column.parent.is_empty() {
        let mut out = schema.clone();
        insert(&mut out.fields);
        out
    } else {
        let parent = schema.locate(&column.parent)?;
        let DataType::Struct(fields) = parent.data_type else {
            let what = format!("columns stand in structs only; this is {}", parent.data_type);
            return Err(Error::new(Code::SCHEMA, what).with("column", quoted_path(&parent.path)));
        };
        let mut fields = fields.clone();
        insert(&mut fields.fields);
        schema.with_type(&parent, &DataType::Struct(fields))
    };
    failed.map_or(Ok(out), Err)
}

/// Where a column goes among `fields`.
fn place(fields: &[Field], position: &Position) -> Result<usize> {
    match position {
        Position::Last => Ok(fields.len()),
        Position::First => Ok(0),
        Position::After(name) => {
            let sibling = fields.iter().position(|f| f.name.to_lowercase() == name.to_lowercase());
            sibling.map(|i| i + 1).ok_or_else(|| Error::new(Code::SCHEMA, "there is no column to stand behind").with("column", name))
        }
    }
}

pub(super) fn drop(state: &TableState, paths: &[FieldPath]) -> Result<Plan> {
    state.check_renames()?;
    let mut schema = state.schema().clone();
    let mut dropped = Vec::new();
    for path in paths {
        let at = schema.locate(path)?;
        check_is_field(&at)?;
        state.check_independent(&at.path)?;
        let refused = |what: &str| Err(Error::new(Code::SCHEMA, what).with("column", quoted_path(&at.path)));
        if state.partition_columns().iter().any(|name| at.path == [name.clone()]) {
            return refused("a partition column cannot be dropped");
        }
        if state.clustering_columns()?.is_some_and(|columns| columns.iter().any(|column| column.starts_with(&at.path))) {
            return refused("a clustering column cannot be dropped");
        }
        let path = at.path.clone();
        schema = schema.edited(&path, &mut |fields, i| _ = fields.remove(i));
        dropped.push(path);
    }
    let set = stats_columns(state, |path| (!dropped.iter().any(|gone| starts_with(path, gone))).then(|| path.clone()));
    let change = TableChange { schema: Some(schema), set, ..TableChange::default() };
    let names: Vec<String> = dropped.iter().map(|path| path.join(".")).collect();
    Ok(Plan::new("DROP COLUMNS", change).parameter("columns", Value::from(names).to_string()))
}

pub(super) fn rename(state: &TableState, column: &[String], to: &str) -> Result<Plan> {
    state.check_renames()?;
    let at = state.schema().locate(column)?;
    check_is_field(&at)?;
    state.check_independent(&at.path)?;
    let schema = state.schema().edited(&at.path, &mut |fields, i| fields[i].name = to.to_owned());
    let mut new_path = at.path.clone();
    if let Some(last) = new_path.last_mut() {
        *last = to.to_owned();
    }
    let renamed = |name: &String| if at.path == [name.clone()] { to.to_owned() } else { name.clone() };
    let partition_columns = state.partition_columns().iter().map(renamed).collect();
    let set = stats_columns(state, |path| {
        let inside = starts_with(path, &at.path);
        Some(if inside { [&new_path[..], &path[new_path.len()..]].concat() } else { path.clone() })
    });
    let change = TableChange { schema: Some(schema), partition_columns: Some(partition_columns), set, ..TableChange::default() };
    let plan = Plan::new("RENAME COLUMN", change).parameter("oldColumnPath", at.path.join("."));
    Ok(plan.parameter("newColumnPath", new_path.join(".")))
}

pub(super) fn change_type(state: &TableState, column: &[String], to: &DataType) -> Result<Plan> {
    let at = state.schema().locate(column)?;
    let mut shown = Field { data_type: to.clone(), nullable: at.nullable, ..at.field.clone() };
    if at.steps != at.path.len() {
        shown.metadata.clear();
    }
    let schema = state.schema().with_type(&at, to);
    let limited = at.steps == at.path.len() && at.field.metadata.contains_key(metadata_key::CHAR_VARCHAR);
    // Text of any length holds text of limited length.
    let schema = match limited && *to == DataType::String {
        true => schema.edited(&at.path, &mut |fields, i| _ = fields[i].metadata.shift_remove(metadata_key::CHAR_VARCHAR)),
        false => schema,
    };
    if schema != *state.schema() {
        state.check_independent(&at.path[..at.steps])?;
    }
    Ok(changed(schema, &at.path, &shown))
}

pub(super) fn move_to(state: &TableState, column: &[String], to: &Position) -> Result<Plan> {
    let at = state.schema().locate(column)?;
    check_is_field(&at)?;
    let mut failed = None;
    let schema = state.schema().edited(&at.path, &mut |fields, i| {
        let field = fields.remove(i);
        match place(fields, to) {
            Ok(at) => fields.insert(at, field),
            Err(e) => failed = Some(e),
        }
    });
    match failed {
        Some(e) => Err(e),
        None => Ok(changed(schema, &at.path, at.field)),
    }
}

pub(super) fn set_nullable(state: &TableState, column: &[String], nullable: bool) -> Result<Plan> {
    let at = state.schema().locate(column)?;
    check_is_field(&at)?;
    if at.repeated && !nullable {
        return Err(Error::new(Code::SCHEMA, "NOT NULL cannot be enforced inside arrays and maps").with("column", quoted_path(&at.path)));
    }
    let schema = state.schema().edited(&at.path, &mut |fields, i| fields[i].nullable = nullable);
    Ok(changed(schema, &at.path, &Field { nullable, ..at.field.clone() }))
}

pub(super) fn comment(state: &TableState, column: &[String], text: &str) -> Result<Plan> {
    let at = state.schema().locate(column)?;
    check_is_field(&at)?;
    let mut field = at.field.clone();
    match text {
        "" => _ = field.metadata.shift_remove(metadata_key::COMMENT),
        text => _ = field.metadata.insert(metadata_key::COMMENT.to_owned(), text.into()),
    }
    let schema = state.schema().edited(&at.path, &mut |fields, i| fields[i].metadata = field.metadata.clone());
    Ok(changed(schema, &at.path, &field))
}

/// The column with this default, or with none.
pub(super) fn set_default(state: &TableState, column: &[String], default: Option<String>) -> Result<Plan> {
    let at = state.schema().locate(column)?;
    check_is_field(&at)?;
    let mut field = at.field.clone();
    match default {
        None => _ = field.metadata.shift_remove(metadata_key::CURRENT_DEFAULT),
        Some(text) => _ = field.metadata.insert(metadata_key::CURRENT_DEFAULT.to_owned(), text.into()),
    }
    let schema = state.schema().edited(&at.path, &mut |fields, i| fields[i].metadata = field.metadata.clone());
    Ok(changed(schema, &at.path, &field))
}

pub(super) fn cluster_by(state: &TableState, columns: Vec<FieldPath>) -> Result<Plan> {
    let text = |columns: &[FieldPath]| columns.iter().map(|path| path.join(".")).collect::<Vec<_>>().join(",");
    let old = state.clustering_columns()?.unwrap_or_default();
    let columns = columns.iter().map(|path| Ok(state.schema().locate(path)?.path)).collect::<Result<Vec<_>>>()?;
    let change = TableChange { cluster_by: (old != columns).then_some(columns.clone()), ..TableChange::default() };
    let plan = Plan::new("CLUSTER BY", change).parameter("oldClusteringColumns", text(&old));
    Ok(plan.parameter("newClusteringColumns", text(&columns)))
}

fn changed(schema: Struct, path: &[String], field: &Field) -> Plan {
    let change = TableChange { schema: Some(schema), ..TableChange::default() };
    Plan::new("CHANGE COLUMN", change).parameter("column", described(path, field).to_string())
}

/// A change of the column itself, when there is one.
pub(super) fn described_change(schema: Option<Struct>, at: &Located<'_>) -> Plan {
    let change = TableChange { schema, ..TableChange::default() };
    Plan::new("CHANGE COLUMN", change).parameter("column", described(&at.path, at.field).to_string())
}

/// A column as Spark describes it in the history: its whole path as its name, of nested types only the kind.
fn described(path: &[String], field: &Field) -> Value {
    let data_type = match field.data_type.to_json_value() {
        Value::Object(nested) => nested.get("type").cloned().unwrap_or_default(),
        name => name,
    };
    json!({"name": path.join("."), "type": data_type, "nullable": field.nullable, "metadata": field.metadata})
}

fn check_is_field(at: &Located<'_>) -> Result<()> {
    if at.steps == at.path.len() {
        return Ok(());
    }
    Err(Error::new(Code::SCHEMA, "the elements of an array or a map are no columns").with("column", quoted_path(&at.path)))
}

fn starts_with(path: &[String], prefix: &[String]) -> bool {
    path.len() >= prefix.len() && path.iter().zip(prefix).all(|(a, b)| a.to_lowercase() == b.to_lowercase())
}

/// The property that names the columns with statistics, after `follow` of each; nothing when it stays the same.
fn stats_columns(state: &TableState, follow: impl Fn(&FieldPath) -> Option<FieldPath>) -> StringMap {
    let Some(old) = state.property(STATS_COLUMNS).and_then(column_list) else { return StringMap::new() };
    let new: Vec<FieldPath> = old.iter().filter_map(follow).collect();
    if new == old {
        return StringMap::new();
    }
    let text = new.iter().map(|path| quoted_path(path)).collect::<Vec<_>>().join(",");
    [(STATS_COLUMNS.to_owned(), text)].into()
}
