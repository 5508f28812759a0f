//! Column mapping: columns have ids and physical names that outlive their logical names. Kind: pure. Spec: CM.
//!
//! Everything below the schema (files, statistics, partition values) knows physical names only. Invariant: ids and physical names
//! are unique, and the highest id ever given is recorded.

use super::drafts::{TableDraft, WritePlan};
use super::spec::{Active, FeatureSpec, Hooks, LegacyVersions, Scope, Support};
use super::{Downgrade, TableFeature, TableState};
use crate::error::{Code, Error, Result};
use crate::log::Action;
use crate::schema::{ColumnNames, DataType, Field, Struct, any_field, any_type, metadata_key, try_map_fields};
use std::collections::HashSet;

pub(super) const SPEC: FeatureSpec = FeatureSpec {
    feature: TableFeature::ColumnMapping,
    name: "columnMapping",
    aliases: &[],
    scope: Scope::ReaderWriter,
    legacy: Some(LegacyVersions { reader: Some(2), writer: 5 }),
    requires: &[],
    active: Active::When(|state| MappingMode::parse(state.property(MODE)).is_ok_and(|mode| mode != MappingMode::None)),
    support: Support::Full,
    joins_quietly: true,
    hooks: Hooks {
        shape_table: Some(shape_table),
        check_table: Some(check_table),
        downgrade: Some(DOWNGRADE),
        write_stages: Some(write_stages),
        ..Hooks::NONE
    },
};

const MODE: &str = "delta.columnMapping.mode";
const MAX_ID: &str = "delta.columnMapping.maxColumnId";

/// How columns of data files are found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum MappingMode {
    #[default]
    None,
    Id,
    Name,
}

const DOWNGRADE: Downgrade = Downgrade {
    check: Some(|state| match state.mapping_mode() {
        MappingMode::None => Ok(()),
        _ => Err(Error::new(Code::FEATURE_WRITE, "the files of the table use physical names, so the feature cannot be dropped")
            .with("features", SPEC.name)
            .help("copy the rows into a table without mapping")),
    }),
    unset: &[MODE],
    leftovers: &[MAX_ID],
    column_keys: &[metadata_key::MAPPING_ID, metadata_key::MAPPING_NAME, metadata_key::MAPPING_NESTED_IDS],
    is_trace: Some(|action| matches!(action, Action::Metadata(metadata) if metadata.schema_string.contains(metadata_key::MAPPING_NAME))),
    ..Downgrade::NONE
};

impl MappingMode {
    /// The mode of a table on which the feature is supported.
    pub(super) fn of(state: &TableState) -> Result<MappingMode> {
        MappingMode::parse(state.property(MODE))
    }
    fn word(self) -> &'static str {
        match self {
            MappingMode::None => "none",
            MappingMode::Id => "id",
            MappingMode::Name => "name",
        }
    }
    /// The mode that a property asks for. `LB-PROPERTY` for another word.
    pub(super) fn parse(text: Option<&str>) -> Result<MappingMode> {
        match text.map(str::to_ascii_lowercase).as_deref() {
            None | Some("none") => Ok(MappingMode::None),
            Some("id") => Ok(MappingMode::Id),
            Some("name") => Ok(MappingMode::Name),
            Some(other) => Err(Error::new(Code::PROPERTY, format!("`{MODE}` must be none, id or name, found `{other}`"))),
        }
    }
}

/// The tree with physical names. `LB-LOG-STATE` when a field lacks its id or name, or shares it with another.
pub(super) fn physical_schema(schema: &Struct, mode: MappingMode) -> Result<Struct> {
    if mode == MappingMode::None {
        return Ok(schema.clone());
    }
    let mut ids = HashSet::new();
    let physical = try_map_fields(schema, &mut |field| {
        let broken =
            |what: &str| Error::new(Code::LOG_STATE, format!("column mapping is on, but the column {what}")).with("column", &field.name);
        let name = field.metadata.get(metadata_key::MAPPING_NAME).and_then(|v| v.as_str()).filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| broken("has no physical name"))?;
        let id = field_id(field).ok_or_else(|| broken("has no id"))?;
        if !ids.insert(id) {
            return Err(broken("has an id that another column has too").with("id", id));
        }
        Ok(Field { name: name.to_owned(), ..field.clone() })
    })?;
    let mut twice = None;
    let mut check = |fields: &Struct| {
        let mut names = HashSet::new();
        twice =
            twice.take().or_else(|| fields.fields.iter().find(|field| !names.insert(field.name.clone())).map(|field| field.name.clone()));
    };
    check(&physical);
    any_type(&physical, |data_type| {
        if let DataType::Struct(fields) = data_type {
            check(fields);
        }
        false
    });
    match twice {
        Some(name) => Err(Error::new(Code::LOG_STATE, "two columns have the same physical name").with("column", name)),
        None => Ok(physical),
    }
}

/// The name that files use for a field.
pub(super) fn physical_name(field: &Field, mode: MappingMode) -> &str {
    let mapped = || field.metadata.get(metadata_key::MAPPING_NAME).and_then(|name| name.as_str());
    Some(mode).filter(|mode| *mode != MappingMode::None).and_then(|_| mapped()).unwrap_or(&field.name)
}

/// The id of a mapped field.
pub(super) fn field_id(field: &Field) -> Option<i32> {
    field.metadata.get(metadata_key::MAPPING_ID)?.as_i64().and_then(|id| i32::try_from(id).ok())
}

/// The field that was `field` before: the one of its id, else the one of its name.
pub(super) fn same_column<'a>(before: &'a Struct, field: &Field) -> Option<&'a Field> {
    match field.metadata.get(metadata_key::MAPPING_ID) {
        Some(id) if before.fields.iter().any(|old| old.metadata.contains_key(metadata_key::MAPPING_ID)) => {
            before.fields.iter().find(|old| old.metadata.get(metadata_key::MAPPING_ID) == Some(id))
        }
        _ => before.field(&field.name),
    }
}

/// Files carry ids in every mode; folders must not show partition values, whose columns may be renamed.
fn write_stages(_: &TableState, plan: &mut WritePlan) -> Result<()> {
    plan.field_id = Some(field_id);
    plan.random_folders = true;
    Ok(())
}

/// The mode that a table will have.
pub(super) fn mode_of(draft: &TableDraft<'_>) -> Result<MappingMode> {
    MappingMode::parse(draft.property(MODE))
}

/// Whether files of the table will use other names than the schema.
pub(super) fn frees_names(draft: &TableDraft<'_>) -> Result<ColumnNames> {
    Ok(if MappingMode::parse(draft.property(MODE))? == MappingMode::None { ColumnNames::Plain } else { ColumnNames::Free })
}

/// Gives every field that lacks them an id and a physical name, and records the highest id.
pub(super) fn shape_table(draft: &mut TableDraft<'_>) -> Result<()> {
    if MappingMode::parse(draft.property(MODE))? == MappingMode::None {
        return Ok(());
    }
    if draft.is_new {
        // Ids and names that come with a schema belong to the table that it was taken from.
        draft.schema = try_map_fields(&draft.schema, &mut |field| {
            let mut field = field.clone();
            for key in [metadata_key::MAPPING_ID, metadata_key::MAPPING_NAME, metadata_key::MAPPING_NESTED_IDS] {
                field.metadata.remove(key);
            }
            Ok::<_, Error>(field)
        })?;
    }
    let was_mapped = draft.before.is_none_or(|before| before.mapping_mode() != MappingMode::None);
    if !was_mapped {
        // Files that are there use the names of the columns; whatever ids the schema brought along mean nothing to them.
        draft.schema = try_map_fields(&draft.schema, &mut |field| {
            let mut field = field.clone();
            field.metadata.shift_remove(metadata_key::MAPPING_ID);
            field.metadata.insert(metadata_key::MAPPING_NAME.to_owned(), field.name.clone().into());
            Ok::<_, Error>(field)
        })?;
    }
    let mut highest = highest_id(draft);
    let env = draft.env;
    draft.schema = try_map_fields(&draft.schema, &mut |field| {
        let mut field = field.clone();
        if field_id(&field).is_none() {
            highest = highest.checked_add(1).ok_or_else(|| Error::new(Code::LIMIT, "the table has used up its column ids"))?;
            field.metadata.insert(metadata_key::MAPPING_ID.to_owned(), highest.into());
        }
        if !field.metadata.contains_key(metadata_key::MAPPING_NAME) {
            field.metadata.insert(metadata_key::MAPPING_NAME.to_owned(), format!("col-{}", env.new_uuid()).into());
        }
        Ok::<_, Error>(field)
    })?;
    set_highest_id(draft, highest);
    Ok(())
}

/// The highest id that a column, element, key or value of the table has or had.
pub(super) fn highest_id(draft: &TableDraft<'_>) -> i32 {
    let mut highest = draft.property(MAX_ID).and_then(|text| text.parse::<i32>().ok()).unwrap_or(0);
    any_field(&draft.schema, |field| {
        let nested = field.metadata.get(metadata_key::MAPPING_NESTED_IDS).and_then(|ids| ids.as_object());
        let nested = nested.into_iter().flat_map(|ids| ids.values()).filter_map(|id| id.as_i64().and_then(|id| i32::try_from(id).ok()));
        highest = nested.chain(field_id(field)).fold(highest, i32::max);
        false
    });
    highest
}

pub(super) fn set_highest_id(draft: &mut TableDraft<'_>, highest: i32) {
    draft.set_property(MAX_ID, highest.to_string());
}

/// A new table over files that know columns by the ids of its schema.
pub(super) fn keep_ids(draft: &mut TableDraft<'_>, highest: i32) -> Result<()> {
    if let Some(mode) = draft.property(MODE).filter(|mode| !mode.eq_ignore_ascii_case(MappingMode::Id.word())) {
        return Err(
            Error::new(Code::PROPERTY, format!("`{MODE}` cannot be {mode}: the files know columns by id")).help("leave the property out")
        );
    }
    draft.set_property(MODE, MappingMode::Id.word().to_owned());
    set_highest_id(draft, highest);
    Ok(())
}

/// How files name columns is settled when the table is made; names may be taken up later.
fn check_table(before: Option<&TableState>, after: &TableState) -> Result<()> {
    let Some(before) = before else { return Ok(()) };
    let (from, to) = (before.mapping_mode(), after.mapping_mode());
    if from == to || (from, to) == (MappingMode::None, MappingMode::Name) {
        return Ok(());
    }
    let error = Error::new(Code::PROPERTY, format!("`{MODE}` cannot change from {} to {}", from.word(), to.word()));
    Err(error.help(match to {
        MappingMode::Id => "columns are mapped by id only in tables that are made so; `name` may be set",
        _ => "files of the table use the physical names; copy the rows into a table without mapping",
    }))
}

/// The fields without what mapping says about them.
fn without_mapping(schema: &Struct) -> Option<Struct> {
    let strip = |field: &Field| {
        let mut field = field.clone();
        field.metadata.retain(|key, _| !DOWNGRADE.column_keys.contains(&key.as_str()));
        Ok::<_, Error>(field)
    };
    try_map_fields(schema, &mut { strip }).ok()
}

impl TableState {
    /// Whether the schema of `after` is this one, where columns got the names that they have in files already: files that were written
    /// for this state mean the same there.
    pub(super) fn takes_up_names_only(&self, after: &TableState) -> bool {
        let ours = without_mapping(self.schema());
        (self.mapping_mode(), after.mapping_mode()) == (MappingMode::None, MappingMode::Name)
            && ours.is_some()
            && without_mapping(after.schema()) == ours
            && without_mapping(after.physical_schema()) == ours
    }
    /// Refuses to rename or drop columns while files use their names. `LB-SCHEMA`.
    pub(crate) fn check_renames(&self) -> Result<()> {
        if self.mapping_mode() != MappingMode::None {
            return Ok(());
        }
        Err(Error::new(Code::SCHEMA, "columns can be renamed or dropped only in a table that maps them")
            .help(format!("set the table property `{MODE}` to `name` first; no file is rewritten")))
    }
    /// The Parquet field id by which a column of data files is found, when the table maps columns by id; else `None`.
    pub fn field_id(&self, physical: &Field) -> Option<i32> {
        if self.mapping_mode() == MappingMode::Id { field_id(physical) } else { None }
    }
}

#[cfg(test)]
#[path = "column_mapping_tests.rs"]
mod tests;
