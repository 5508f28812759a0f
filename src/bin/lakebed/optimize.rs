//! `optimize`: how files lie. Kind: edge.

use crate::args::{columns, size};
use crate::failure::Result;
use crate::session::{Session, predicate, prices};
use clap::Args;
use lakebed::Version;
use serde_json::json;

/// Lays files out anew: joins small ones, writes those with many deleted rows without these; orders rows by several columns at once
#[derive(Args)]
#[command(after_help = "Example: lakebed optimize ./events --where \"day >= '2026-01-01'\" --dry-run --prices aws")]
pub struct Optimize {
    /// Path or URL
    #[arg(value_name = "TABLE")]
    table: String,
    /// Only partitions for which this is true; names partition columns alone
    #[arg(long = "where", value_name = "EXPRESSION")]
    filter: Option<String>,
    /// Writes every file that has deleted rows without them, and joins nothing else
    #[arg(long)]
    purge: bool,
    /// Orders the rows of each partition by these columns at once, so that files can be skipped by any of them
    #[arg(long, value_name = "A,B", conflicts_with = "purge")]
    zorder_by: Vec<String>,
    /// On a table that declares clustering columns: also files that were clustered by others
    #[arg(long, conflicts_with_all = ["purge", "zorder_by"])]
    full: bool,
    /// The size of files; default: the table's `delta.targetFileSize`, else 128MiB
    #[arg(long, value_name = "SIZE", value_parser = size)]
    target_size: Option<u64>,
    /// Adds what it costs: aws, azure, gcp or a price list
    #[arg(long, value_name = "FILE|PROVIDER")]
    prices: Option<String>,
    /// Prints what would be done, and does nothing
    #[arg(long)]
    dry_run: bool,
    /// A note for the history
    #[arg(long, value_name = "TEXT")]
    user_metadata: Option<String>,
    /// Refuses when the table is not at this version
    #[arg(long, value_name = "N")]
    if_version: Option<u64>,
}

pub async fn run(session: &Session, asked: &Optimize) -> Result<()> {
    let prices = prices(asked.prices.as_deref())?;
    let table = session.table(&asked.table)?;
    let mut optimize = table.optimize();
    if let Some(filter) = predicate(asked.filter.as_deref())? {
        optimize = optimize.filter(filter);
    }
    if asked.purge {
        optimize = optimize.purge();
    }
    if !asked.zorder_by.is_empty() {
        optimize = optimize.zorder_by(columns(&asked.zorder_by));
    }
    if asked.full {
        optimize = optimize.full();
    }
    if let Some(bytes) = asked.target_size {
        optimize = optimize.target_size(bytes);
    }
    if let Some(text) = &asked.user_metadata {
        optimize = optimize.user_metadata(text);
    }
    if let Some(version) = asked.if_version {
        optimize = optimize.if_version(Version(version));
    }
    if asked.dry_run {
        let (plan, gains) = {
            let _bar = session.progress.busy("looking at files");
            let plan = optimize.plan().await?;
            let gains = optimize.gains(&plan).await?;
            (plan, gains)
        };
        return session.output.plan_with(plan.summary(), prices.as_ref(), [("skipping", json!(gains))]);
    }
    let _writing = session.writing(&table);
    let report = {
        let _bar = session.progress.busy("laying files out anew");
        optimize.run().await?
    };
    session.output.report_with(report, prices.as_ref())
}
