//! The part of the tour in which rows change. Kind: edge.

use super::{Place, grouped, say, unwritten};
use crate::failure::Result;
use arrow::array::Array;
use futures::TryStreamExt;
use lakebed::{At, Expr, Input, MergeClause, Report, Table, Version, columns_as_text};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fs;

/// What came in late: two trips with another fare, and one that was not there.
const CORRECTIONS: &str = r#"{"trip_id":20010,"month":"2025-05","fare":"0.50","note":"refunded"}
{"trip_id":20020,"month":"2025-05","fare":"0.50","note":"refunded"}
{"trip_id":60001,"month":"2025-12","fare":"4.25","note":"found in the depot"}
"#;
const UPSERT: [&str; 2] = [
    "MATCHED THEN UPDATE SET fare = s.fare, note = s.note",
    "NOT MATCHED THEN INSERT (trip_id, month, fare, note) VALUES (s.trip_id, s.month, s.fare, s.note)",
];
const UNWANTED: &str = "month = '2025-03' AND distance_m < 400";

pub async fn upsert(session: &crate::session::Session, place: &Place) -> Result<()> {
    let file = place.folder.join(".lakebed-demo-corrections.ndjson");
    fs::write(&file, CORRECTIONS).map_err(|e| unwritten(&file, &e))?;
    let target = place.table.snapshot().await?;
    let rows = Input::open(vec![Input::named(&file.to_string_lossy())], Some(target.state().schema()), &session.env).await;
    let report = match rows {
        Ok(rows) => {
            let mut merge = place.table.merge(rows, Expr::sql("t.trip_id = s.trip_id")?);
            for clause in UPSERT {
                say(&format!("  WHEN {clause}"))?;
                merge = merge.when(MergeClause::sql(clause)?);
            }
            merge.run().await
        }
        Err(e) => Err(e),
    };
    let _ = fs::remove_file(&file);
    let report = report?;
    say(&format!(
        "  {} rows updated, {} inserted; version {}",
        metric(&report, "numTargetRowsUpdated"),
        metric(&report, "numTargetRowsInserted"),
        version(&report)
    ))
}

pub async fn delete(table: &Table) -> Result<()> {
    say(&format!("  DELETE WHERE {UNWANTED}"))?;
    let report = table.delete().filter(Expr::sql(UNWANTED)?).run().await?;
    say(&format!(
        "  {} rows deleted; {} data files written, {} deletion vectors; version {}",
        metric(&report, "numDeletedRows"),
        metric(&report, "numAddedFiles"),
        metric(&report, "numDeletionVectorsAdded"),
        version(&report)
    ))?;
    let Some(made) = report.version else { return Ok(()) };
    let body = table.log().read_commit(made).await?.unwrap_or_default();
    for line in String::from_utf8_lossy(&body).lines() {
        let actions: Map<String, Value> = serde_json::from_str(line).unwrap_or_default();
        let Some(vector) = actions.get("add").and_then(|add| add.get("deletionVector")) else { continue };
        let path = actions["add"]["path"].as_str().unwrap_or_default();
        say(&format!("  {path}"))?;
        say(&format!(
            "    stays as it is; its vector of {} bytes names {} rows (log: {} {})",
            vector["sizeInBytes"], vector["cardinality"], vector["storageType"], vector["pathOrInlineDv"]
        ))?;
    }
    Ok(())
}

pub async fn feed(table: &Table) -> Result<()> {
    let feed = table.changes(At::Version(Version(5))).build().await?;
    let schema = feed.schema();
    let at = |name: &str| schema.index_of(name).ok();
    let (Some(kind), Some(version)) = (at("_change_type"), at("_commit_version")) else { return Ok(()) };
    let mut counts: BTreeMap<(String, String), u64> = BTreeMap::new();
    let mut batches = feed.stream();
    while let Some(batch) = batches.try_next().await? {
        let columns = columns_as_text(&batch)?;
        for row in 0..batch.num_rows() {
            let text = |column: usize| if columns[column].is_valid(row) { columns[column].value(row).to_owned() } else { String::new() };
            *counts.entry((text(version), text(kind))).or_default() += 1;
        }
    }
    for ((version, kind), rows) in counts {
        say(&format!("  version {version}: {:>5} rows  {kind}", grouped(rows)))?;
    }
    Ok(())
}

fn metric<'a>(report: &'a Report, key: &str) -> &'a Value {
    report.metrics.get(key).unwrap_or(&Value::Null)
}

fn version(report: &Report) -> String {
    report.version.map_or_else(|| "unchanged".to_owned(), |v| v.to_string())
}
