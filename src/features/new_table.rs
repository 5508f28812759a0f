//! The protocol, metadata and domains of a new table, and of a table that changes. Kind: pure. Spec: FEA, SCH.
//!
//! Invariant: the protocol supports everything that schema, properties and domains switch on, and no more than that and Spark's
//! defaults. Every change of a table's metadata passes through here, so every feature's rules see it.

use super::drafts::TableDraft;
use super::properties::{Requested, request};
use super::state::is_same_key;
use super::versions::{AskedVersions, asked_for, grown_protocol, new_protocol};
use super::{ALL, TableFeature, TableState};
use crate::env::Env;
use crate::error::{Error, Result};
use crate::log::{DomainMetadata, Format, Metadata, Protocol, StringMap};
use crate::schema::{DataType, Field, FieldPath, Struct, check_new_schema, try_map_fields};
use std::sync::Arc;

/// What a user says about a table that is to be made.
#[derive(Clone, Debug, Default)]
pub(crate) struct NewTable {
    pub(crate) schema: Struct,
    pub(crate) partition_columns: Vec<String>,
    /// By which columns files are clustered; `None` when the table is not.
    pub(crate) cluster_by: Option<Vec<FieldPath>>,
    pub(crate) properties: StringMap,
    pub(crate) name: Option<String>,
    pub(crate) description: Option<String>,
    /// Files that are there know columns by the ids of the schema; the highest id that was ever given.
    pub(crate) ids_of_files: Option<i32>,
}

/// What is to change about a table that exists. What is not named stays as it is, byte for byte.
#[derive(Clone, Debug, Default)]
pub(crate) struct TableChange {
    pub(crate) schema: Option<Struct>,
    /// Whether the same commit removes all rows, so that columns may become others.
    pub(crate) replaces_rows: bool,
    pub(crate) partition_columns: Option<Vec<String>>,
    /// Empty for no clustering from now on.
    pub(crate) cluster_by: Option<Vec<FieldPath>>,
    /// Properties to set, as a user spells them.
    pub(crate) set: StringMap,
    /// Properties to drop, in any case; those that the table lacks are left out.
    pub(crate) unset: Vec<String>,
    /// The new comment; the empty text drops it.
    pub(crate) description: Option<String>,
    /// Features to support, active or not.
    pub(crate) features: Vec<TableFeature>,
    pub(crate) domains: Vec<DomainMetadata>,
}

/// A table after a change, and what the commit must say to make it so.
#[derive(Clone, Debug)]
pub(crate) struct ChangedTable {
    pub(crate) state: Arc<TableState>,
    pub(crate) protocol: Option<Protocol>,
    pub(crate) metadata: Option<Metadata>,
    pub(crate) domains: Vec<DomainMetadata>,
}

/// A table at its first version. `LB-SCHEMA` for a schema that cannot be stored, `LB-PROPERTY` for a property that no engine
/// understands, `LB-FEATURE-WRITE` when something asked for is not built.
pub(crate) fn new_table(new: NewTable, env: &Env) -> Result<TableState> {
    let Requested { properties, features, versions } = request(&new.properties)?;
    let mut draft = TableDraft {
        schema: new.schema,
        partition_columns: new.partition_columns,
        properties,
        cluster_by: new.cluster_by,
        domains: Vec::new(),
        is_new: new.ids_of_files.is_none(),
        replaces_rows: false,
        before: None,
        env,
    };
    if let Some(highest) = new.ids_of_files {
        super::column_mapping::keep_ids(&mut draft, highest)?;
    }
    draft.partition_columns = check_schema(&draft)?;
    shape(&mut draft)?;
    let metadata = Metadata {
        id: env.new_uuid().to_string(),
        name: new.name,
        description: new.description,
        format: Format { provider: "parquet".to_owned(), options: StringMap::new() },
        schema_string: draft.schema.to_json(),
        partition_columns: draft.partition_columns,
        configuration: draft.properties,
        created_time: Some(env.now().millis()),
    };
    // Every feature is off under (1, 1), so only what metadata and domains ask for is seen.
    let plain = Protocol { min_reader_version: 1, min_writer_version: 1, reader_features: None, writer_features: None };
    let mut asked = asked_for(&TableState::new(plain, metadata.clone(), draft.domains.clone())?);
    asked.extend(features);
    asked.extend((!draft.domains.is_empty()).then_some(TableFeature::DomainMetadata));
    let state = TableState::new(new_protocol(asked, versions)?, metadata, draft.domains)?;
    check(None, &state)?;
    Ok(state)
}

impl TableChange {
    /// The table after this change. Errors as `new_table`; `LB-INPUT` for a change that a feature forbids.
    pub(crate) fn apply(self, before: &TableState, env: &Env) -> Result<ChangedTable> {
        let old = before.metadata();
        let mut draft = TableDraft {
            schema: self.schema.unwrap_or_else(|| before.schema().clone()),
            partition_columns: self.partition_columns.unwrap_or_else(|| before.partition_columns().to_vec()),
            properties: old.configuration.clone(),
            cluster_by: self.cluster_by,
            domains: self.domains,
            is_new: false,
            replaces_rows: self.replaces_rows,
            before: Some(before),
            env,
        };
        let Requested { properties, mut features, versions } = request(&self.set)?;
        for (key, value) in properties {
            draft.set_property(&key, value);
        }
        for key in &self.unset {
            draft.unset_property(key);
        }
        // A schema that another engine made is kept as it is.
        if draft.schema != *before.schema() || draft.partition_columns != before.partition_columns() {
            draft.partition_columns = check_schema(&draft)?;
        }
        shape(&mut draft)?;
        let same_schema = draft.schema == *before.schema();
        let same_partitions = draft.partition_columns == before.partition_columns();
        let metadata = Metadata {
            schema_string: if same_schema { old.schema_string.clone() } else { draft.schema.to_json() },
            partition_columns: if same_partitions { old.partition_columns.clone() } else { draft.partition_columns },
            configuration: draft.properties,
            description: self.description.map_or_else(|| old.description.clone(), |text| Some(text).filter(|text| !text.is_empty())),
            ..old.clone()
        };
        let domains = draft.domains;
        let live = live_domains(before, &domains);
        let mut asked = asked_for(&before.with(before.protocol().clone(), metadata.clone(), live.clone())?);
        features.extend(self.features);
        asked.extend(features);
        asked.extend((!domains.is_empty()).then_some(TableFeature::DomainMetadata));
        let protocol = grown_protocol(before, &asked, versions)?;
        let state = before.with(protocol.clone().unwrap_or_else(|| before.protocol().clone()), metadata.clone(), live)?;
        check(Some(before), &state)?;
        let metadata = (metadata != *old).then_some(metadata);
        Ok(ChangedTable { state: Arc::new(state), protocol, metadata, domains })
    }
}

impl ChangedTable {
    /// Whether there is nothing to commit.
    pub(crate) fn is_same(&self) -> bool {
        self.protocol.is_none() && self.metadata.is_none() && self.domains.is_empty()
    }
}

/// A table whose columns, partitioning, comment and properties are replaced, and the protocol when that must grow: it never shrinks,
/// because older versions stay readable. The id stays, and domains do. Errors as `new_table`.
pub(crate) fn replaced_table(before: &TableState, new: NewTable, env: &Env) -> Result<ChangedTable> {
    before.check_writable()?;
    // A table that was clustered says that it is no more.
    let cluster_by = new.cluster_by.clone().or(before.clustering_columns()?.map(|_| Vec::new()));
    let new = new_table(NewTable { cluster_by, ..new }, env)?;
    let old = before.metadata();
    let name = new.metadata().name.clone().or_else(|| old.name.clone());
    let metadata = Metadata { id: old.id.clone(), name, ..new.metadata().clone() };
    let domains = new.domains().to_vec();
    let protocol = grown_protocol(before, &asked_for(&new), AskedVersions::default())?;
    let after = protocol.clone().unwrap_or_else(|| before.protocol().clone());
    let state = before.with(after, metadata.clone(), live_domains(before, &domains))?;
    state.check_writable()?;
    Ok(ChangedTable { state: Arc::new(state), protocol, metadata: Some(metadata), domains })
}

/// Whether a table of these columns could be given these properties. `LB-PROPERTY` and `LB-FEATURE-WRITE` as `new_table`.
pub(crate) fn check_properties(properties: &StringMap, columns: &Struct, env: &Env) -> Result<()> {
    // Only names and types count; what the columns' own metadata asks for is another matter.
    let plain = &mut |field: &Field| Ok::<_, Error>(Field::new(&field.name, DataType::Void, field.nullable));
    let schema = try_map_fields(columns, plain)?;
    new_table(NewTable { schema, properties: properties.clone(), ..NewTable::default() }, env).map(|_| ())
}

impl TableDraft<'_> {
    /// A property, `delta.` keys in any case.
    pub(super) fn property(&self, key: &str) -> Option<&str> {
        self.properties.iter().find(|(other, _)| is_same_key(key, other)).map(|(_, value)| value.as_str())
    }
    pub(super) fn set_property(&mut self, key: &str, value: String) {
        self.unset_property(key);
        self.properties.insert(key.to_owned(), value);
    }
    pub(super) fn unset_property(&mut self, key: &str) {
        self.properties.retain(|other, _| !is_same_key(key, other));
    }
}

/// Checks the schema; gives the partition columns in schema spelling.
fn check_schema(draft: &TableDraft<'_>) -> Result<Vec<String>> {
    check_new_schema(&draft.schema, &draft.partition_columns, super::column_mapping::frees_names(draft)?)
}

/// Lets every feature complete schema, properties and domains.
fn shape(draft: &mut TableDraft<'_>) -> Result<()> {
    ALL.iter().filter_map(|spec| spec.hooks.shape_table).try_for_each(|shape_table| shape_table(draft))
}

/// Lets every feature refuse what it does not allow.
pub(super) fn check(before: Option<&TableState>, after: &TableState) -> Result<()> {
    after.check_writable()?;
    ALL.iter().filter_map(|spec| spec.hooks.check_table).try_for_each(|check_table| check_table(before, after))
}

/// The live domains after `changes`.
pub(super) fn live_domains(before: &TableState, changes: &[DomainMetadata]) -> Vec<DomainMetadata> {
    let kept = before.domains().iter().filter(|old| changes.iter().all(|new| new.domain != old.domain));
    kept.chain(changes.iter().filter(|new| !new.removed)).cloned().collect()
}

#[cfg(test)]
#[path = "new_table_tests.rs"]
mod tests;
