//! `restore` and `diff`: back to an older version, and what lies between two. Kind: edge.

use crate::changes::end;
use crate::failure::Result;
use crate::output::into_map;
use crate::session::{Session, prices};
use clap::Args;
use lakebed::{At, Version};
use serde_json::json;

/// Takes the table back to an older version, by a new commit
#[derive(Args)]
#[command(after_help = "Example: lakebed restore ./events --version 12 --dry-run")]
#[command(group = clap::ArgGroup::new("to").required(true).args(["version", "timestamp"]))]
pub struct Restore {
    /// Path or URL
    #[arg(value_name = "TABLE")]
    table: String,
    /// This version
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    version: Option<u64>,
    /// The newest version that is not younger, such as 2026-11-21T10:00:00Z
    #[arg(long, value_name = "T")]
    timestamp: Option<String>,
    /// Shows what would come back and what would go, and does nothing
    #[arg(long)]
    dry_run: bool,
    /// Adds what it costs: aws, azure, gcp or a price list
    #[arg(long, value_name = "FILE|PROVIDER")]
    prices: Option<String>,
    /// A note for the history
    #[arg(long, value_name = "TEXT")]
    user_metadata: Option<String>,
    /// Refuses when the table is not at this version
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    if_version: Option<u64>,
}

pub async fn restore(session: &Session, asked: &Restore) -> Result<()> {
    let to = end(asked.version, asked.timestamp.as_deref())?;
    let prices = prices(asked.prices.as_deref())?;
    let table = session.table(&asked.table)?;
    let mut restore = table.restore(to.unwrap_or(At::Latest));
    if let Some(text) = &asked.user_metadata {
        restore = restore.user_metadata(text);
    }
    if let Some(version) = asked.if_version {
        restore = restore.if_version(Version(version));
    }
    if asked.dry_run {
        return session.output.plan(restore.plan().await?.summary(), prices.as_ref());
    }
    let _writing = session.writing(&table);
    let report = {
        let _bar = session.progress.busy("restoring");
        restore.run().await?
    };
    session.output.report_with(report, prices.as_ref())
}

pub async fn diff(session: &Session, table: &str, from: u64, to: Option<u64>) -> Result<()> {
    let to = to.map_or(At::Latest, |to| At::Version(Version(to)));
    let difference = {
        let _bar = session.progress.busy("comparing");
        session.table(table)?.diff(At::Version(Version(from))).to(to).run().await?
    };
    session.output.object(into_map(json!(difference)))
}
