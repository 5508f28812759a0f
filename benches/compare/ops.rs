//! One operation of lakebed in a fresh process, for benches/compare. usage: compare OP TABLE [ARG…]; prints one number, the check that peers must agree on.

// Bans of `clippy.toml` are for the library.
#![allow(clippy::disallowed_methods)]

use arrow::array::{Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use futures::{StreamExt, TryStreamExt};
use lakebed::{At, CountEffort, Durability, Env, Expr, FileQuery, Result, Snapshot, StorageOptions, Table, Version, column_path};
use std::sync::Arc;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let Some((op, rest)) = args.split_first() else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    match runtime.block_on(run(op, rest)) {
        Ok(number) => println!("{number}"),
        Err(e) => {
            eprintln!("{e:?}");
            std::process::exit(1)
        }
    }
}

async fn run(op: &str, args: &[String]) -> Result<u64> {
    // Peers do not sync what they write; the op with this ending does as they do.
    let (op, durability) = op.strip_suffix("-fast").map_or((op, Durability::Full), |op| (op, Durability::Fast));
    let table = Table::at(&args[0]).storage_options(StorageOptions::new().durability(durability)).open()?;
    match op {
        "version" => {
            let snapshot = table.snapshot().await?;
            Ok(snapshot.version().0 + snapshot.state().schema().fields.len() as u64)
        }
        "paths" => {
            let snapshot = table.snapshot().await?;
            files(&snapshot, None).await
        }
        "plan" => {
            let snapshot = table.snapshot().await?;
            files(&snapshot, Some(&args[1])).await
        }
        "count" => Ok(table.snapshot().await?.counts(CountEffort::Cheap).await?.map_or(0, |c| c.files)),
        "travel" => {
            let version = args[1].parse().expect("a version");
            let snapshot = table.snapshot_at(At::Version(Version(version))).await?;
            files(&snapshot, None).await
        }
        // A table held open: `args[1]` one-row commits, then the number of the last version.
        "append-rows" => {
            let mut last = 0;
            for k in 0..args[1].parse::<i64>().expect("a count") {
                let report = table.append(one_row_schema(), futures::stream::iter([Ok(one_row(k))]).boxed()).run().await?;
                last = report.version.map_or(0, |v| v.0);
            }
            Ok(last)
        }
        // A table held open: the CPU microseconds of one more one-row commit, or of catching up by five foreign ones.
        "held-append" => {
            let snapshot = table.snapshot().await?;
            files(&snapshot, None).await?;
            let before = cpu_micros();
            snapshot.append(one_row_schema(), futures::stream::iter([Ok(one_row(1))]).boxed()).run().await?;
            Ok(cpu_micros() - before)
        }
        "held-refresh" => {
            let snapshot = table.snapshot().await?;
            files(&snapshot, None).await?;
            let log = std::path::Path::new(&args[0]).join("_delta_log");
            let newest = snapshot.version().0;
            for k in 1..=5 {
                std::fs::copy(log.join(format!("{newest:020}.json")), log.join(format!("{:020}.json", newest + k)))
                    .expect("a copied commit");
            }
            let before = cpu_micros();
            let newer = snapshot.refresh().await?;
            assert_eq!(newer.version().0, newest + 5);
            Ok(cpu_micros() - before)
        }
        // Lays the rows out by these columns, in files of so many bytes, within so many MiB; the number of files. How many files a range of
        // one row in a hundred then reads goes to stderr.
        "zorder" => {
            let number = |at: usize| args[at].parse::<u64>().expect("a number");
            let env = Env::system().with_memory_limit(number(3) << 20);
            let table = Table::at(&args[0]).env(env).open()?;
            table.optimize().zorder_by(args[1].split(',')).target_size(number(2)).run().await?;
            let columns = args[1].split(',').map(column_path).collect::<Result<Vec<_>>>()?;
            let layout = table.snapshot().await?.layout(FileQuery::default(), Some(&columns)).await?;
            eprintln!("{layout:?}");
            Ok(layout.files)
        }
        "scan" => {
            let snapshot = table.snapshot().await?;
            let mut scan = snapshot.scan();
            if let Some(columns) = args.get(1).filter(|c| !c.is_empty()) {
                scan = scan.columns(columns.split(','));
            }
            if let Some(filter) = args.get(2) {
                scan = scan.filter(Expr::sql(filter)?);
            }
            scan.build()?.stream().try_fold(0u64, |n, batch| async move { Ok(n + batch.num_rows() as u64) }).await
        }
        other => panic!("no operation {other}"),
    }
}

async fn files(snapshot: &Arc<Snapshot>, filter: Option<&str>) -> Result<u64> {
    let mut query = FileQuery::default();
    if let Some(filter) = filter {
        query = query.filter(Expr::sql(filter)?.bind(snapshot.state().schema())?);
    }
    let mut bytes_of_paths = 0;
    let mut files = snapshot.files(query);
    let mut count = 0;
    while let Some(batch) = files.next().await.transpose()? {
        count += batch.len() as u64;
        bytes_of_paths += (0..batch.len()).map(|row| batch.path(row).len() as u64).sum::<u64>();
    }
    assert!(count == 0 || bytes_of_paths > 0);
    Ok(count)
}

/// CPU time of all threads so far, as the kernel accounts for it.
fn cpu_micros() -> u64 {
    let threads =
        std::fs::read_dir("/proc/self/task").expect("Linux").filter_map(|t| std::fs::read_to_string(t.ok()?.path().join("schedstat")).ok());
    threads.filter_map(|line| line.split(' ').next()?.parse::<u64>().ok()).sum::<u64>() / 1000
}

fn one_row_schema() -> Arc<Schema> {
    Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, true)]))
}

fn one_row(k: i64) -> RecordBatch {
    RecordBatch::try_new(one_row_schema(), vec![Arc::new(Int64Array::from(vec![k]))]).expect("one column of one row")
}
