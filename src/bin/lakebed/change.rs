//! `create`, `append`, `checkpoint`: what writes to a table. Kind: edge.

use crate::args::Mode;
use crate::failure::Result;
use crate::output::warn;
use crate::session::Session;
use futures::StreamExt;
use futures::stream;
use lakebed::{Append, Code, Expr, Input, InputRows, SaveMode, Snapshot, Struct, Table, Version, column_path};
use std::sync::Arc;

/// What a new table gets.
pub struct New<'a> {
    pub schema: &'a str,
    pub partition_by: &'a [String],
    pub cluster_by: &'a [String],
    pub properties: &'a [(String, String)],
    pub comment: Option<&'a str>,
    pub if_not_exists: bool,
    pub if_version: Option<u64>,
}

pub async fn create(session: &Session, table: &str, new: New<'_>) -> Result<()> {
    let table = session.table_at(table, new.if_version)?;
    let mut create = table.create(Struct::from_sql(new.schema)?).partition_by(new.partition_by.iter().map(|c| c.trim()));
    if !new.cluster_by.is_empty() {
        create = create.cluster_by(new.cluster_by.iter().map(|c| column_path(c.trim())).collect::<lakebed::Result<Vec<_>>>()?);
    }
    for (key, value) in new.properties {
        create = create.property(key, value);
    }
    if let Some(comment) = new.comment {
        create = create.comment(comment);
    }
    if new.if_not_exists {
        create = create.if_not_exists();
    }
    let _writing = session.stop.writing();
    session.output.report(create.run().await?)
}

/// What `append` is asked for.
pub struct Rows<'a> {
    pub files: &'a [String],
    pub mode: Mode,
    pub replace_where: Option<Expr>,
    pub dynamic_partitions: bool,
    pub merge_schema: bool,
    pub overwrite_schema: bool,
    pub partition_by: Option<&'a [String]>,
    pub txn: Option<&'a (String, i64)>,
    pub user_metadata: Option<&'a str>,
    pub properties: &'a [(String, String)],
    pub if_version: Option<u64>,
}

impl Rows<'_> {
    fn configured(&self, mut append: Append) -> Append {
        append = append.mode(match self.mode {
            Mode::Append => SaveMode::Append,
            Mode::Overwrite => SaveMode::Overwrite,
            Mode::Error => SaveMode::Error,
            Mode::Ignore => SaveMode::Ignore,
        });
        if let Some(predicate) = &self.replace_where {
            append = append.replace_where(predicate.clone());
        }
        if self.dynamic_partitions {
            append = append.dynamic_partitions();
        }
        if self.merge_schema {
            append = append.merge_schema();
        }
        if self.overwrite_schema {
            append = append.overwrite_schema();
        }
        if let Some(columns) = self.partition_by {
            append = append.partition_by(columns.iter().map(|c| c.trim()).filter(|c| !c.is_empty()));
        }
        if let Some((app, version)) = self.txn {
            append = append.app_version(app, *version);
        }
        if let Some(text) = self.user_metadata {
            append = append.user_metadata(text);
        }
        for (key, value) in self.properties {
            append = append.property(key, value);
        }
        if let Some(version) = self.if_version {
            append = append.if_version(Version(version));
        }
        append
    }
    /// The rows of the files, with the types of the table where text leaves them open.
    async fn open(&self, session: &Session, base: Option<&Snapshot>) -> Result<InputRows> {
        // These modes look at no row of a table that exists.
        if base.is_some() && matches!(self.mode, Mode::Error | Mode::Ignore) {
            return Ok(InputRows { schema: Arc::new(arrow::datatypes::Schema::empty()), batches: stream::empty().boxed() });
        }
        let inputs = self.files.iter().map(|name| Input::named(name)).collect();
        let typed = base.filter(|_| !self.overwrite_schema).map(|base| base.state().schema());
        Ok(Input::open(inputs, typed, &session.env).await?)
    }
}

pub async fn append(session: &Session, table: &str, rows: Rows<'_>) -> Result<()> {
    let table = session.table(table)?;
    let base = newest(&table).await?;
    let InputRows { schema, batches } = rows.open(session, base.as_deref()).await?;
    let bar = session.progress.rows("writing");
    let seen = bar.0.clone();
    let batches = batches.inspect(move |batch| seen.inc(batch.as_ref().map_or(0, |b| b.num_rows() as u64))).boxed();
    let batches = session.stop.rows(batches);
    let append = match &base {
        Some(base) => base.append(schema, batches),
        None => table.append(schema, batches),
    };
    let _writing = session.stop.writing();
    let report = rows.configured(append).run().await?;
    drop(bar);
    session.output.report(report)
}

/// The newest version, or `None` when there is no table yet.
async fn newest(table: &Table) -> Result<Option<Arc<Snapshot>>> {
    match table.snapshot().await {
        Ok(snapshot) => {
            warn(snapshot.warnings());
            Ok(Some(snapshot))
        }
        Err(e) if e.code() == Code::TABLE => Ok(None),
        Err(e) => Err(e.into()),
    }
}

pub async fn checkpoint(session: &Session, table: &str) -> Result<()> {
    let table = session.table(table)?;
    let _writing = session.stop.writing();
    let report = {
        let _bar = session.progress.busy("writing the checkpoint");
        table.checkpoint().run().await?
    };
    session.output.report(report)
}
