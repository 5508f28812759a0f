//! What differs between two versions: files, rows, columns, properties. Kind: edge. Spec: DIF.
//!
//! Rows are compared as rows, wherever they lie: a file that was written anew with the same rows is no difference of rows. Invariant:
//! rows of the first version, less those that went, plus those that came, are as many as those of the second.

use super::changes::fit::misfit;
use super::restore::{besides, live_rows};
use crate::data::scan::{FileTask, Scan};
use crate::error::{Code, Error, Result};
use crate::exec::Keys;
use crate::features::TableState;
use crate::log::seen::PathForm;
use crate::log::{Add, Version};
use crate::schema::Struct;
use crate::snapshot::{At, Snapshot};
use crate::table::Table;
use futures::TryStreamExt;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// What counting one row holds, in bytes.
const ROW_BYTES: u64 = 48;
/// How often files are read, at most, to count within the memory limit.
const PASSES_MAX: u64 = 64;

/// Compares two versions of a table.
pub struct Diff {
    table: Table,
    from: At,
    to: At,
}

/// What differs between two versions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    pub from: Version,
    pub to: Version,
    pub files_added: u64,
    pub files_removed: u64,
    pub rows_added: u64,
    pub rows_removed: u64,
    pub schema_changes: Vec<SchemaChange>,
    pub property_changes: Vec<PropertyChange>,
}

/// A column that one version has, or has otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SchemaChange {
    /// Dotted, as the version spells it.
    pub column: String,
    /// As SQL writes it; `None` when the column is not there.
    pub from: Option<String>,
    pub to: Option<String>,
}

/// A property that one version has, or has otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PropertyChange {
    pub property: String,
    pub from: Option<String>,
    pub to: Option<String>,
}

impl Table {
    /// Starts comparing this version with the newest.
    pub fn diff(&self, from: At) -> Diff {
        Diff { table: self.clone(), from, to: At::Latest }
    }
}

impl Diff {
    /// Compares with this version instead.
    pub fn to(mut self, to: At) -> Self {
        self.to = to;
        self
    }
    /// Compares. `LB-VERSION`, `LB-FEATURE-READ`, errors of a scan.
    ///
    /// Of the files that one version lacks all rows are read, unless only one side has some; they are compared in the columns of the second
    /// version, by a hash of 64 bits. Where the columns do not fit each other, every row of these files counts. Memory: the keys of one
    /// version's files, and a part of the budget for counting: files are read several times when that does not suffice, `LB-LIMIT` beyond.
    pub async fn run(self) -> Result<Difference> {
        let from = self.table.snapshot_at(self.from).await?;
        let to = self.table.snapshot_at(self.to).await?;
        from.state().check_readable()?;
        to.state().check_readable()?;
        let went = besides(&from, to.file_keys().await?).await?;
        let came = besides(&to, from.file_keys().await?).await?;
        let (files_added, files_removed) = (came.len() as u64, went.len() as u64);
        let (rows_added, rows_removed) = rows(&from, &to, went, came).await?;
        Ok(Difference {
            from: from.version(),
            to: to.version(),
            files_added,
            files_removed,
            rows_added,
            rows_removed,
            schema_changes: schema_changes(from.state(), to.state()),
            property_changes: property_changes(from.state(), to.state()),
        })
    }
}

type Files = Vec<(Add, Option<i64>)>;

/// Rows that came and rows that went.
async fn rows(from: &Arc<Snapshot>, to: &Arc<Snapshot>, went: Files, came: Files) -> Result<(u64, u64)> {
    let paths = PathForm::new(to.table().root().url());
    let apart = misfit(from.state(), to.state()).is_some();
    if went.is_empty() || came.is_empty() || apart {
        return Ok((count(to, came).await?, count(from, went).await?));
    }
    let tasks = tasks(&paths, &went, &came)?;
    let scan = to.scan().build()?;
    let mut total = 0u64;
    for (_, task) in &tasks {
        total = total.saturating_add(match task.num_records {
            Some(rows) => rows,
            None => scan.physical_rows(task).await?,
        });
    }
    let budget = (to.table().env().memory().limit() / 4).max(1);
    let passes = total.saturating_mul(ROW_BYTES).div_ceil(budget).max(1);
    if passes > PASSES_MAX {
        return Err(Error::new(Code::LIMIT, format!("{total} rows cannot be compared within the memory limit"))
            .help("raise the memory limit (--memory-limit), or compare versions that lie closer together"));
    }
    let (mut added, mut removed) = (0, 0);
    for pass in 0..passes {
        let (more, less) = pass_over(&scan, &tasks, (pass, passes)).await?;
        added += more;
        removed += less;
    }
    Ok((added, removed))
}

/// The rows of whole files.
async fn count(of: &Arc<Snapshot>, files: Files) -> Result<u64> {
    if let Some(rows) = live_rows(&files) {
        return Ok(rows);
    }
    let scan = of.scan().build()?;
    let mut rows = 0;
    for (add, _) in files {
        let task = FileTask::of_add(&add)?;
        let deleted = task.vector.as_ref().map_or(0, |v| v.cardinality.unsigned_abs());
        rows += scan.physical_rows(&task).await?.saturating_sub(deleted);
    }
    Ok(rows)
}

/// What to read: whether its rows came, and the rows. Of a file that both versions have, only the rows that one of them deletes.
fn tasks(paths: &PathForm, went: &Files, came: &Files) -> Result<Vec<(bool, FileTask)>> {
    let task = |(add, records): &(Add, Option<i64>)| -> Result<FileTask> {
        Ok(FileTask { num_records: records.and_then(|n| u64::try_from(n).ok()), base_row_id: None, ..FileTask::of_add(add)? })
    };
    let mut before: BTreeMap<Vec<u8>, &(Add, Option<i64>)> = went.iter().map(|f| (paths.normalise(&f.0.path).into_owned(), f)).collect();
    let mut out = Vec::new();
    for file in came {
        let now = task(file)?;
        let Some((old, _)) = before.remove(paths.normalise(&file.0.path).as_ref()) else {
            out.push((true, now));
            continue;
        };
        let old = old.deletion_vector.clone();
        if let Some(deleted) = now.vector.clone() {
            out.push((false, FileTask { only: Some(deleted), vector: old.clone(), ..now.clone() }));
        }
        if old.is_some() {
            out.push((true, FileTask { only: old, ..now }));
        }
    }
    for file in before.into_values() {
        out.push((false, task(file)?));
    }
    Ok(out)
}

/// Rows that came more often than they went, and those that went more often, of one share of all hashes.
async fn pass_over(scan: &Scan, tasks: &[(bool, FileTask)], (pass, passes): (u64, u64)) -> Result<(u64, u64)> {
    let mut balance: HashMap<u64, i64> = HashMap::new();
    for (came, task) in tasks {
        let mut batches = scan.read(task.clone());
        while let Some(batch) = batches.try_next().await? {
            let keys = Keys::of(batch.columns(), &vec![true; batch.num_columns()], batch.num_rows())?;
            for hash in keys.0.values().iter().filter(|hash| *hash % passes == pass) {
                *balance.entry(*hash).or_default() += if *came { 1 } else { -1 };
            }
        }
        balance.retain(|_, n| *n != 0);
    }
    let more = balance.values().filter(|n| **n > 0).sum::<i64>();
    let less = balance.values().filter(|n| **n < 0).sum::<i64>();
    Ok((more.unsigned_abs(), less.unsigned_abs()))
}

fn property_changes(from: &TableState, to: &TableState) -> Vec<PropertyChange> {
    let (from, to): (BTreeMap<&str, &str>, BTreeMap<&str, &str>) = (from.properties().collect(), to.properties().collect());
    let keys: BTreeSet<&str> = from.keys().chain(to.keys()).copied().collect();
    let own = |value: Option<&&str>| value.map(|v| (*v).to_owned());
    let change = |key: &str| PropertyChange { property: key.to_owned(), from: own(from.get(key)), to: own(to.get(key)) };
    keys.into_iter().map(change).filter(|change| change.from != change.to).collect()
}

fn schema_changes(from: &TableState, to: &TableState) -> Vec<SchemaChange> {
    let (mut before, mut after) = (Vec::new(), Vec::new());
    columns(from.schema(), from, "", &mut before);
    columns(to.schema(), to, "", &mut after);
    let (old, new): (HashMap<&str, &str>, HashMap<&str, &str>) = (pairs(&before), pairs(&after));
    let names = before.iter().chain(after.iter().filter(|(name, _)| !old.contains_key(name.as_str()))).map(|(name, _)| name.as_str());
    let own = |value: Option<&&str>| value.map(|v| (*v).to_owned());
    let change = |name: &str| SchemaChange { column: name.to_owned(), from: own(old.get(name)), to: own(new.get(name)) };
    names.map(change).filter(|change| change.from != change.to).collect()
}

fn pairs(columns: &[(String, String)]) -> HashMap<&str, &str> {
    columns.iter().map(|(name, what)| (name.as_str(), what.as_str())).collect()
}

/// Every column and field with what it is.
fn columns(fields: &Struct, state: &TableState, prefix: &str, out: &mut Vec<(String, String)>) {
    for field in &fields.fields {
        let name = format!("{prefix}{}", field.name);
        let partition = prefix.is_empty() && state.partition_columns().contains(&field.name);
        let marks = [(!field.nullable, " NOT NULL"), (partition, " PARTITION COLUMN")];
        let marks: String = marks.iter().filter(|(is, _)| *is).map(|(_, text)| *text).collect();
        match &field.data_type {
            crate::schema::DataType::Struct(inner) => {
                out.push((name.clone(), format!("struct{marks}")));
                columns(inner, state, &format!("{name}."), out);
            }
            other => out.push((name, format!("{other}{marks}"))),
        }
    }
}
