//! The protocol and metadata of a new table, and of a table whose schema changes. Kind: pure. Spec: FEA, SCH.
//!
//! Invariant: the protocol supports everything that schema and properties switch on, and no more than that and Spark's defaults.

use super::drafts::TableDraft;
use super::properties::{Requested, request};
use super::resolve::{FeatureSet, READER_VERSION_MAX, WRITER_VERSION_MAX, implied, resolve};
use super::spec::Scope;
use super::state::is_same_key;
use super::{ALL, TableFeature, TableState};
use crate::env::Env;
use crate::error::{Code, Error, Result};
use crate::log::{Format, Metadata, Protocol, StringMap};
use crate::schema::{DataType, Field, Struct, check_new_schema, try_map_fields};
use std::collections::BTreeSet;

/// What a user says about a table that is to be made.
#[derive(Clone, Debug, Default)]
pub(crate) struct NewTable {
    pub(crate) schema: Struct,
    pub(crate) partition_columns: Vec<String>,
    pub(crate) properties: StringMap,
    pub(crate) name: Option<String>,
    pub(crate) description: Option<String>,
}

/// The first protocol and metadata of a table. `LB-SCHEMA` for a schema that cannot be stored, `LB-PROPERTY` for a property that no
/// engine understands, `LB-FEATURE-WRITE` when something asked for is not built.
pub(crate) fn new_table(new: NewTable, env: &Env) -> Result<(Protocol, Metadata)> {
    let requested = request(&new.properties)?;
    let mut draft = TableDraft {
        schema: new.schema,
        partition_columns: &new.partition_columns,
        properties: requested.properties.clone(),
        is_new: true,
        env,
    };
    let partition_columns = shape(&mut draft, &new.partition_columns)?;
    let metadata = Metadata {
        id: env.new_uuid().to_string(),
        name: new.name,
        description: new.description,
        format: Format { provider: "parquet".to_owned(), options: StringMap::new() },
        schema_string: draft.schema.to_json(),
        partition_columns,
        configuration: draft.properties,
        created_time: Some(env.now().millis()),
    };
    let protocol = new_protocol(&metadata, &requested)?;
    TableState::new(protocol.clone(), metadata.clone(), Vec::new())?.check_writable()?;
    Ok((protocol, metadata))
}

/// The metadata of a table under another schema and partitioning, with the protocol when that must grow. Errors as `new_table`.
pub(crate) fn change_table(
    state: &TableState,
    schema: Struct,
    partition_columns: &[String],
    env: &Env,
) -> Result<(Option<Protocol>, Metadata)> {
    let mut draft = TableDraft { schema, partition_columns, properties: state.metadata().configuration.clone(), is_new: false, env };
    let partition_columns = shape(&mut draft, partition_columns)?;
    let metadata =
        Metadata { schema_string: draft.schema.to_json(), partition_columns, configuration: draft.properties, ..state.metadata().clone() };
    let asked = asked_for(&TableState::new(state.protocol().clone(), metadata.clone(), state.domains().to_vec())?);
    let protocol = grown_protocol(state.protocol(), state.features(), &asked);
    let after = protocol.clone().unwrap_or_else(|| state.protocol().clone());
    TableState::new(after, metadata.clone(), state.domains().to_vec())?.check_writable()?;
    Ok((protocol, metadata))
}

/// A table whose columns, partitioning, comment and properties are replaced, and the protocol when that must grow: it never shrinks,
/// because older versions stay readable. The id stays, and domains do. Errors as `new_table`.
pub(crate) fn replaced_table(before: &TableState, new: NewTable, env: &Env) -> Result<(TableState, Option<Protocol>)> {
    before.check_writable()?;
    let (protocol, metadata) = new_table(new, env)?;
    let asked = asked_for(&TableState::new(protocol, metadata.clone(), Vec::new())?);
    let protocol = grown_protocol(before.protocol(), before.features(), &asked);
    let old = before.metadata();
    let metadata = Metadata { id: old.id.clone(), name: metadata.name.or_else(|| old.name.clone()), ..metadata };
    let after = protocol.clone().unwrap_or_else(|| before.protocol().clone());
    let state = TableState::new(after, metadata, before.domains().to_vec())?;
    state.check_writable()?;
    Ok((state, protocol))
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
        self.properties.retain(|other, _| !is_same_key(key, other));
        self.properties.insert(key.to_owned(), value);
    }
}

/// Checks and completes the schema; gives the partition columns in schema spelling.
fn shape(draft: &mut TableDraft<'_>, partition_columns: &[String]) -> Result<Vec<String>> {
    let partition_columns = check_new_schema(&draft.schema, partition_columns, super::column_mapping::frees_names(draft)?)?;
    ALL.iter().filter_map(|spec| spec.hooks.shape_table).try_for_each(|shape_table| shape_table(draft))?;
    Ok(partition_columns)
}

/// What the schema and the properties switch on, with all that this requires.
fn asked_for(state: &TableState) -> BTreeSet<TableFeature> {
    let mut asked: BTreeSet<TableFeature> = ALL.iter().filter(|spec| spec.active.is_asked(state)).map(|spec| spec.feature).collect();
    close(&mut asked);
    asked
}

fn close(features: &mut BTreeSet<TableFeature>) {
    let mut open: Vec<TableFeature> = features.iter().copied().collect();
    while let Some(feature) = open.pop() {
        open.extend(feature.spec().requires.iter().filter(|required| features.insert(**required)));
    }
}

fn new_protocol(metadata: &Metadata, requested: &Requested) -> Result<Protocol> {
    // Every feature is off under (1, 1), so only what metadata asks for is seen.
    let plain = Protocol { min_reader_version: 1, min_writer_version: 1, reader_features: None, writer_features: None };
    let mut features = asked_for(&TableState::new(plain, metadata.clone(), Vec::new())?);
    features.extend(&requested.features);
    close(&mut features);
    let (reader, writer) = (requested.min_reader_version.unwrap_or(1), requested.min_writer_version.unwrap_or(2));
    if reader == READER_VERSION_MAX && requested.min_writer_version.is_some_and(|writer| writer != WRITER_VERSION_MAX) {
        return Err(Error::new(Code::PROPERTY, "reader version 3 needs writer version 7").with("property", "delta.minReaderVersion"));
    }
    // What writer 2 implies is what Spark lists for every table, too.
    features.extend(implied(reader.min(2), writer.clamp(2, 6)).filter(|feature| writer < WRITER_VERSION_MAX || is_default(*feature)));
    if reader < READER_VERSION_MAX && writer < WRITER_VERSION_MAX {
        for (reader, writer) in [(1, 2), (1, 3), (1, 4), (2, 5), (2, 6)] {
            if implied(reader, writer).collect::<BTreeSet<_>>() == features {
                return Ok(Protocol {
                    min_reader_version: reader,
                    min_writer_version: writer,
                    reader_features: None,
                    writer_features: None,
                });
            }
        }
    }
    Ok(listed(features.iter().map(|feature| feature.spec().name.to_owned()).collect(), reader, &features))
}

fn is_default(feature: TableFeature) -> bool {
    implied(1, 2).any(|default| default == feature)
}

/// The protocol that lists `names`; `at_least` is the reader version that it must have.
fn listed(names: Vec<String>, at_least: i32, features: &BTreeSet<TableFeature>) -> Protocol {
    let reader = features
        .iter()
        .map(|feature| feature.spec())
        .filter(|spec| spec.scope == Scope::ReaderWriter)
        .map(|spec| spec.legacy.and_then(|legacy| legacy.reader).unwrap_or(READER_VERSION_MAX))
        .fold(at_least, i32::max);
    let for_readers = |name: &&String| TableFeature::named(name).is_some_and(|feature| feature.spec().scope == Scope::ReaderWriter);
    Protocol {
        min_reader_version: reader,
        min_writer_version: WRITER_VERSION_MAX,
        reader_features: (reader == READER_VERSION_MAX).then(|| names.iter().filter(for_readers).cloned().collect()),
        writer_features: Some(names),
    }
}

/// The protocol with features added; `None` when it supports them already. Names that are listed stay as they are spelled.
fn grown_protocol(protocol: &Protocol, has: &FeatureSet, asked: &BTreeSet<TableFeature>) -> Option<Protocol> {
    let missing: Vec<TableFeature> = asked.difference(&has.supported).copied().collect();
    if missing.is_empty() {
        return None;
    }
    let mut names = protocol.writer_features.clone().unwrap_or_default();
    // What the old versions implied must be listed from now on.
    for feature in has.supported.iter().chain(&missing) {
        if !names.iter().any(|name| feature.spec().is_named(name)) {
            names.push(feature.spec().name.to_owned());
        }
    }
    let features = has.supported.union(asked).copied().collect();
    let mut grown = listed(names, protocol.min_reader_version, &features);
    for name in &has.unknown_reader {
        grown.reader_features.get_or_insert_default().push(name.clone());
    }
    debug_assert!(resolve(&grown).is_ok());
    Some(grown)
}

#[cfg(test)]
#[path = "new_table_tests.rs"]
mod tests;
