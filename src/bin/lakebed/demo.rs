//! `demo`: the main job on a small data set, told step by step. Kind: edge.

mod care;
mod changes;

use crate::failure::{Failure, Result};
use crate::look::files_total;
use crate::output::print;
use crate::session::{Session, predicate};
use arrow::array::Array;
use bytes::Bytes;
use comfy_table::{Table as TextTable, presets};
use futures::{StreamExt, TryStreamExt};
use lakebed::{At, CountEffort, Input, LogFileKind, Snapshot, Struct, Table, Version, columns_as_text};
use serde_json::{Map, Value};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The trips of one quarter, with the name of their file.
const QUARTERS: [(&str, &[u8]); 4] = [
    ("trips-2025-q1.parquet", include_bytes!("../../../fixtures/demo/trips-2025-q1.parquet")),
    ("trips-2025-q2.parquet", include_bytes!("../../../fixtures/demo/trips-2025-q2.parquet")),
    ("trips-2025-q3.parquet", include_bytes!("../../../fixtures/demo/trips-2025-q3.parquet")),
    ("trips-2025-q4.parquet", include_bytes!("../../../fixtures/demo/trips-2025-q4.parquet")),
];
const SCHEMA: &str = "trip_id BIGINT NOT NULL COMMENT 'counts up over the year', month STRING, started_at TIMESTAMP, ended_at TIMESTAMP, \
     from_station STRING, to_station STRING, member BOOLEAN, distance_m INT, fare DECIMAL(8,2), \
     weather STRUCT<temperature_c: DOUBLE, rain: BOOLEAN>, stops ARRAY<STRING>, note STRING";
const QUESTION: &str = "month = '2025-08' AND fare > 8 AND weather.rain";
const NARROW: &str = "trip_id BETWEEN 20000 AND 20400";
const SHOWN: &[&str] = &["trip_id", "started_at", "from_station", "to_station", "fare"];
const SHOWN_ROWS: usize = 5;

/// Where the tour takes place.
struct Place {
    /// What the user typed, or the temporary folder.
    folder: PathBuf,
    table: Table,
}

pub async fn run(session: &Session, folder: Option<&Path>) -> Result<()> {
    let place = open(session, folder)?;
    let location = place.folder.join("trips").display().to_string();
    say("lakebed: a year of bike-share trips, 60,000 rows in four Parquet files, in a Delta table on this disk.")?;

    step(1, "Create the table, partitioned by month")?;
    let _writing = session.writing(&place.table);
    let schema = Struct::from_sql(SCHEMA)?;
    let create = place.table.create(schema).partition_by(["month"]).comment("trips of an invented bike-share scheme");
    // Rows are deleted by vectors instead of writing their files again, and what changes can be read as a feed.
    create.property("delta.enableDeletionVectors", "true").property("delta.enableChangeDataFeed", "true").run().await?;
    say(&format!("  {location}/_delta_log/00000000000000000000.json is version 0: protocol, schema, no rows."))?;

    step(2, "Append the quarters, one commit each")?;
    let inputs = Inputs::write(&place.folder)?;
    let mut snapshot = place.table.snapshot().await?;
    for (name, _) in QUARTERS {
        snapshot = append(session, &snapshot, &inputs.0.join(name)).await?;
    }
    drop(inputs);

    step(3, "What the table is now")?;
    schema_of(&snapshot)?;
    let counts = snapshot.counts(CountEffort::Exact).await?.unwrap_or_default();
    let records = counts.records.unwrap_or_default();
    say(&format!("  version {}: {} files, {} bytes, {records} rows", snapshot.version(), counts.files, grouped(counts.bytes)))?;

    step(4, "Ask a question; read only what may hold the answer")?;
    question(&snapshot, QUESTION, "partition values rule out months, minimum and maximum the rest").await?;
    question(&snapshot, NARROW, "minimum and maximum of each file rule them out").await?;

    step(5, "Travel in time")?;
    for version in 0..=snapshot.version().0 {
        let then = place.table.snapshot_at(At::Version(Version(version))).await?;
        let rows = then.scan().build()?.count().await?;
        say(&format!("  trips@v{version} of {} has {rows:>6} rows", then.timestamp().await?))?;
    }
    let early = place.table.snapshot_at(At::Timestamp(place.table.snapshot_at(At::Version(Version(1))).await?.timestamp().await?)).await?;
    say(&format!("  the time of version 1 leads to version {}", early.version()))?;

    step(6, "Correct some trips and add one that was forgotten: an upsert")?;
    changes::upsert(session, &place).await?;

    step(7, "Delete rows without writing their files again")?;
    changes::delete(&place.table).await?;

    step(8, "Read what changed: the change feed")?;
    changes::feed(&place.table).await?;

    step(9, "Write a checkpoint, so that opening the table stays cheap")?;
    let report = place.table.checkpoint().run().await?;
    let bytes = report.metrics.get("sizeInBytes").and_then(Value::as_u64).unwrap_or_default();
    say(&format!("  {} files in {} bytes of Parquet", report.metrics.get("numFiles").unwrap_or(&Value::Null), grouped(bytes)))?;

    step(10, "Look into the log")?;
    log(&place.table).await?;

    step(11, "Join small files")?;
    care::compact(&place.table).await?;

    step(12, "Order rows by several columns, so that files are skipped by each of them")?;
    care::zorder(&place.table).await?;

    step(13, "Delete what no version needs any more")?;
    care::vacuum(&place.table).await?;

    step(14, "Ask the doctor")?;
    care::doctor(&place.table).await?;

    say(&format!("\nThe table stays in {location}. Look further (`cargo run --release --` stands for `lakebed` in a clone):"))?;
    for command in [
        format!("info {location}"),
        format!("history {location}"),
        format!("scan {location} --where \"{QUESTION}\" --limit 10"),
        format!("count {location}@v2"),
        format!("files {location} --where \"{NARROW}\""),
        format!("changes {location} --from 5"),
        format!("sql \"SELECT month, count(*) AS trips FROM trips GROUP BY month ORDER BY month\" --table trips={location}"),
        format!("log dump {location} --from 4"),
        format!("optimize {location} --dry-run"),
        format!("vacuum {location} --dry-run"),
        format!("doctor {location} --deep --format json"),
    ] {
        say(&format!("  lakebed {command}"))?;
    }
    Ok(())
}

fn say(line: &str) -> Result<()> {
    print(&format!("{line}\n"))
}

fn step(number: u32, what: &str) -> Result<()> {
    say(&format!("\n{number}. {what}"))
}

/// Opens `trips` in the folder; it must not be there yet.
fn open(session: &Session, folder: Option<&Path>) -> Result<Place> {
    let folder = match folder {
        Some(folder) => folder.to_owned(),
        None => std::env::temp_dir().join(format!("lakebed-demo-{}", session.env.new_uuid())),
    };
    fs::create_dir_all(&folder).map_err(|e| unwritten(&folder, &e))?;
    let table = session.table(&folder.join("trips").to_string_lossy())?;
    Ok(Place { folder, table })
}

fn unwritten(path: &Path, e: &std::io::Error) -> Failure {
    Failure::Output(e.to_string(), path.display().to_string())
}

/// The input files, which are gone when the tour has read them.
struct Inputs(PathBuf);

impl Inputs {
    fn write(folder: &Path) -> Result<Inputs> {
        let inputs = Inputs(folder.join(".lakebed-demo-input"));
        fs::create_dir_all(&inputs.0).map_err(|e| unwritten(&inputs.0, &e))?;
        for (name, bytes) in QUARTERS {
            let path = inputs.0.join(name);
            fs::File::create(&path).and_then(|mut file| file.write_all(bytes)).map_err(|e| unwritten(&path, &e))?;
        }
        Ok(inputs)
    }
}

impl Drop for Inputs {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

async fn append(session: &Session, snapshot: &Arc<Snapshot>, file: &Path) -> Result<Arc<Snapshot>> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let rows = Input::open(vec![Input::named(&file.to_string_lossy())], Some(snapshot.state().schema()), &session.env).await?;
    let bar = session.progress.steps(&name, 15_000);
    let seen = bar.0.clone();
    let batches = rows.batches.inspect(move |batch| seen.inc(batch.as_ref().map_or(0, |b| b.num_rows() as u64))).boxed();
    let report = snapshot.append(rows.schema, session.stop.rows(batches)).user_metadata(&name).run().await?;
    drop(bar);
    let metric = |key: &str| report.metrics.get(key).and_then(Value::as_u64).unwrap_or_default();
    let version = report.version.map_or(0, |v| v.0);
    say(&format!(
        "  {name}: {} rows -> {} files, {} bytes, version {version} in {} ms",
        metric("numOutputRows"),
        metric("numFiles"),
        grouped(metric("numOutputBytes")),
        report.duration_ms
    ))?;
    Ok(snapshot.table().snapshot().await?)
}

fn schema_of(snapshot: &Snapshot) -> Result<()> {
    for field in &snapshot.state().schema().fields {
        let required = if field.nullable { "" } else { " not null" };
        say(&format!("  {:14}{}{required}", field.name, field.data_type))?;
    }
    say(&format!("  partitioned by {}", snapshot.state().partition_columns().join(", ")))
}

/// Asks, shows a few rows, and tells what was read for the answer.
async fn question(snapshot: &Arc<Snapshot>, text: &str, why: &str) -> Result<()> {
    let Some(filter) = predicate(Some(text))? else { return Ok(()) };
    say(&format!("  SELECT {} WHERE {text}", SHOWN.join(", ")))?;
    let total = files_total(snapshot).await?;
    let bytes = snapshot.counts(CountEffort::Exact).await?.unwrap_or_default().bytes;
    let scan = snapshot.scan().columns(SHOWN.iter().copied()).filter(filter).build()?;
    let mut table = TextTable::new();
    table.load_preset(presets::UTF8_FULL_CONDENSED).set_header(SHOWN);
    let mut rows = 0;
    let mut batches = scan.clone().stream();
    while let Some(batch) = batches.try_next().await? {
        let columns = columns_as_text(&batch)?;
        rows += batch.num_rows() as u64;
        let left = SHOWN_ROWS - table.row_iter().count();
        for row in 0..batch.num_rows().min(left) {
            table.add_row(columns.iter().map(|c| if c.is_valid(row) { c.value(row) } else { "NULL" }));
        }
    }
    for line in table.lines() {
        say(&format!("  {line}"))?;
    }
    let read = scan.metrics();
    say(&format!(
        "  {rows} rows, {} of them shown. Read {} of {total} files and {} of {} bytes; {} files skipped: {why}.",
        table.row_iter().count(),
        read.files_read,
        grouped(read.bytes_read),
        grouped(bytes),
        total.saturating_sub(read.files_read)
    ))
}

/// The files of the log, and the newest commit action by action.
async fn log(table: &Table) -> Result<()> {
    let files: Vec<_> = table.log().list(Version(0)).try_collect().await?;
    for file in &files {
        say(&format!("  {:>8} bytes  _delta_log/{}", grouped(file.size), file.name))?;
    }
    let Some(newest) = files.iter().rev().find(|file| file.kind == LogFileKind::Commit) else { return Ok(()) };
    let body: Bytes = table.log().read_commit(newest.version).await?.unwrap_or_default();
    say(&format!("  version {}, action by action:", newest.version))?;
    for line in String::from_utf8_lossy(&body).lines() {
        let actions: Map<String, Value> = serde_json::from_str(line).unwrap_or_default();
        for (kind, action) in actions {
            let text = match action.get("path") {
                Some(path) => format!("{}, {} bytes", path.as_str().unwrap_or_default(), action["size"]),
                None => format!("{} {}", action["operation"].as_str().unwrap_or_default(), action["operationMetrics"]),
            };
            say(&format!("    {kind}: {text}"))?;
        }
    }
    Ok(())
}

/// 1234567 as 1,234,567.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
