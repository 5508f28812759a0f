//! The small actions of a checkpoint, and where its file actions lie. Kind: edge. Spec: CKP.
//!
//! Invariant: no column of `add` or `remove` is read for the small actions.

use super::carry::SidecarFacts;
use super::parquet_file::{ParquetFile, ReadPlan};
use super::sidecar::sidecar_key;
use crate::env::Env;
use crate::error::{Code, Error, Result};
use crate::log::segment::CheckpointFiles;
use crate::log::{Action, LogFile, LogFileKind, Sidecar, decode_commit};
use crate::storage::{TableRoot, get};
use arrow::array::{Array, BooleanArray, RecordBatch, StructArray, cast::AsArray};
use arrow::compute::filter_record_batch;
use arrow::json::LineDelimitedWriter;
use futures::FutureExt;
use futures::stream::{StreamExt, TryStreamExt};
use parquet::arrow::arrow_reader::{ArrowPredicateFn, RowFilter};
use std::sync::Arc;
use tokio::sync::OnceCell;

/// Each small action with the field that it cannot lack: null there means that the row holds something else, whatever the
/// struct around it says (some writers leave structs of nulls). (CKP-4)
const SMALL: [(&str, &str); 6] = [
    ("txn", "appId"),
    ("metaData", "id"),
    ("protocol", "minReaderVersion"),
    ("domainMetadata", "domain"),
    ("checkpointMetadata", "version"),
    ("sidecar", "path"),
];

/// Everything of a checkpoint but file actions: protocol, metadata, txns, live domains, and for V2 the checkpoint metadata and
/// sidecars. Reads only those columns; row groups whose statistics show none of them are skipped. `LB-CKPT` when it is broken.
pub(crate) async fn read_small(root: &TableRoot, env: &Env, checkpoint: &CheckpointFiles, first: &FirstFile) -> Result<Vec<Action>> {
    let parts = checkpoint.files.iter().enumerate().map(|(i, file)| read_part(root, file, (i == 0).then_some(first)).boxed());
    let parts: Vec<_> = parts.collect();
    let parts: Vec<Vec<Action>> = futures::stream::iter(parts).buffered(env.threads().max(4)).try_collect().await?;
    let live = |a: &Action| !matches!(a, Action::DomainMetadata(d) if d.removed);
    Ok(parts.into_iter().flatten().filter(live).collect())
}

async fn read_part(root: &TableRoot, file: &LogFile, first: Option<&FirstFile>) -> Result<Vec<Action>> {
    if is_json(file) {
        let small = |a: &Action| !matches!(a, Action::Add(_) | Action::Remove(_) | Action::Cdc(_) | Action::CommitInfo(_));
        return Ok(read_json(root, file).await?.into_iter().filter(small).collect());
    }
    match first {
        Some(first) => read_small_of(first.open(root, file).await?).await,
        None => read_small_of(&open(root, file).await?).await,
    }
}

/// The first file of one checkpoint (mostly the only one), opened at most once however often the checkpoint is read.
#[derive(Clone, Debug, Default)]
pub(crate) struct FirstFile(Arc<OnceCell<ParquetFile>>);

impl FirstFile {
    /// `file` must be the same in every call.
    pub async fn open(&self, root: &TableRoot, file: &LogFile) -> Result<&ParquetFile> {
        self.0.get_or_try_init(|| open(root, file).boxed()).await
    }
}

/// The small actions of one Parquet file.
pub(crate) async fn read_small_of(parquet: &ParquetFile) -> Result<Vec<Action>> {
    let keys: Vec<(&str, usize)> = SMALL.iter().filter_map(|(name, key)| Some((*name, parquet.leaf(&[name, key])?))).collect();
    let groups: Vec<usize> = (0..parquet.metadata().num_row_groups())
        .filter(|g| {
            let rows = parquet.metadata().row_group(*g).num_rows();
            keys.iter().any(|(_, leaf)| parquet.null_count(*g, *leaf).is_none_or(|nulls| i128::from(nulls) < i128::from(rows)))
        })
        .collect();
    if keys.is_empty() || groups.is_empty() {
        return Ok(Vec::new());
    }
    let holds_any = ArrowPredicateFn::new(parquet.mask(keys.iter().map(|(_, leaf)| *leaf)), |batch: RecordBatch| {
        let mut any = BooleanArray::from(vec![false; batch.num_rows()]);
        for column in batch.columns() {
            any = arrow::compute::or(&any, &present(column.as_struct(), 0))?;
        }
        Ok(any)
    });
    let columns: Vec<usize> = parquet.leaves(|parts| SMALL.iter().any(|(name, _)| parts[0] == *name)).collect();
    let parquet = parquet.with_columns(&groups, &columns).await?;
    let mut rows = parquet.read(ReadPlan {
        columns: parquet.mask(columns),
        row_groups: Some(groups),
        filter: Some(RowFilter::new(vec![Box::new(holds_any)])),
        batch_rows: 8192,
    });
    let mut actions = Vec::new();
    while let Some(batch) = rows.next().await {
        actions.extend(actions_of(&batch?, parquet.name()).map_err(|e| parquet.broken(e))?);
    }
    Ok(actions)
}

/// Opens one Parquet file of a checkpoint.
pub(crate) async fn open(root: &TableRoot, file: &LogFile) -> Result<ParquetFile> {
    ParquetFile::open(root.store().clone(), root.log_key(&file.name), &file.name, file.size).await
}

/// Opens a sidecar. A lean reader, who may need nothing of it but its footer, fetches no more than that of ours.
pub(crate) async fn open_sidecar(root: &TableRoot, sidecar: &Sidecar, lean: bool) -> Result<ParquetFile> {
    let (store, key) = sidecar_key(root, &sidecar.path)?;
    let size = u64::try_from(sidecar.size_in_bytes).unwrap_or(0);
    match SidecarFacts::of(sidecar).filter(|_| lean && size > 0) {
        Some(facts) => ParquetFile::open_end(store, key, &sidecar.path, size, facts.index_bytes).await,
        None => ParquetFile::open(store, key, &sidecar.path, size).await,
    }
}

pub(crate) fn is_json(file: &LogFile) -> bool {
    matches!(file.kind, LogFileKind::UuidCheckpoint { json: true, .. })
}

/// All actions of a V2 checkpoint whose top level is JSON.
pub(crate) async fn read_json(root: &TableRoot, file: &LogFile) -> Result<Vec<Action>> {
    match get(root.store().as_ref(), &root.log_key(&file.name)).await? {
        Some(body) => decode_commit(&file.name, &body).map_err(|e| {
            Error::new(Code::CKPT, format!("a checkpoint file does not read: {}", e.message())).with("path", &file.name).caused_by(e)
        }),
        None => Err(Error::new(Code::CKPT, "a checkpoint file is missing").with("path", &file.name)),
    }
}

/// Rows where the struct and its child `key` are there.
pub(crate) fn present(column: &StructArray, key: usize) -> BooleanArray {
    let valid = arrow::buffer::NullBuffer::union(column.nulls(), column.column(key).logical_nulls().as_ref());
    match valid {
        Some(nulls) => BooleanArray::new(nulls.into_inner(), None),
        None => BooleanArray::from(vec![true; column.len()]),
    }
}

/// One column of a batch, which must be that of an action.
pub(crate) fn struct_column<'a>(file: &ParquetFile, batch: &'a RecordBatch, name: &str) -> Result<&'a StructArray> {
    let column = batch.column_by_name(name).and_then(|c| c.as_struct_opt());
    column.ok_or_else(|| file.broken(format!("the column {name} is not a struct")))
}

/// Only rows that hold such an action: a struct around a missing path is none. (CKP-4)
pub(crate) fn actions_in(file: &ParquetFile, column: &StructArray) -> Result<StructArray> {
    let path = column.fields().iter().position(|f| f.name() == "path").ok_or_else(|| file.broken("a file action without a path"))?;
    let mask = present(column, path);
    if mask.true_count() == column.len() {
        return Ok(column.clone());
    }
    Ok(arrow::compute::filter(column, &mask).map_err(|e| file.broken(e))?.as_struct().clone())
}

/// Rows -> actions by way of their JSON, so that both are read by one decoder.
fn actions_of(batch: &RecordBatch, file: &str) -> std::result::Result<Vec<Action>, Box<dyn std::error::Error + Send + Sync>> {
    let mut actions = Vec::new();
    for (name, key) in SMALL {
        let Some(column) = batch.column_by_name(name).and_then(|c| c.as_struct_opt()) else { continue };
        let Some(key) = column.fields().iter().position(|f| f.name() == key) else { continue };
        let mask = present(column, key);
        if mask.true_count() == 0 {
            continue;
        }
        let index = batch.schema_ref().index_of(name)?;
        let rows = filter_record_batch(&batch.project(&[index])?, &mask)?;
        let mut json = Vec::new();
        let mut writer = LineDelimitedWriter::new(&mut json);
        writer.write(&rows)?;
        writer.finish()?;
        actions.extend(decode_commit(file, &json)?);
    }
    Ok(actions)
}
