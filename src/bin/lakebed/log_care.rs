//! `log compact` and `log cleanup`. Kind: edge.

use crate::failure::Result;
use crate::output::warn;
use crate::session::{Session, prices};

pub async fn compact(session: &Session, table: &str, dry_run: bool, price_list: Option<&str>) -> Result<()> {
    let price_list = prices(price_list)?;
    let table = session.table(table)?;
    let compact = table.compact_log();
    if dry_run {
        return session.output.plan(compact.plan().await?.summary(), price_list.as_ref());
    }
    let _writing = session.writing(&table);
    let report = compact.run().await?;
    session.output.report_with(report, price_list.as_ref())
}

pub async fn cleanup(session: &Session, table: &str, dry_run: bool, price_list: Option<&str>) -> Result<()> {
    let price_list = prices(price_list)?;
    let table = session.table(table)?;
    let cleanup = table.cleanup_log();
    if dry_run {
        let plan = cleanup.plan().await?;
        warn(plan.warnings());
        return session.output.plan(plan.summary(), price_list.as_ref());
    }
    let _writing = session.writing(&table);
    let report = {
        let _bar = session.progress.busy("cleaning up the log");
        cleanup.run().await?
    };
    session.output.report_with(report, price_list.as_ref())
}
