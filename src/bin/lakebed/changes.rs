//! `changes`: what changed from version to version. Kind: edge.

use crate::args::names;
use crate::failure::{Failure, Result};
use crate::session::{Session, predicate, timestamp};
use clap::Args;
use futures::TryStreamExt;
use lakebed::{At, Version};

/// Reads what changed: rows with _change_type, _commit_version and _commit_timestamp
#[derive(Args)]
#[command(after_help = "Example: lakebed changes ./events --from 5 --to 9 --where \"_change_type = 'delete'\"")]
#[command(group = clap::ArgGroup::new("start").required(true).args(["from", "from_timestamp"]))]
pub struct Changes {
    /// Path or URL
    #[arg(value_name = "TABLE")]
    table: String,
    /// The first version
    #[arg(long, value_name = "V", allow_negative_numbers = true)]
    from: Option<u64>,
    /// The last version; default: the newest
    #[arg(long, value_name = "V", conflicts_with = "to_timestamp", allow_negative_numbers = true)]
    to: Option<u64>,
    /// The first commit that is not older, such as 2026-11-21T10:00:00Z
    #[arg(long, value_name = "T")]
    from_timestamp: Option<String>,
    /// The last commit that is not younger
    #[arg(long, value_name = "T")]
    to_timestamp: Option<String>,
    /// Only these columns, in this order
    #[arg(long, value_name = "A,B")]
    columns: Option<Vec<String>>,
    /// Only rows for which this is true
    #[arg(long = "where", value_name = "EXPRESSION")]
    filter: Option<String>,
}

pub async fn changes(session: &Session, wanted: &Changes) -> Result<()> {
    let filter = predicate(wanted.filter.as_deref())?;
    let from = end(wanted.from, wanted.from_timestamp.as_deref())?.unwrap_or(At::Version(Version(0)));
    let mut changes = session.table(&wanted.table)?.changes(from);
    if let Some(to) = end(wanted.to, wanted.to_timestamp.as_deref())? {
        changes = changes.to(to);
    }
    if let Some(columns) = &wanted.columns {
        changes = changes.columns(names(columns));
    }
    if let Some(filter) = filter {
        changes = changes.filter(filter);
    }
    let feed = changes.build().await?;
    let mut out = session.output.rows(&feed.schema())?;
    let mut batches = feed.stream();
    while let Some(batch) = batches.try_next().await? {
        out.write(&batch)?;
    }
    out.finish()
}

pub fn end(version: Option<u64>, time: Option<&str>) -> Result<Option<At>> {
    match (version, time) {
        (Some(version), _) => Ok(Some(At::Version(Version(version)))),
        (None, Some(text)) => {
            let time =
                timestamp(text).ok_or_else(|| Failure::Usage(format!("`{text}` is not a timestamp such as 2026-11-21T10:00:00Z")))?;
            Ok(Some(At::Timestamp(time)))
        }
        (None, None) => Ok(None),
    }
}
