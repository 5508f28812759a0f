//! `merge`: rows of another table or of a file change those of a table. Kind: edge.

use crate::args::TableAt;
use crate::failure::Result;
use crate::output::warn;
use crate::session::Session;
use clap::Args;
use futures::StreamExt;
use lakebed::{Expr, Input, InputRows, MergeClause, Struct, Version};
use std::path::Path;

/// Updates, deletes and inserts rows by those of another table or of a file
#[derive(Args)]
#[command(
    after_help = "Example: lakebed merge ./people --using new.csv --on 't.id = s.id' --when 'MATCHED THEN UPDATE SET *' --when 'NOT MATCHED THEN INSERT *'"
)]
pub struct Merge {
    /// Path or URL
    #[arg(value_name = "TABLE")]
    table: String,
    /// Where rows come from: a table (with an optional suffix @vN), or a Parquet, CSV, NDJSON or Arrow file; - is standard input
    #[arg(long, value_name = "SOURCE")]
    using: String,
    /// What expressions call the source; the table is `t`
    #[arg(long = "as", value_name = "NAME", default_value = "s")]
    source_alias: String,
    /// Which rows match, such as 't.id = s.id'
    #[arg(long, value_name = "EXPRESSION")]
    on: String,
    /// A clause: what SQL has after WHEN, such as 'MATCHED AND s.gone THEN DELETE'; may be repeated, the order counts
    #[arg(long, value_name = "CLAUSE", required = true)]
    when: Vec<String>,
    /// Adds columns to the table that clauses name and only the source has
    #[arg(long)]
    schema_evolution: bool,
    /// A note for the history
    #[arg(long, value_name = "TEXT")]
    user_metadata: Option<String>,
    /// Refuses when the table is not at this version
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    if_version: Option<u64>,
}

pub async fn merge(session: &Session, wanted: &Merge) -> Result<()> {
    let on = Expr::sql(&wanted.on)?;
    let clauses = wanted.when.iter().map(|text| MergeClause::sql(text)).collect::<lakebed::Result<Vec<_>>>()?;
    let table = session.table(&wanted.table)?;
    let target = table.snapshot().await?;
    warn(target.warnings());
    let InputRows { schema, batches } = source(session, &wanted.using, target.state().schema()).await?;
    let bar = session.progress.rows("merging");
    let seen = bar.0.clone();
    let batches = batches.inspect(move |batch| seen.inc(batch.as_ref().map_or(0, |b| b.num_rows() as u64))).boxed();
    let rows = InputRows { schema, batches: session.stop.rows(batches) };
    let mut merge = clauses.into_iter().fold(table.merge(rows, on).source_alias(&wanted.source_alias), |merge, clause| merge.when(clause));
    if wanted.schema_evolution {
        merge = merge.schema_evolution();
    }
    if let Some(text) = &wanted.user_metadata {
        merge = merge.user_metadata(text);
    }
    if let Some(version) = wanted.if_version {
        merge = merge.if_version(Version(version));
    }
    let _writing = session.writing(&table);
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
