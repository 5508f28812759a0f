//! What of a table's protocol, metadata and domains makes no sense together. Kind: pure. Spec: DOC.
//!
//! Looks at everything and stops at nothing: it also works on tables from which no `TableState` can be made.

use super::column_mapping::field_id;
use super::properties::{self, ALL as PROPERTIES};
use super::resolve::resolve;
use super::versions::close;
use super::{ALL, TableFeature, TableState};
use crate::error::Error;
use crate::expr::Expr;
use crate::log::{DomainMetadata, Metadata, Protocol, Version};
use crate::schema::{DataType, Struct, any_field, any_type, metadata_key};
use std::collections::{BTreeSet, HashSet};

/// A kind of nonsense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Nonsense {
    /// The protocol contradicts itself.
    Protocol,
    /// A feature that this build does not know.
    Unknown,
    /// A feature that is switched on and that the protocol does not list.
    Unlisted,
    /// A feature without one that it needs.
    Requires,
    /// The schema is none.
    Schema,
    /// Columns whose names differ in nothing but case.
    ColumnTwice,
    /// Ids or physical names of columns are missing, or serve two columns.
    Mapping,
    /// The partition columns do not fit the schema.
    Partition,
    /// A property has a value that it does not take.
    Property,
    /// A rule of the table does not parse, or names columns that are not there.
    Rule,
    /// A domain of the protocol does not say what it must.
    Domain,
}

/// Everything that makes no sense: its kind, the object concerned, and what is wrong.
pub(crate) fn diagnose(protocol: &Protocol, metadata: &Metadata, domains: &[DomainMetadata]) -> Vec<(Nonsense, String, String)> {
    let mut found = Vec::new();
    if let Err(e) = resolve(protocol) {
        found.push((Nonsense::Protocol, "protocol".to_owned(), e.message().to_owned()));
    }
    properties(metadata, &mut found);
    let schema = match Struct::from_json(&metadata.schema_string) {
        Ok(schema) => schema,
        Err(e) => {
            found.push((Nonsense::Schema, "schemaString".to_owned(), told(&e)));
            return found;
        }
    };
    let before = found.len();
    columns(&schema, &mut Vec::new(), &mut found);
    partitioning(metadata, &schema, &mut found);
    match TableState::new(protocol.clone(), metadata.clone(), domains.to_vec()) {
        Ok(state) => {
            features(&state, &mut found);
            mapping_marks(&state, &mut found);
            rules(&state, &mut found);
            records(&state, &mut found);
        }
        // What is left when the protocol, the schema and the partitioning are sound.
        Err(e) if found.len() == before && resolve(protocol).is_ok() => {
            found.push((Nonsense::Mapping, "schemaString".to_owned(), told(&e)))
        }
        Err(_) => {}
    }
    found
}

fn told(e: &Error) -> String {
    let objects = e.context().iter().map(|(key, value)| format!("{key}: {value}")).collect::<Vec<_>>().join(", ");
    if objects.is_empty() { e.message().to_owned() } else { format!("{} ({objects})", e.message()) }
}

fn properties(metadata: &Metadata, found: &mut Vec<(Nonsense, String, String)>) {
    for (key, value) in &metadata.configuration {
        let known = PROPERTIES.iter().find(|known| known.key.eq_ignore_ascii_case(key));
        if let Some(Err(e)) = known.map(|known| properties::check(known, value)) {
            found.push((Nonsense::Property, key.clone(), e.message().to_owned()));
        }
    }
}

fn columns(schema: &Struct, path: &mut Vec<String>, found: &mut Vec<(Nonsense, String, String)>) {
    let mut seen = HashSet::new();
    for field in &schema.fields {
        path.push(field.name.clone());
        if !seen.insert(field.name.to_lowercase()) {
            found.push((Nonsense::ColumnTwice, path.join("."), "two columns have this name, in one spelling or in two".to_owned()));
        }
        let mut data_type = &field.data_type;
        while let DataType::Array { element, .. } | DataType::Map { value: element, .. } = data_type {
            data_type = element;
        }
        if let DataType::Struct(inner) = data_type {
            columns(inner, path, found);
        }
        path.pop();
    }
}

fn partitioning(metadata: &Metadata, schema: &Struct, found: &mut Vec<(Nonsense, String, String)>) {
    let mut seen = HashSet::new();
    for name in &metadata.partition_columns {
        let mut wrong = |what: &str| found.push((Nonsense::Partition, name.clone(), what.to_owned()));
        if !seen.insert(name.to_lowercase()) {
            wrong("the column is named twice among the partition columns");
        }
        match schema.field(name).map(|field| &field.data_type) {
            None => wrong("the partition column is not in the schema"),
            Some(DataType::Struct(_) | DataType::Array { .. } | DataType::Map { .. } | DataType::Variant | DataType::Void) => {
                wrong("no value of the partition column's type can be written as text");
            }
            Some(_) => {}
        }
    }
    if !schema.fields.is_empty() && seen.len() == schema.fields.len() {
        found.push((Nonsense::Partition, metadata.partition_columns.join(","), "every column is a partition column".to_owned()));
    }
}

fn features(state: &TableState, found: &mut Vec<(Nonsense, String, String)>) {
    let unknown = state.features().unknown_reader.iter().chain(&state.features().unknown_writer);
    found.extend(unknown.map(|name| (Nonsense::Unknown, name.clone(), "this build does not know the feature".to_owned())));
    for spec in ALL {
        let name = || spec.name.to_owned();
        if !state.is_supported(spec.feature) {
            if spec.active.is_asked(state) {
                found.push((Nonsense::Unlisted, name(), "the feature is switched on, but the protocol does not list it".to_owned()));
            }
            continue;
        }
        // What catalogs ask for beside this one is Spark's wish and not the protocol's.
        let mut needed: BTreeSet<_> = Some(spec.feature).filter(|feature| *feature != TableFeature::CatalogManaged).into_iter().collect();
        close(&mut needed);
        for missing in needed.into_iter().filter(|feature| !state.is_supported(*feature)) {
            let what = format!("the feature needs {}, which the protocol does not list", missing.spec().name);
            found.push((Nonsense::Requires, name(), what));
        }
    }
}

/// The highest id on record must not be below one that a column has.
fn mapping_marks(state: &TableState, found: &mut Vec<(Nonsense, String, String)>) {
    const MAX_ID: &str = "delta.columnMapping.maxColumnId";
    if state.mapping_mode() == super::column_mapping::MappingMode::None {
        return;
    }
    let mut highest = 0;
    any_field(state.schema(), |field| {
        highest = field_id(field).map_or(highest, |id| id.max(highest));
        false
    });
    let recorded = state.property(MAX_ID).and_then(|text| text.trim().parse::<i32>().ok());
    if recorded.is_none_or(|recorded| recorded < highest) {
        let what = format!("a column has the id {highest}, which is above the highest on record: the next column would get it again");
        found.push((Nonsense::Mapping, MAX_ID.to_owned(), what));
    }
}

fn rules(state: &TableState, found: &mut Vec<(Nonsense, String, String)>) {
    let mut texts = Vec::new();
    ALL.iter().filter_map(|spec| spec.hooks.column_rules).for_each(|column_rules| column_rules(state, &mut texts));
    for rule in texts {
        if let Err(e) = Expr::sql(&rule.sql).and_then(|expr| expr.bind_rule(state.schema()).map(drop)) {
            found.push((Nonsense::Rule, rule.name, format!("`{}`: {}", rule.sql, e.message())));
        }
    }
    any_field(state.schema(), |field| {
        let default = field.metadata.get(metadata_key::CURRENT_DEFAULT).and_then(|text| text.as_str());
        if let Some(Err(e)) = default.map(Expr::sql) {
            found.push((Nonsense::Rule, format!("default of {}", field.name), e.message().to_owned()));
        }
        false
    });
    any_type(state.schema(), |data_type| {
        if matches!(data_type, DataType::Unknown(_)) {
            found.push((Nonsense::Unknown, data_type.to_string(), "this build does not know the type".to_owned()));
        }
        false
    });
}

/// What features record outside the schema.
fn records(state: &TableState, found: &mut Vec<(Nonsense, String, String)>) {
    let results = [
        state.clustering_columns().map(drop),
        state.commit_times_since().map(drop),
        if state.is_supported(TableFeature::RowTracking) { state.row_id_high_water_mark().map(drop) } else { Ok(()) },
        if state.keeps_row_ids() { state.stored_row_ids().map(drop) } else { Ok(()) },
    ];
    for e in results.into_iter().filter_map(Result::err) {
        let object = e.context().iter().find(|(key, _)| *key == "domain").map_or("domainMetadata", |(_, name)| name.as_str()).to_owned();
        found.push((Nonsense::Domain, object, told(&e)));
    }
}

impl TableState {
    /// What was given last, where a later commit takes numbers back: of numbered columns and of row ids.
    pub(crate) fn marks_taken_back(&self, after: &TableState) -> Vec<(bool, String, String)> {
        let mut found = Vec::new();
        for field in &after.schema().fields {
            let last =
                |state: &TableState| state.sequence(&field.name).ok().and_then(|(_, sequence)| sequence.last.map(|last| (sequence, last)));
            if let (Some((_, before)), Some((sequence, now))) = (last(self), last(after))
                && sequence.is_beyond(before, now)
            {
                found.push((false, field.name.clone(), format!("the number given last went from {before} to {now}")));
            }
        }
        if let (Ok(before), Ok(now)) = (self.row_id_high_water_mark(), after.row_id_high_water_mark())
            && now < before
            && after.gives_row_ids()
        {
            found.push((true, "delta.rowTracking".to_owned(), format!("the highest row id went from {before} to {now}")));
        }
        found
    }
    /// The highest row id on record, for files whose rows have ids.
    pub(crate) fn highest_row_id(&self) -> Option<i64> {
        self.row_id_high_water_mark().ok().filter(|_| self.is_supported(TableFeature::RowTracking))
    }
    /// The domain that records the highest row id.
    pub(crate) fn row_id_domain(mark: i64) -> DomainMetadata {
        super::row_tracking::high_water_mark(mark)
    }
    /// Whether every live file must say how many rows it has.
    pub(crate) fn needs_record_counts(&self) -> bool {
        use TableFeature::{IcebergCompatV1, IcebergCompatV2, IcebergCompatV3, RowTracking};
        [RowTracking, IcebergCompatV1, IcebergCompatV2, IcebergCompatV3].into_iter().any(|feature| self.is_active(feature))
    }
    /// Whether rows have ids that last, so that every file must have some.
    pub(crate) fn relies_on_row_ids(&self) -> bool {
        self.keeps_row_ids()
    }
    /// Whether checkpoints of the second form, and of names with a UUID, are allowed.
    pub(crate) fn allows_v2_checkpoints(&self) -> bool {
        self.is_supported(TableFeature::V2Checkpoint)
    }
    /// Whether commits must begin with their own time, `version` being the first for which that can be asked.
    pub(crate) fn wants_commit_time(&self, version: Version) -> bool {
        self.commit_times_since().ok().flatten().is_some_and(|(since, _)| since <= version)
    }
}

#[cfg(test)]
#[path = "diagnose_tests.rs"]
mod tests;
