//! `restore` and `diff`: back to an older version, and what lies between two. Kind: edge.

use crate::failure::Result;
use crate::output::into_map;
use crate::session::{Session, prices};
use lakebed::{At, Version};
use serde_json::json;

/// What `restore` is asked for.
pub struct Asked<'a> {
    pub to: Option<At>,
    pub dry_run: bool,
    pub prices: Option<&'a str>,
    pub user_metadata: Option<&'a str>,
    pub if_version: Option<u64>,
}

pub async fn restore(session: &Session, table: &str, asked: Asked<'_>) -> Result<()> {
    let prices = prices(asked.prices)?;
    let mut restore = session.table(table)?.restore(asked.to.unwrap_or(At::Latest));
    if let Some(text) = asked.user_metadata {
        restore = restore.user_metadata(text);
    }
    if let Some(version) = asked.if_version {
        restore = restore.if_version(Version(version));
    }
    if asked.dry_run {
        return session.output.plan(restore.plan().await?.summary(), prices.as_ref());
    }
    let _writing = session.stop.writing();
    let report = {
        let _bar = session.progress.busy("restoring");
        restore.run().await?
    };
    session.output.report(report)
}

pub async fn diff(session: &Session, table: &str, from: u64, to: Option<u64>) -> Result<()> {
    let to = to.map_or(At::Latest, |to| At::Version(Version(to)));
    let difference = {
        let _bar = session.progress.busy("comparing");
        session.table(table)?.diff(At::Version(Version(from))).to(to).run().await?
    };
    session.output.object(into_map(json!(difference)))
}
