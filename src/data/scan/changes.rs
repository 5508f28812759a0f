//! Rows that a commit changed, out of data files and change files. Kind: edge. Spec: CDF.
//!
//! What holds for a whole file (the commit, and for a data file the kind of change) is read like a partition value, so that a filter on
//! it rules files out before they are opened.

use super::flow::Flow;
use super::read::{Reading, Rows};
use super::task::FileTask;
use crate::data::columns::{schema_of, wanted};
use crate::env::Timestamp;
use crate::error::{Code, Error, Result};
use crate::expr::{Expr, Pruner};
use crate::features::{CHANGE_TYPE, COMMIT_TIMESTAMP, COMMIT_VERSION, TableState};
use crate::log::Version;
use crate::schema::{DataType, Field, Struct};
use crate::table::Table;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// What a commit changed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Changed {
    /// It lists every change itself, in these files.
    Listed(Vec<FileTask>),
    /// Rows of these data files came (`true`) or went.
    Files(Vec<(bool, FileTask)>),
}

/// Reads changed rows with the columns of one state of the table.
#[derive(Clone, Debug)]
pub(crate) struct ChangeScan {
    files: Flow,
    listed: Flow,
}

/// Where the values of the columns that hold for a whole file stand: no column of a table has such a name.
fn key(column: &str) -> String {
    format!("\0{column}")
}

impl ChangeScan {
    /// Binds names and types; all columns of the state and of the feed when `columns` is `None`. `LB-SCHEMA`, `LB-EXPR`.
    pub(crate) fn new(table: &Table, state: &TableState, columns: Option<&[String]>, filter: Option<Expr>) -> Result<ChangeScan> {
        let feed = [(CHANGE_TYPE, DataType::String), (COMMIT_VERSION, DataType::Long), (COMMIT_TIMESTAMP, DataType::Timestamp)];
        if let Some((name, _)) = feed.iter().find(|(name, _)| state.schema().index_of(name).is_some()) {
            return Err(
                Error::new(Code::SCHEMA, "a column of the table has a name that the change data feed uses itself").with("column", name)
            );
        }
        let mut schema = state.schema().clone();
        schema.fields.extend(feed.iter().map(|(name, data_type)| Field::new(*name, data_type.clone(), true)));
        let reading = |of_file: &[&str]| {
            let mut physical = state.physical_schema().clone();
            let name = |name: &str| if of_file.contains(&name) { key(name) } else { name.to_owned() };
            physical.fields.extend(feed.iter().map(|(column, data_type)| Field::new(name(column), data_type.clone(), true)));
            let partitions: Vec<String> =
                state.partition_columns().iter().cloned().chain(of_file.iter().map(|n| (*n).to_owned())).collect();
            reading(table, state, (&schema, &physical), &partitions, columns, filter.clone())
        };
        Ok(ChangeScan {
            files: Flow::new(Arc::new(reading(&[CHANGE_TYPE, COMMIT_VERSION, COMMIT_TIMESTAMP])?)),
            listed: Flow::new(Arc::new(reading(&[COMMIT_VERSION, COMMIT_TIMESTAMP])?)),
        })
    }
    /// The Arrow schema of the batches.
    pub(crate) fn schema(&self) -> SchemaRef {
        Arc::clone(&self.files.reading().schema)
    }
    /// The changed rows of one commit, files in no promised order. Memory as of a scan.
    pub(crate) fn read(&self, version: Version, time: Timestamp, changed: Changed) -> BoxStream<'static, Result<RecordBatch>> {
        let of_commit = move |mut task: FileTask| {
            task.partition_values.insert(key(COMMIT_VERSION), Some(version.to_string()));
            task.partition_values.insert(key(COMMIT_TIMESTAMP), Some(time.to_string()));
            task
        };
        match changed {
            Changed::Listed(tasks) => self.listed.run(stream::iter(tasks).map(move |task| Ok((of_commit(task), Rows::All))).boxed()),
            Changed::Files(tasks) => {
                let task = move |(came, task)| {
                    let mut task = of_commit(task);
                    task.partition_values.insert(key(CHANGE_TYPE), Some(if came { "insert" } else { "delete" }.to_owned()));
                    Ok((task, Rows::All))
                };
                self.files.run(stream::iter(tasks).map(task).boxed())
            }
        }
    }
}

fn reading(
    table: &Table,
    state: &TableState,
    (logical, physical): (&Struct, &Struct),
    partitions: &[String],
    names: Option<&[String]>,
    filter: Option<Expr>,
) -> Result<Reading> {
    let filter = filter.map(|f| f.bind(logical)).transpose()?;
    let columns = |names: Option<&[String]>| wanted(logical, physical, partitions, &|field| state.field_id(field), names);
    let mut wanted = columns(names)?;
    let shown = wanted.len();
    if let Some(filter) = &filter {
        let hidden: Vec<String> = filter.columns().iter().filter(|name| wanted.iter().all(|w| w.logical != **name)).cloned().collect();
        wanted.extend(columns(Some(&hidden))?);
    }
    let by_partition = filter.as_ref().is_some_and(|f| f.reads_only(partitions));
    let pruner = filter.as_ref().filter(|_| !by_partition).map(|f| Pruner::new(f, logical)).transpose()?;
    Ok(Reading {
        root: table.root().clone(),
        env: table.env().clone(),
        schema: schema_of(&wanted[..shown]),
        wanted,
        shown,
        filter,
        pruner,
        hidden: Vec::new(),
        by_partition,
        limit: None,
        whole: 0,
        counted: false,
        bytes_read: Arc::new(AtomicU64::new(0)),
    })
}
