//! `merge`: rows of another table or of a file change those of a table. Kind: edge.

use crate::args::TableAt;
use crate::failure::Result;
use crate::output::warn;
use crate::session::Session;
use futures::StreamExt;
use lakebed::{Expr, Input, InputRows, MergeClause, Struct, Version};
use std::path::Path;

/// What `merge` is asked for.
pub struct Wanted<'a> {
    pub using: &'a str,
    pub source_alias: &'a str,
    pub on: &'a str,
    pub when: &'a [String],
    pub schema_evolution: bool,
    pub user_metadata: Option<&'a str>,
    pub if_version: Option<u64>,
}

pub async fn merge(session: &Session, table: &str, wanted: Wanted<'_>) -> Result<()> {
    let on = Expr::sql(wanted.on)?;
    let clauses = wanted.when.iter().map(|text| MergeClause::sql(text)).collect::<lakebed::Result<Vec<_>>>()?;
    let table = session.table(table)?;
    let target = table.snapshot().await?;
    warn(target.warnings());
    let InputRows { schema, batches } = source(session, wanted.using, target.state().schema()).await?;
    let bar = session.progress.rows("merging");
    let seen = bar.0.clone();
    let batches = batches.inspect(move |batch| seen.inc(batch.as_ref().map_or(0, |b| b.num_rows() as u64))).boxed();
    let rows = InputRows { schema, batches: session.stop.rows(batches) };
    let mut merge = clauses.into_iter().fold(table.merge(rows, on).source_alias(wanted.source_alias), |merge, clause| merge.when(clause));
    if wanted.schema_evolution {
        merge = merge.schema_evolution();
    }
    if let Some(text) = wanted.user_metadata {
        merge = merge.user_metadata(text);
    }
    if let Some(version) = wanted.if_version {
        merge = merge.if_version(Version(version));
    }
    let _writing = session.stop.writing();
    let report = merge.run().await?;
    drop(bar);
    session.output.report(report)
}

/// The rows of a file, when the name is one of a file; else those of a table.
pub async fn source(session: &Session, name: &str, typed: &Struct) -> Result<InputRows> {
    const FILES: &[&str] = &["parquet", "csv", "ndjson", "jsonl", "json", "arrow", "feather"];
    let ending = Path::new(name).extension().map(|e| e.to_string_lossy().to_lowercase());
    let is_file = name == "-" || ending.is_some_and(|e| FILES.contains(&e.as_str())) && !Path::new(name).is_dir();
    if is_file {
        return Ok(Input::open(vec![Input::named(name)], Some(typed), &session.env).await?);
    }
    let at = TableAt { table: name.to_owned(), version: None, timestamp: None };
    let scan = session.snapshot(&at).await?.scan().build()?;
    Ok(InputRows { schema: scan.schema(), batches: scan.stream() })
}
