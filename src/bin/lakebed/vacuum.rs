//! `vacuum`: what no version within the retention needs goes. Kind: edge.

use crate::failure::Result;
use crate::merge::source;
use crate::output::warn;
use crate::session::{Session, prices};
use clap::Args;
use lakebed::{INVENTORY_COLUMNS, Struct, Version};
use serde_json::json;
use std::time::Duration;

#[derive(Args)]
pub struct Vacuum {
    /// Path or URL
    #[arg(value_name = "TABLE")]
    table: String,
    /// How long removed files are kept, such as 168h or 10d; default: the table's own retention
    #[arg(long, value_name = "SPAN", value_parser = span, allow_hyphen_values = true)]
    retain: Option<Duration>,
    /// Looks only at what the log says was removed since the last time
    #[arg(long, conflicts_with = "inventory")]
    lite: bool,
    /// Takes the objects from a file or table with the columns path, length, isDir, modificationTime instead of listing them
    #[arg(long, value_name = "FILE")]
    inventory: Option<String>,
    /// Keeps what this shallow clone of the table names; may be repeated
    #[arg(long, value_name = "TABLE")]
    keep_for: Vec<String>,
    /// Permits a retention below the table's own: older versions and running queries may break
    #[arg(long)]
    allow_short_retention: bool,
    /// Nobody writes to the table now: files that no commit names yet go by the retention alone, without a day's grace
    #[arg(long)]
    i_know_no_writers: bool,
    /// Refuses when the table is not at this version
    #[arg(long, value_name = "N")]
    if_version: Option<u64>,
    /// Shows the plan and deletes nothing
    #[arg(long)]
    dry_run: bool,
    /// Adds what it costs: aws, azure, gcp or a price list
    #[arg(long, value_name = "FILE|PROVIDER")]
    prices: Option<String>,
}

pub async fn run(session: &Session, asked: &Vacuum) -> Result<()> {
    let prices = prices(asked.prices.as_deref())?;
    let table = session.table(&asked.table)?;
    let mut vacuum = table.vacuum();
    if let Some(span) = asked.retain {
        vacuum = vacuum.retain(span);
    }
    if asked.lite {
        vacuum = vacuum.lite();
    }
    if let Some(name) = &asked.inventory {
        let columns = Struct::from_sql(INVENTORY_COLUMNS)?;
        vacuum = vacuum.inventory(session.stop.rows(source(session, name, &columns).await?.batches));
    }
    for clone in &asked.keep_for {
        vacuum = vacuum.keep_for(session.table(clone)?);
    }
    if asked.allow_short_retention {
        vacuum = vacuum.allow_short_retention();
    }
    if asked.i_know_no_writers {
        vacuum = vacuum.no_other_writers();
    }
    if let Some(version) = asked.if_version {
        vacuum = vacuum.if_version(Version(version));
    }
    if asked.dry_run {
        let plan = {
            let _bar = session.progress.busy("looking for files to delete");
            vacuum.plan().await?
        };
        warn(plan.warnings());
        return session.output.plan_with(plan.summary(), prices.as_ref(), [("kept", json!(plan.kept()))]);
    }
    let _writing = session.writing(&table);
    let report = {
        let _bar = session.progress.busy("deleting files");
        vacuum.run().await?
    };
    session.output.report_with(report, prices.as_ref())
}

/// A span of time: `168h`, `7d`, `30m`, `90s`, `2w`; a bare number is hours.
fn span(text: &str) -> std::result::Result<Duration, String> {
    let bare = text.trim();
    let digits = bare.find(|c: char| !c.is_ascii_digit()).unwrap_or(bare.len());
    let (number, unit) = bare.split_at(digits);
    let seconds = match unit.trim().to_ascii_lowercase().as_str() {
        "s" | "sec" | "second" | "seconds" => 1,
        "m" | "min" | "minute" | "minutes" => 60,
        "" | "h" | "hour" | "hours" => 3_600,
        "d" | "day" | "days" => 86_400,
        "w" | "week" | "weeks" => 604_800,
        _ => return Err("expected a span such as 168h or 7d".to_owned()),
    };
    let spans = number.parse::<u64>().ok().and_then(|n| n.checked_mul(seconds));
    spans.map(Duration::from_secs).ok_or_else(|| "expected a span such as 168h or 7d".to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Duration, span};

    #[test]
    fn spans_have_units_and_bare_numbers_are_hours() {
        let hours = |n: u64| Ok(Duration::from_secs(n * 3_600));
        assert_eq!((span("168h"), span("7d"), span("1 week"), span("168")), (hours(168), hours(168), hours(168), hours(168)));
        assert_eq!((span("0h"), span("90s")), (hours(0), Ok(Duration::from_secs(90))));
        assert!(["", "h", "-1h", "1.5h", "7 moons", "99999999999999999999h"].iter().all(|text| span(text).is_err()));
    }
}
