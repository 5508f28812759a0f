//! The part of the tour in which the table is looked after: each step shows its plan, then what it did. Kind: edge.

use super::{grouped, say};
use crate::failure::Result;
use lakebed::{Plan, Report, Table};

/// What rows are ordered by, in each partition.
const CURVE: [&str; 2] = ["trip_id", "distance_m"];

/// Joins the small files that corrections and quarters left.
pub async fn compact(table: &Table) -> Result<()> {
    let optimize = table.optimize();
    let planned = optimize.plan().await?;
    plan(planned.summary())?;
    done(&optimize.execute(planned).await?)
}

/// Lays rows out along a curve.
pub async fn zorder(table: &Table) -> Result<()> {
    say(&format!("  ZORDER BY ({})", CURVE.join(", ")))?;
    let optimize = table.optimize().zorder_by(CURVE);
    let planned = optimize.plan().await?;
    plan(planned.summary())?;
    done(&optimize.execute(planned).await?)
}

/// Deletes what no version within the retention needs: here nothing yet, all of it is young.
pub async fn vacuum(table: &Table) -> Result<()> {
    let planned = table.vacuum().plan().await?;
    plan(planned.summary())?;
    done(&planned.execute(table).await?)?;
    say("  What was replaced stays for a week (`delta.deletedFileRetentionDuration`), so that older versions can still be read.")
}

pub async fn doctor(table: &Table) -> Result<()> {
    let findings = table.doctor().deep(true).run().await?;
    for finding in &findings {
        say(&format!("  {}: {}", finding.code, finding.message))?;
    }
    say(&format!("  log, checkpoint, statistics, vectors and every row were looked at: {} findings", findings.len()))
}

fn plan(plan: &Plan) -> Result<()> {
    say(&format!("  plan: {}", told(plan)))
}

fn done(report: &Report) -> Result<()> {
    let Some(actual) = &report.actual else { return Ok(()) };
    let version = report.version.map_or_else(|| "no new version".to_owned(), |v| format!("version {v}"));
    say(&format!("  done: {}; {version} in {} ms", told(actual), report.duration_ms))
}

/// Objects by kind, bytes and requests in one line.
fn told(plan: &Plan) -> String {
    let mut parts: Vec<String> = plan
        .actions
        .iter()
        .map(|(kind, amount)| format!("{} {} of {} bytes", kind.replace('_', " "), amount.count, grouped(amount.bytes)))
        .collect();
    if parts.is_empty() {
        parts.push("nothing to do".to_owned());
    }
    let n = &plan.requests;
    let requests = n.list + n.get + n.head + n.put + n.copy + n.delete;
    parts.push(format!("{} bytes read, {} written, {requests} requests", grouped(plan.bytes_read), grouped(plan.bytes_written)));
    parts.join(", ")
}
