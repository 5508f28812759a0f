//! Makes a table of Parquet files that lie in a folder, where they lie: of all of them, or of those of an Iceberg table. Kind: edge. Spec: CVT, ICV.
//!
//! Invariant: no file is written but the log; every file of the folder that is not hidden, or every file of the Iceberg table's newest
//! snapshot, is in the table, or nothing is committed.

mod folder;
mod iceberg;
mod schema;

use super::plan::Plan;
use super::{Report, already_exists, json_text, newest, since};
use crate::data::scan::footer;
use crate::data::write::footer_stats;
use crate::error::{Code, Error, Result};
use crate::features::{NewTable, TableState, new_table};
use crate::log::read::parallel_reads;
use crate::log::{Add, DomainMetadata, Metadata, Protocol, StringMap};
use crate::schema::Struct;
use crate::storage::{Meter, Requests, failure};
use crate::table::Table;
use crate::transaction::{CommitOutcome, OperationInfo};
use folder::{Found, found};
use futures::{StreamExt, TryStreamExt, stream};
use object_store::ObjectMeta;
use parquet::file::metadata::ParquetMetaData;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::sync::Arc;

const NAME: &str = "CONVERT";

/// What a folder holds that becomes a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ConvertSource {
    /// An Iceberg table where there is metadata of one (`metadata/*.metadata.json`), else Parquet files.
    #[default]
    Any,
    Parquet,
    Iceberg,
}

/// Makes a table of the Parquet files of a folder, or of an Iceberg table.
pub struct Convert {
    table: Table,
    meter: Meter,
    source: ConvertSource,
    partitions: Struct,
    statistics: bool,
    properties: StringMap,
}

/// What converting will do: files that the table names, under `add`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConvertPlan {
    summary: Plan,
    protocol: Protocol,
    metadata: Metadata,
    domains: Vec<DomainMetadata>,
    adds: Vec<Add>,
    statistics: bool,
    source_format: String,
    warnings: Vec<String>,
}

/// What the files of a folder become.
struct Converted {
    state: Arc<TableState>,
    adds: Vec<Add>,
    warnings: Vec<String>,
    format: &'static str,
}

impl ConvertPlan {
    /// Objects, bytes and requests; those that planning itself has made are among them.
    pub fn summary(&self) -> &Plan {
        &self.summary
    }
    /// What the table will not have of what it is made of.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

impl Table {
    /// Starts making a table of the Parquet files that lie here, or of the Iceberg table.
    pub fn convert(&self) -> Convert {
        let (table, meter) = self.metered();
        Convert { table, meter, source: ConvertSource::Any, partitions: Struct::default(), statistics: true, properties: StringMap::new() }
    }
}

impl Convert {
    /// What the folder must hold.
    pub fn from(mut self, source: ConvertSource) -> Self {
        self.source = source;
        self
    }
    /// The partition columns, in the order of the folders (`day=2026-01-01/`); one that is NOT NULL must have a value everywhere.
    pub fn partition_schema(mut self, columns: Struct) -> Self {
        self.partitions = columns;
        self
    }
    /// Leaves statistics out: footers are still read for the columns.
    pub fn no_statistics(mut self) -> Self {
        self.statistics = false;
        self
    }
    /// Sets a property of the table.
    pub fn property(mut self, key: &str, value: &str) -> Self {
        self.properties.insert(key.to_owned(), value.to_owned());
        self
    }
    /// What the table will be: the folder is listed and every footer read, nothing is written. Errors, requests and memory as `run`.
    pub async fn plan(&self) -> Result<ConvertPlan> {
        if newest(&self.table).await?.is_some() {
            return Err(already_exists(&self.table));
        }
        let Converted { state, adds, warnings, format } = self.converted().await?;
        let mut summary = Plan::new(NAME, None);
        for add in &adds {
            summary.file("add", &add.path, add.size);
        }
        let seen = self.meter.spent();
        summary.requests = Requests { put: 1, ..seen.requests };
        summary.bytes_read = seen.bytes_read;
        Ok(ConvertPlan {
            summary,
            protocol: state.protocol().clone(),
            metadata: state.metadata().clone(),
            domains: state.domains().to_vec(),
            adds,
            statistics: self.statistics,
            source_format: format.to_owned(),
            warnings,
        })
    }
    async fn converted(&self) -> Result<Converted> {
        match (iceberg::newest(&self.table).await?, self.source) {
            (Some(newest), ConvertSource::Any | ConvertSource::Iceberg) => iceberg::plan(self, &newest).await,
            (Some(newest), ConvertSource::Parquet) => {
                Err(Error::new(Code::INPUT, "the folder holds an Iceberg table, whose files are not all of one version")
                    .with("path", newest)
                    .help("convert it as an Iceberg table, or move its metadata away"))
            }
            (None, ConvertSource::Iceberg) => {
                Err(Error::new(Code::TABLE, "there is no Iceberg table: no metadata/*.metadata.json")
                    .with("location", self.table.root().url()))
            }
            (None, ConvertSource::Any | ConvertSource::Parquet) => {
                let files = self.files().await?;
                let state = self.state(&files).await?;
                let adds = self.adds(files, &state).await?;
                Ok(Converted { state, adds, warnings: Vec::new(), format: "parquet" })
            }
        }
    }
    /// Commits what a plan says, without looking at the files again. `LB-TABLE-EXISTS` when there is a log meanwhile.
    pub async fn execute(self, plan: ConvertPlan) -> Result<Report> {
        let started = self.table.env().now();
        self.table.root().check_writable().await?;
        let state = TableState::new(plan.protocol, plan.metadata, plan.domains)?;
        state.check_writable()?;
        let parameters = Map::from_iter([
            ("numFiles".to_owned(), plan.adds.len().into()),
            ("partitionedBy".to_owned(), json_text(state.partition_columns())),
            ("collectStats".to_owned(), plan.statistics.into()),
            ("sourceFormat".to_owned(), plan.source_format.into()),
        ]);
        let metrics: Map<String, Value> = Map::from_iter([("numConvertedFiles".to_owned(), plan.adds.len().into())]);
        let info = OperationInfo { operation: NAME.to_owned(), parameters, metrics: metrics.clone(), ..OperationInfo::default() };
        let mut transaction = self.table.begin_create(Arc::new(state), info);
        for add in plan.adds {
            transaction.add(add);
        }
        let done = match transaction.commit().await? {
            CommitOutcome::Committed(done) => done,
            CommitOutcome::Conflicted(_) => return Err(already_exists(&self.table)),
        };
        let mut report = Report::committed(NAME, done, metrics, self.table.env(), started);
        report.warnings.extend(plan.warnings);
        let actual = plan.summary.clone().metered(self.meter.spent());
        Ok(Report { planned: Some(plan.summary), actual: Some(actual), ..report })
    }
    /// Commits version 0: all files with the union of their columns, nullable, then the partition columns. Statistics come from the
    /// footers.
    ///
    /// `LB-TABLE-EXISTS` when there is a log, `LB-TABLE` when there is no file, `LB-FILE` for one that is no Parquet file, `LB-SCHEMA` for
    /// columns that do not go together and for folders that are not those of the partition columns, `LB-CONSTRAINT` for a partition
    /// without a value where one must be. Requests: a listing, one or two for each file, the commit. Memory: an action for each file.
    ///
    /// Of an Iceberg table: the files of its newest snapshot, its columns found by id, partition columns where files lie by a column's
    /// values; `LB-FEATURE-READ` names what Delta cannot say (files of deletes, files other than Parquet, types), `LB-FILE` metadata that
    /// is damaged, `LB-PATH` a file outside the table that is not permitted. Requests: also its metadata file, manifest list and manifests.
    pub async fn run(self) -> Result<Report> {
        let env = self.table.env().clone();
        let started = env.now();
        let plan = self.plan().await?;
        let report = self.execute(plan).await?;
        Ok(Report { duration_ms: since(&env, started), ..report })
    }
    /// Every file that is to be in the table, by name.
    async fn files(&self) -> Result<Vec<Found>> {
        let root = self.table.root();
        let prefix = root.key("");
        let objects: Vec<ObjectMeta> =
            root.store().list(Some(&prefix)).map_err(|e| failure(e, "listing the folder", prefix.as_ref())).try_collect().await?;
        let mut files = Vec::new();
        for object in objects {
            let name = object.location.as_ref().strip_prefix(prefix.as_ref()).unwrap_or(object.location.as_ref()).trim_start_matches('/');
            files.extend(found(name, object.size, object.last_modified.timestamp_millis(), &self.partitions)?);
        }
        if files.is_empty() {
            return Err(Error::new(Code::TABLE, "there is no Parquet file to make a table of").with("location", root.url()));
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(files)
    }
    /// The table: the columns of all files, then those of the folders.
    async fn state(&self, files: &[Found]) -> Result<Arc<TableState>> {
        let mut all = Struct::default();
        let mut footers = self.footers(files);
        while let Some((file, metadata)) = footers.try_next().await? {
            let own = schema::of_file(&metadata).map_err(|e| e.with("path", &file.path))?;
            all = schema::united(all, &own).map_err(|e| e.with("path", &file.path))?;
        }
        drop(footers);
        let new = NewTable {
            schema: schema::with_partitions(all, &self.partitions),
            partition_columns: self.partitions.fields.iter().map(|field| field.name.clone()).collect(),
            properties: self.properties.clone(),
            ..NewTable::default()
        };
        Ok(Arc::new(new_table(new, self.table.env())?))
    }
    async fn adds(&self, files: Vec<Found>, state: &TableState) -> Result<Vec<Add>> {
        if !self.statistics {
            return Ok(files.into_iter().map(|file| file.add(None)).collect());
        }
        let (columns, prefix) = (state.stats_columns()?, state.stats_string_prefix()?);
        let mut out = Vec::with_capacity(files.len());
        let mut footers = self.footers(&files);
        while let Some((file, metadata)) = footers.try_next().await? {
            let own = schema::of_file(&metadata)?;
            out.push(file.add(Some(footer_stats(&own, state.partition_columns(), &columns, prefix, &metadata))));
        }
        drop(footers);
        Ok(out)
    }
    /// The footers, in the order of the files.
    fn footers(&self, files: &[Found]) -> stream::BoxStream<'static, Result<(Found, Arc<ParquetMetaData>)>> {
        let root = self.table.root().clone();
        let reads = stream::iter(files.to_vec()).map(move |file| {
            let root = root.clone();
            async move {
                let metadata = footer(&root, &file.path, file.size).await.map_err(|e| e.with("path", &file.path))?;
                Ok((file, metadata))
            }
        });
        reads.buffered(parallel_reads(self.table.env())).boxed()
    }
}
