//! `create`, `append`, `checkpoint`: what writes to a table. Kind: edge.

use crate::args::{key_value, names, paths};
use crate::failure::Result;
use crate::output::warn;
use crate::session::{Session, predicate};
use clap::{Args, ValueEnum};
use futures::StreamExt;
use futures::stream;
use lakebed::{Code, Expr, Input, InputRows, SaveMode, Snapshot, Struct, Table, Version};
use std::sync::Arc;

/// Makes an empty table
#[derive(Args)]
#[command(after_help = "Example: lakebed create ./events --schema 'id BIGINT NOT NULL, day DATE, name STRING' --partition-by day")]
pub struct Create {
    /// Path or URL
    #[arg(value_name = "TABLE")]
    table: String,
    /// The columns: names, types, NOT NULL, COMMENT 'text'
    #[arg(long, value_name = "COLUMNS")]
    schema: String,
    /// Partition columns
    #[arg(long, value_name = "A,B")]
    partition_by: Vec<String>,
    /// Columns by which files are clustered, up to four; not with partition columns
    #[arg(long, value_name = "A,B")]
    cluster_by: Vec<String>,
    /// A table property; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    property: Vec<(String, String)>,
    /// What the table is, for people
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,
    /// Leaves a table that exists alone
    #[arg(long)]
    if_not_exists: bool,
    /// Refuses when the table is not at this version, which a new one never is
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    if_version: Option<u64>,
}

pub async fn create(session: &Session, new: &Create) -> Result<()> {
    let table = session.table_at(&new.table, new.if_version)?;
    let mut create = table.create(Struct::from_sql(&new.schema)?).partition_by(names(&new.partition_by));
    if !new.cluster_by.is_empty() {
        create = create.cluster_by(paths(&new.cluster_by)?);
    }
    for (key, value) in &new.property {
        create = create.property(key, value);
    }
    if let Some(comment) = &new.comment {
        create = create.comment(comment);
    }
    if new.if_not_exists {
        create = create.if_not_exists();
    }
    let _writing = session.writing(&table);
    session.output.report(create.run().await?)
}

/// Adds rows from files or standard input, making the table when it is missing
#[derive(Args)]
#[command(after_help = "Example: lakebed append ./events january.parquet february.csv --partition-by day")]
pub struct Append {
    /// Path or URL
    #[arg(value_name = "TABLE")]
    table: String,
    /// Parquet, CSV, NDJSON or Arrow files; - is standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<String>,
    /// What to do with rows that are there
    #[arg(long, value_enum, default_value_t = Mode::Append)]
    mode: Mode,
    /// Replaces only rows for which this is true; all new rows must fulfil it
    #[arg(long, value_name = "EXPRESSION", conflicts_with_all = ["overwrite_schema", "dynamic_partitions"])]
    replace_where: Option<String>,
    /// Replaces only the partitions that the rows fall into
    #[arg(long, conflicts_with = "overwrite_schema")]
    dynamic_partitions: bool,
    /// Adds columns that the table lacks
    #[arg(long, conflicts_with = "overwrite_schema")]
    merge_schema: bool,
    /// With --mode overwrite: the rows' columns replace the table's
    #[arg(long)]
    overwrite_schema: bool,
    /// Partition columns of a table that this makes; an empty text for none
    #[arg(long, value_name = "A,B")]
    partition_by: Option<Vec<String>>,
    /// Writes nothing when this application version is recorded already
    #[arg(long, value_name = "APP=VERSION", value_parser = app_version)]
    txn: Option<(String, i64)>,
    /// A note for the history
    #[arg(long, value_name = "TEXT")]
    user_metadata: Option<String>,
    /// A property of a table that this makes; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    property: Vec<(String, String)>,
    /// Refuses when the table is not at this version
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    if_version: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    Append,
    Overwrite,
    Error,
    Ignore,
}

fn app_version(text: &str) -> std::result::Result<(String, i64), String> {
    let (app, version) = text.rsplit_once('=').ok_or("expected APP=VERSION")?;
    match version.trim().parse() {
        Ok(version) if !app.is_empty() => Ok((app.to_owned(), version)),
        _ => Err("expected APP=VERSION with a whole number".to_owned()),
    }
}

impl Append {
    fn configured(&self, mut append: lakebed::Append, replaced: Option<Expr>) -> lakebed::Append {
        append = append.mode(match self.mode {
            Mode::Append => SaveMode::Append,
            Mode::Overwrite => SaveMode::Overwrite,
            Mode::Error => SaveMode::Error,
            Mode::Ignore => SaveMode::Ignore,
        });
        if let Some(replaced) = replaced {
            append = append.replace_where(replaced);
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
        if let Some(columns) = &self.partition_by {
            append = append.partition_by(names(columns).into_iter().filter(|name| !name.is_empty()));
        }
        if let Some((app, version)) = &self.txn {
            append = append.app_version(app, *version);
        }
        if let Some(text) = &self.user_metadata {
            append = append.user_metadata(text);
        }
        for (key, value) in &self.property {
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

pub async fn append(session: &Session, rows: &Append) -> Result<()> {
    let replaced = predicate(rows.replace_where.as_deref())?;
    let table = session.table(&rows.table)?;
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
    let _writing = session.writing(&table);
    let report = rows.configured(append, replaced).run().await?;
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
    let _writing = session.writing(&table);
    let report = {
        let _bar = session.progress.busy("writing the checkpoint");
        table.checkpoint().run().await?
    };
    session.output.report(report)
}

#[cfg(test)]
mod tests {
    use super::app_version;

    #[test]
    fn an_application_and_its_version_are_split_at_the_last_sign() {
        assert_eq!(app_version("job=a=7"), Ok(("job=a".to_owned(), 7)));
        assert!(app_version("job=x").is_err() && app_version("=7").is_err());
    }
}
