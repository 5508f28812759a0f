//! Columns that the table itself numbers. Kind: pure. Spec: VAL.
//!
//! What was given last stands in the schema (`highWaterMark`); the commit that gives numbers moves it. Invariant: the mark never goes
//! back, whatever an operation writes, so no number is given twice.

use super::column_mapping::same_column;
use super::commit::CommitDraft;
use super::drafts::{Fill, FillValue, TableDraft, WritePlan};
use super::sequence::Sequence;
use super::spec::{Active, FeatureSpec, Hooks, LegacyVersions, Scope, Support};
use super::{TableFeature, TableState};
use crate::error::{Code, Error, Result};
use crate::log::Metadata;
use crate::schema::{DataType, Field, Struct, any_field, metadata_key};
use serde_json::Value;

const START: &str = "delta.identity.start";
const STEP: &str = "delta.identity.step";
const MARK: &str = "delta.identity.highWaterMark";
const EXPLICIT: &str = "delta.identity.allowExplicitInsert";
/// Tells readers of the log that the metadata of a commit moved marks and nothing else.
const TAG: &str = "delta.identity.schemaUpdate";

pub(super) const SPEC: FeatureSpec = FeatureSpec {
    feature: TableFeature::IdentityColumns,
    name: "identityColumns",
    aliases: &[],
    scope: Scope::Writer,
    legacy: Some(LegacyVersions { reader: None, writer: 6 }),
    requires: &[],
    active: Active::When(|state| any_field(state.schema(), is_numbered)),
    support: Support::Full,
    joins_quietly: false,
    hooks: Hooks { shape_table: Some(shape_table), write_stages: Some(write_stages), stamp_commit: Some(stamp_commit), ..Hooks::NONE },
};

fn is_numbered(field: &Field) -> bool {
    field.metadata.keys().any(|key| key.starts_with(metadata_key::IDENTITY_PREFIX))
}

/// How a column is numbered; `None` for one that is not. `LB-SCHEMA` for metadata that makes no sense.
fn sequence(field: &Field) -> Result<Option<Sequence>> {
    if !is_numbered(field) {
        return Ok(None);
    }
    let refused = |what: &str| Error::new(Code::SCHEMA, format!("the column cannot be numbered: {what}")).with("column", &field.name);
    let number = |key: &str| match field.metadata.get(key) {
        None => Ok(None),
        Some(value) => value.as_i64().map(Some).ok_or_else(|| refused("a part of its description is no whole number").with("key", key)),
    };
    let accepts_given = match field.metadata.get(EXPLICIT) {
        None => false,
        Some(value) => value.as_bool().ok_or_else(|| refused("a part of its description is not true or false").with("key", EXPLICIT))?,
    };
    let step = number(STEP)?.unwrap_or(1);
    if step == 0 {
        return Err(refused("its step is 0"));
    }
    if field.data_type != DataType::Long {
        return Err(refused("only a BIGINT can be").with("type", &field.data_type));
    }
    Ok(Some(Sequence { start: number(START)?.unwrap_or(1), step, last: number(MARK)?, accepts_given }))
}

fn shape_table(draft: &mut TableDraft<'_>) -> Result<()> {
    for field in &draft.schema.fields {
        if sequence(field)?.is_some() {
            let has = |key: &str| field.metadata.contains_key(key);
            if has(metadata_key::CURRENT_DEFAULT) || has(metadata_key::GENERATION_EXPRESSION) {
                return Err(Error::new(Code::SCHEMA, "a column that the table numbers has neither a default nor an expression")
                    .with("column", &field.name));
            }
            if draft.partition_columns.iter().any(|name| name.eq_ignore_ascii_case(&field.name)) {
                return Err(
                    Error::new(Code::SCHEMA, "a table cannot be partitioned by a column that it numbers").with("column", &field.name)
                );
            }
        }
        let inner = Struct { fields: vec![Field::new(&field.name, field.data_type.clone(), true)] };
        if any_field(&inner, is_numbered) {
            return Err(Error::new(Code::SCHEMA, "only a column of its own can be numbered").with("column", &field.name));
        }
    }
    Ok(())
}

fn write_stages(state: &TableState, plan: &mut WritePlan) -> Result<()> {
    for field in &state.schema().fields {
        let sequence = sequence(field).map_err(|e| Error::new(Code::FEATURE_WRITE, e.message().to_owned()).caused_by(e))?;
        plan.fills.extend(sequence.map(|s| Fill { column: field.name.clone(), value: FillValue::Number(s) }));
    }
    Ok(())
}

/// Keeps the marks of columns that were there before, and says so when nothing but marks was moved.
fn stamp_commit(before: &TableState, _: &TableState, draft: &mut CommitDraft) -> Result<()> {
    let Some(metadata) = draft.metadata.as_mut().filter(|_| draft.version.0 > 0) else { return Ok(()) };
    let mut schema = Struct::from_json(&metadata.schema_string)?;
    let mut raised = false;
    for field in &mut schema.fields {
        // The same column whatever it is called: its name may have been another one.
        let old = same_column(before.schema(), field).map(sequence).transpose()?.flatten();
        let (Some(new), Some(old)) = (sequence(field)?, old) else { continue };
        if let Some(mark) = old.last
            && new.last.is_none_or(|last| new.is_beyond(mark, last))
        {
            field.metadata.insert(MARK.to_owned(), Value::from(mark));
            raised = true;
        }
    }
    if raised {
        metadata.schema_string = schema.to_json();
    }
    let same = Metadata { schema_string: before.metadata().schema_string.clone(), ..metadata.clone() };
    if same == *before.metadata() && without_marks(&schema) == without_marks(before.schema()) {
        draft.tags.insert(TAG.to_owned(), "true".to_owned());
    }
    Ok(())
}

/// The same schema without what was given last.
fn without_marks(schema: &Struct) -> Struct {
    let mut out = schema.clone();
    out.fields.iter_mut().for_each(|field| _ = field.metadata.shift_remove(MARK));
    out
}

impl TableState {
    /// The metadata after these numbers were given last; `None` when that changes nothing. A mark never goes back. `LB-SCHEMA` for a
    /// column that the table does not number.
    pub(crate) fn record_numbers(&self, last: &[(String, i64)]) -> Result<Option<Metadata>> {
        let mut schema = self.schema().clone();
        let mut moved = false;
        for (name, last) in last {
            let at = schema.index_of(name).filter(|at| is_numbered(&schema.fields[*at]));
            let Some(at) = at else {
                return Err(Error::new(Code::SCHEMA, "the table does not number this column").with("column", name));
            };
            let field = &mut schema.fields[at];
            if sequence(field)?.is_some_and(|s| s.last.is_none_or(|mark| s.is_beyond(*last, mark))) {
                field.metadata.insert(MARK.to_owned(), Value::from(*last));
                moved = true;
            }
        }
        Ok(moved.then(|| Metadata { schema_string: schema.to_json(), ..self.metadata().clone() }))
    }
    /// How the column of this name is numbered. `LB-SCHEMA` when it is not.
    pub(crate) fn sequence(&self, column: &str) -> Result<(String, Sequence)> {
        let field = self.schema().field(column);
        let found = field.map(|field| Ok::<_, Error>(sequence(field)?.map(|s| (field.name.clone(), s)))).transpose()?.flatten();
        found.ok_or_else(|| Error::new(Code::SCHEMA, "the table has no column of this name that it numbers").with("column", column))
    }
    /// Whether another table state is this one but for the numbers that were given meanwhile.
    pub(crate) fn differs_in_numbers_only(&self, other: &TableState) -> bool {
        let same = Metadata { schema_string: self.metadata().schema_string.clone(), ..other.metadata().clone() };
        same == *self.metadata() && self.protocol() == other.protocol() && without_marks(self.schema()) == without_marks(other.schema())
    }
}

#[cfg(test)]
#[path = "identity_columns_tests.rs"]
mod tests;
