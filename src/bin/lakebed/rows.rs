//! `scan` and `count`: rows of one version. Kind: edge.

use crate::args::{TableAt, names};
use crate::failure::{Failure, Result};
use crate::look::files_total;
use crate::output::into_map;
use crate::session::{Session, predicate};
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use lakebed::{HiddenColumn, RowFormat, RowWriter, Scan, Snapshot};
use serde_json::json;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::Arc;

/// What `scan` is asked for.
pub struct Wanted<'a> {
    pub columns: Option<&'a [String]>,
    pub filter: Option<&'a str>,
    pub limit: Option<u64>,
}

impl Wanted<'_> {
    fn scan(&self, snapshot: &Arc<Snapshot>) -> Result<Picked> {
        let mut scan = snapshot.scan();
        let mut order = None;
        if let Some(columns) = self.columns {
            let names = names(columns);
            let mut sorted: Vec<String> = names.iter().map(|name| name.to_lowercase()).collect();
            sorted.sort();
            if let Some(twice) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
                return Err(Failure::Usage(format!("the column `{}` is named twice", twice[0])));
            }
            let schema = snapshot.state().schema();
            let hidden = |name: &String| match schema.field(name) {
                Some(_) => None,
                // What the table calls so itself is what filters find too.
                None if schema.field("_metadata").is_some() => None,
                None => HiddenColumn::ALL.into_iter().find(|hidden| hidden.name().eq_ignore_ascii_case(name)),
            };
            let (own, besides): (Vec<usize>, Vec<usize>) = (0..names.len()).partition(|i| hidden(&names[*i]).is_none());
            scan = scan.columns(own.iter().map(|i| names[*i].as_str())).hidden(besides.iter().filter_map(|i| hidden(&names[*i])));
            if !besides.is_empty() {
                // The scan gives hidden columns last; these are the places of those that were asked for.
                let given: Vec<usize> = own.into_iter().chain(besides).collect();
                order = Some((0..names.len()).filter_map(|wanted| given.iter().position(|i| *i == wanted)).collect());
            }
        }
        if let Some(filter) = predicate(self.filter)? {
            scan = scan.filter(filter);
        }
        if let Some(limit) = self.limit {
            scan = scan.limit(limit);
        }
        Ok(Picked { scan: scan.build()?, order })
    }
}

/// A scan, and in which order its columns are wanted.
struct Picked {
    scan: Scan,
    order: Option<Vec<usize>>,
}

impl Picked {
    fn schema(&self) -> lakebed::Result<SchemaRef> {
        let schema = self.scan.schema();
        Ok(match &self.order {
            Some(order) => Arc::new(schema.project(order)?),
            None => schema,
        })
    }
    fn stream(&self) -> BoxStream<'static, lakebed::Result<RecordBatch>> {
        let order = self.order.clone();
        let in_order = move |batch: lakebed::Result<RecordBatch>| match &order {
            Some(order) => Ok(batch?.project(order)?),
            None => batch,
        };
        self.scan.clone().stream().map(in_order).boxed()
    }
}

pub async fn scan(session: &Session, at: &TableAt, wanted: Wanted<'_>, output: Option<&Path>) -> Result<()> {
    let target = output.map(|path| RowFormat::of_path(&path.to_string_lossy()).map(|format| (path, format))).transpose()?;
    let snapshot = session.snapshot(at).await?;
    let scan = wanted.scan(&snapshot)?;
    match target {
        None => {
            let mut out = session.output.rows(&scan.schema()?)?;
            let mut batches = scan.stream();
            while let Some(batch) = batches.try_next().await? {
                out.write(&batch)?;
            }
            out.finish()
        }
        Some((path, format)) => {
            let bar = session.progress.rows("reading");
            let target = Target::open(path)?;
            // A file that is not finished is taken back.
            let _writing = target.temporary.is_some().then(|| session.stop.writing());
            let mut rows = 0;
            let written = async {
                let mut out = RowWriter::new(format, &scan.schema()?, BufWriter::new(target.file()?))?;
                let mut batches = session.stop.rows(scan.stream());
                while let Some(batch) = batches.try_next().await? {
                    out.write(&batch)?;
                    rows += batch.num_rows() as u64;
                    bar.0.inc(batch.num_rows() as u64);
                }
                out.finish()?.flush().map_err(|e| target.failed(&e))
            };
            written.await?;
            target.publish()?;
            drop(bar);
            let metrics = scan.scan.metrics();
            session.output.object(into_map(json!({
                "rows": rows,
                "files_read": metrics.files_read,
                "files_total": files_total(&snapshot).await?,
                "bytes_read": metrics.bytes_read,
            })))
        }
    }
}

pub async fn count(session: &Session, at: &TableAt, filter: Option<&str>) -> Result<()> {
    let snapshot = session.snapshot(at).await?;
    let scan = Wanted { columns: None, filter, limit: None }.scan(&snapshot)?.scan;
    let count = {
        let _bar = session.progress.busy("counting rows");
        scan.count().await?
    };
    session.output.object(into_map(json!({"count": count})))
}

/// A file that appears whole or not at all. What is there already and is no plain file (a pipe) is written in place.
struct Target {
    path: PathBuf,
    /// Beside it, under a hidden name; gone when it was not published.
    temporary: Option<PathBuf>,
}

impl Target {
    fn open(path: &Path) -> Result<Target> {
        let in_place = fs::metadata(path).is_ok_and(|data| !data.is_file());
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let temporary = (!in_place).then(|| path.with_file_name(format!(".{name}.{}.tmp", process::id())));
        Ok(Target { path: path.to_owned(), temporary })
    }
    fn file(&self) -> Result<File> {
        File::create(self.temporary.as_ref().unwrap_or(&self.path)).map_err(|e| self.failed(&e))
    }
    fn failed(&self, e: &std::io::Error) -> Failure {
        Failure::Output(e.to_string(), self.path.display().to_string())
    }
    fn publish(mut self) -> Result<()> {
        match self.temporary.take() {
            Some(temporary) => fs::rename(&temporary, &self.path).map_err(|e| {
                let _ = fs::remove_file(&temporary);
                self.failed(&e)
            }),
            None => Ok(()),
        }
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if let Some(temporary) = &self.temporary {
            let _ = fs::remove_file(temporary);
        }
    }
}
