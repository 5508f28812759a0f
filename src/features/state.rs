//! What a table is at one version: protocol, metadata, schema, properties, active features. Kind: pure. Spec: FEA.

use super::column_mapping::{MappingMode, physical_schema};
use super::drafts::WritePlan;
use super::resolve::{FeatureSet, READER_VERSION_MAX, WRITER_VERSION_MAX, resolve};
use super::spec::{Active, Support};
use super::{ALL, TableFeature};
use crate::error::{Code, Error, Result};
use crate::expr::BoundExpr;
use crate::log::{DomainMetadata, Metadata, Protocol};
use crate::schema::{DataType, Struct, any_type, check_text_limits};

/// What a table is at one version. Building it never fails for an unsupported table: `info` must work on it; ask
/// `check_readable` before rows are read and `check_writable` before anything is written.
#[derive(Clone, Debug)]
pub struct TableState {
    protocol: Protocol,
    metadata: Metadata,
    domains: Vec<DomainMetadata>,
    schema: Struct,
    physical_schema: Struct,
    partition_columns: Vec<String>,
    features: FeatureSet,
    mapping: MappingMode,
    by_catalog: bool,
}

impl TableState {
    /// From the newest protocol, metadata and live domains. `LB-SCHEMA` when the schema text is not a schema, `LB-LOG-STATE` when
    /// protocol and features contradict each other.
    pub fn new(protocol: Protocol, metadata: Metadata, domains: Vec<DomainMetadata>) -> Result<TableState> {
        let features = resolve(&protocol)?;
        let schema = Struct::from_json(&metadata.schema_string)?;
        let mut partition_columns = Vec::with_capacity(metadata.partition_columns.len());
        for name in &metadata.partition_columns {
            let field = schema
                .field(name)
                .ok_or_else(|| Error::new(Code::LOG_STATE, "a partition column is not in the schema").with("column", name))?;
            if partition_columns.contains(&field.name) {
                return Err(Error::new(Code::LOG_STATE, "a column is named twice among the partition columns").with("column", name));
            }
            partition_columns.push(field.name.clone());
        }
        let mut state = TableState {
            protocol,
            metadata,
            domains,
            physical_schema: Struct::default(),
            schema,
            partition_columns,
            features,
            mapping: MappingMode::None,
            by_catalog: false,
        };
        if state.is_supported(TableFeature::ColumnMapping) {
            state.mapping = MappingMode::of(&state)?;
        }
        state.physical_schema = physical_schema(&state.schema, state.mapping)?;
        Ok(state)
    }
    /// The same state, when the log that it comes from is one whose commits a catalog ratifies.
    pub(crate) fn reached_by_catalog(mut self, by_catalog: bool) -> TableState {
        self.by_catalog = by_catalog;
        self
    }
    /// The state of the same table, reached in the same way, with other facts. Errors as `new`.
    pub(crate) fn with(&self, protocol: Protocol, metadata: Metadata, domains: Vec<DomainMetadata>) -> Result<TableState> {
        Ok(TableState::new(protocol, metadata, domains)?.reached_by_catalog(self.by_catalog))
    }
    pub(super) fn is_reached_by_catalog(&self) -> bool {
        self.by_catalog
    }
    pub fn protocol(&self) -> &Protocol {
        &self.protocol
    }
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }
    /// Live domains; removed ones are not among them.
    pub fn domains(&self) -> &[DomainMetadata] {
        &self.domains
    }
    /// The live domain of this name.
    pub fn domain(&self, name: &str) -> Option<&DomainMetadata> {
        self.domains.iter().find(|domain| domain.domain == name && !domain.removed)
    }
    /// The logical schema, partition columns included, in column order.
    pub fn schema(&self) -> &Struct {
        &self.schema
    }
    /// The same tree with the names that data files, statistics and partition values use.
    pub fn physical_schema(&self) -> &Struct {
        &self.physical_schema
    }
    /// Logical names of the partition columns, in partition order, in schema spelling.
    pub fn partition_columns(&self) -> &[String] {
        &self.partition_columns
    }
    /// The physical name of a top-level column.
    pub fn physical_name<'a>(&'a self, logical: &str) -> Option<&'a str> {
        self.schema.index_of(logical).map(|i| self.physical_schema.fields[i].name.as_str())
    }
    /// A table property as text (`delta.` keys are matched without regard to case).
    pub fn property(&self, key: &str) -> Option<&str> {
        let exact = self.metadata.configuration.get(key);
        let any_case = || self.properties().find(|(other, _)| is_same_key(key, other)).map(|(_, value)| value);
        exact.map(String::as_str).or_else(any_case)
    }
    /// Every table property.
    pub fn properties(&self) -> impl Iterator<Item = (&str, &str)> {
        self.metadata.configuration.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }
    pub(super) fn is_true(&self, key: &str) -> bool {
        self.property(key).is_some_and(|value| value.trim().eq_ignore_ascii_case("true"))
    }
    pub(super) fn mapping_mode(&self) -> MappingMode {
        self.mapping
    }
    pub(super) fn is_supported(&self, feature: TableFeature) -> bool {
        self.features.supported.contains(&feature)
    }
    /// Whether the feature is supported and switched on.
    pub(super) fn is_active(&self, feature: TableFeature) -> bool {
        let active = &feature.spec().active;
        self.is_supported(feature) && (matches!(active, Active::WhenSupported) || active.is_asked(self))
    }

    /// `LB-FEATURE-READ` naming every reader feature that this build lacks.
    pub fn check_readable(&self) -> Result<()> {
        self.check_known(Code::FEATURE_READ)?;
        let mut missing = self.features.unknown_reader.clone();
        let help = "read the table with a newer lakebed or with the engine that wrote it";
        for spec in self.supported() {
            if !spec.is_readable() {
                missing.push(spec.name.to_owned());
            }
        }
        if !missing.is_empty() {
            return Err(Error::new(Code::FEATURE_READ, "reading the table needs features that this build lacks")
                .with("features", missing.join(", "))
                .help(help));
        }
        self.supported().filter_map(|spec| spec.hooks.check_read).try_for_each(|check| check(self))
    }

    /// `LB-FEATURE-WRITE` naming every active writer feature that this build does not write.
    pub fn check_writable(&self) -> Result<()> {
        self.check_known(Code::FEATURE_WRITE)?;
        if self.protocol.min_writer_version > WRITER_VERSION_MAX {
            return Err(Error::new(Code::FEATURE_WRITE, "the table needs a newer writer version than this build speaks")
                .with("version", self.protocol.min_writer_version)
                .with("known", WRITER_VERSION_MAX)
                .help("use a newer lakebed, or the engine that wrote the table"));
        }
        let mut missing = [self.features.unknown_reader.as_slice(), &self.features.unknown_writer].concat();
        let help = "write the table with the engine that switched them on, or with a newer lakebed";
        for spec in self.supported() {
            if !spec.is_readable() || spec.support != Support::Full && self.is_active(spec.feature) {
                missing.push(spec.name.to_owned());
            }
        }
        if missing.is_empty() {
            return ALL.iter().filter_map(|spec| spec.hooks.check_write).try_for_each(|check| check(self));
        }
        Err(Error::new(Code::FEATURE_WRITE, "writing the table needs features that this build lacks")
            .with("features", missing.join(", "))
            .help(help))
    }

    /// What stops readers and writers alike: the reader version, the format of data files, types.
    fn check_known(&self, code: Code) -> Result<()> {
        if self.protocol.min_reader_version > READER_VERSION_MAX {
            let wanted = self.protocol.min_reader_version;
            let newer =
                Error::new(code, format!("the table needs reader version {wanted}; this build speaks {READER_VERSION_MAX} at most"))
                    .with("version", wanted)
                    .with("known", READER_VERSION_MAX)
                    .help("use a newer lakebed, or the engine that wrote the table");
            let unknown = self.features.unknown_reader.join(", ");
            return Err(if unknown.is_empty() { newer } else { newer.with("features", unknown) });
        }
        if !self.metadata.format.provider.eq_ignore_ascii_case("parquet") {
            return Err(Error::new(code, "the data files of the table are not Parquet").with("provider", &self.metadata.format.provider));
        }
        for field in &self.schema.fields {
            let mut unknown = None;
            any_type(&Struct { fields: vec![field.clone()] }, |data_type| {
                if matches!(data_type, DataType::Unknown(_)) {
                    unknown = Some(data_type.to_string());
                }
                unknown.is_some()
            });
            if let Some(data_type) = unknown {
                return Err(Error::new(code, format!("this build does not know the type {data_type}")).with("column", &field.name));
            }
        }
        Ok(())
    }

    /// Active features, in the order of their hooks.
    pub(super) fn active(&self) -> impl Iterator<Item = &'static super::FeatureSpec> {
        self.supported().filter(|spec| self.is_active(spec.feature))
    }
    pub(super) fn features(&self) -> &FeatureSet {
        &self.features
    }
    /// The names of all features that the table supports, by alphabet.
    pub(crate) fn feature_names(&self) -> Vec<String> {
        let unknown = self.features.unknown_reader.iter().chain(&self.features.unknown_writer).cloned();
        let mut names: Vec<String> = self.supported().map(|spec| spec.name.to_owned()).chain(unknown).collect();
        names.sort();
        names.dedup();
        names
    }
    fn supported(&self) -> impl Iterator<Item = &'static super::FeatureSpec> {
        ALL.iter().filter(|spec| self.is_supported(spec.feature))
    }

    /// What must be done to rows before they are written. `LB-FEATURE-WRITE` for a rule that this build cannot enforce.
    pub(crate) fn write_plan(&self) -> Result<WritePlan> {
        check_text_limits(&self.schema)?;
        let mut plan = WritePlan {
            random_folders: self.is_true("delta.randomizeFilePrefixes"),
            partition_columns: self.writes_partition_columns()?,
            ..WritePlan::default()
        };
        for write_stages in self.active().filter_map(|spec| spec.hooks.write_stages) {
            write_stages(self, &mut plan)?;
        }
        Ok(plan)
    }
}

impl TableState {
    /// The filter with all that it says about partition columns, for choosing files: a row for which `filter` is TRUE fulfils both.
    pub(crate) fn with_implied(&self, filter: BoundExpr) -> BoundExpr {
        let hooks = self.active().filter_map(|spec| spec.hooks.implied_filter);
        let implied = hooks.filter_map(|hook| hook(self, &filter)).filter_map(|expr| expr.bind_rule(&self.schema).ok());
        implied.fold(filter.clone(), |all, one| all.and(&one, &self.schema))
    }
}

/// `delta.` keys are equal in any case, all others only when they are the same.
pub(super) fn is_same_key(a: &str, b: &str) -> bool {
    a == b || a.len() > 6 && a.get(..6).is_some_and(|prefix| prefix.eq_ignore_ascii_case("delta.")) && a.eq_ignore_ascii_case(b)
}

#[cfg(test)]
#[path = "state_tests.rs"]
pub(super) mod tests;
