//! `changes`: what changed from version to version. Kind: edge.

use crate::failure::{Failure, Result};
use crate::session::{Session, predicate, timestamp};
use futures::TryStreamExt;
use lakebed::{At, Version};

/// What `changes` is asked for.
pub struct Wanted<'a> {
    pub from: Option<u64>,
    pub to: Option<u64>,
    pub from_timestamp: Option<&'a str>,
    pub to_timestamp: Option<&'a str>,
    pub columns: Option<&'a [String]>,
    pub filter: Option<&'a str>,
}

pub async fn changes(session: &Session, table: &str, wanted: Wanted<'_>) -> Result<()> {
    let filter = predicate(wanted.filter)?;
    let from = end(wanted.from, wanted.from_timestamp)?.unwrap_or(At::Version(Version(0)));
    let mut changes = session.table(table)?.changes(from);
    if let Some(to) = end(wanted.to, wanted.to_timestamp)? {
        changes = changes.to(to);
    }
    if let Some(columns) = wanted.columns {
        changes = changes.columns(columns.iter().map(|c| c.trim()));
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
