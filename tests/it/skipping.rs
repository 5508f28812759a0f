//! Skipping never changes an answer: filtered scans against "read everything, then filter", for random filters over tables full of traps.
//!
//! `LAKEBED_SEED=<n>` runs one seed alone; `LAKEBED_TEST_SCALE=<n>` runs as many times more.

use crate::support::digest::Rows;
use crate::support::random::{Random, seeds};
use crate::support::traps;
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::{concat_batches, filter_record_batch};
use arrow::datatypes::DataType;
use futures::TryStreamExt;
use lakebed::{Expr, Result, Scalar, Snapshot, Table, col, lit};
use std::path::Path;
use std::sync::Arc;

/// The leaf columns of a table, with the values that it holds.
struct Leaf {
    name: String,
    values: ArrayRef,
}

fn leaves(rows: &RecordBatch) -> Vec<Leaf> {
    fn walk(name: String, array: &ArrayRef, out: &mut Vec<Leaf>) {
        match array.data_type() {
            DataType::Struct(fields) if !fields.iter().any(|f| f.name() == "metadata") => {
                for (field, child) in fields.iter().zip(array.as_struct().columns()) {
                    walk(format!("{name}.`{}`", field.name()), child, out);
                }
            }
            DataType::Struct(_) | DataType::List(_) | DataType::Map(..) | DataType::Null => {}
            _ => out.push(Leaf { name, values: Arc::clone(array) }),
        }
    }
    let mut out = Vec::new();
    for (field, column) in rows.schema().fields().iter().zip(rows.columns()) {
        walk(format!("`{}`", field.name()), column, &mut out);
    }
    out
}

/// A value of the column, or one beside it.
fn near(random: &mut Random, leaf: &Leaf) -> Scalar {
    let value = match leaf.values.len() {
        0 => Scalar::Null,
        rows => Scalar::from_array(&leaf.values, random.below(rows as u64) as usize).unwrap(),
    };
    let step = random.pick(&[0, 0, 0, 0, 1, -1, 999, -999, 1000]);
    let odd = random.below(12) == 0;
    match value {
        Scalar::Byte(v) => Scalar::Integer(i32::from(v) + step),
        Scalar::Short(v) => Scalar::Integer(i32::from(v) + step),
        Scalar::Integer(v) if odd => Scalar::Double(f64::from(v) + 0.5),
        Scalar::Integer(v) => Scalar::Integer(v.saturating_add(step)),
        Scalar::Long(v) if odd => Scalar::Double(v as f64),
        Scalar::Long(v) => Scalar::Long(v.saturating_add(step.into())),
        Scalar::Float(v) => Scalar::Float(if odd { random.pick(&[f32::NAN, -0.0, 0.0, f32::INFINITY]) } else { v }),
        Scalar::Double(v) => Scalar::Double(if odd { random.pick(&[f64::NAN, -0.0, 0.0, f64::NEG_INFINITY]) } else { v }),
        Scalar::Decimal { value, precision, scale } => Scalar::Decimal { value: value + i128::from(step.signum()), precision, scale },
        Scalar::Date(v) => Scalar::Date(v.saturating_add(step.signum())),
        Scalar::Timestamp(v) => Scalar::Timestamp(v.saturating_add(step.into())),
        Scalar::TimestampNtz(v) => Scalar::TimestampNtz(v.saturating_add(step.into())),
        Scalar::String(v) => Scalar::String(match random.below(6) {
            0 => v.chars().take(random.below(8) as usize).collect(),
            1 => v + "a",
            _ => v,
        }),
        other => other,
    }
}

fn comparison(random: &mut Random, leaf: &Leaf) -> Expr {
    let column = || col(&leaf.name);
    let value = lit(near(random, leaf));
    match random.below(14) {
        0 => column().is_null(),
        1 => column().is_not_null(),
        2 => column().null_safe_eq(value),
        3 | 4 => column().eq(value),
        5 => column().not_eq(value),
        6 => column().lt(value),
        7 => column().lt_eq(value),
        8 => column().gt(value),
        9 => column().gt_eq(value),
        10 => column().between(value, lit(near(random, leaf))),
        11 => {
            let size = 1 + random.below(12);
            column().in_list((0..size).map(|_| lit(near(random, leaf))).collect::<Vec<_>>())
        }
        12 if *leaf.values.data_type() == DataType::Utf8 => {
            let text = if let Scalar::String(text) = near(random, leaf) { text } else { String::new() };
            let prefix: String = text.chars().filter(|c| !"%_\\".contains(*c)).take(random.below(5) as usize).collect();
            column().like(&format!("{prefix}%"))
        }
        12 if matches!(leaf.values.data_type(), DataType::Timestamp(..)) => {
            Expr::sql(&format!("year({}) {} 1969", leaf.name, random.pick(&["=", "<>", "<", ">="]))).unwrap()
        }
        _ => column().in_list([lit(Scalar::Null), value]),
    }
}

fn predicate(random: &mut Random, leaves: &[Leaf], depth: u64) -> Expr {
    match random.below(if depth == 0 { 1 } else { 6 }) {
        1 => predicate(random, leaves, depth - 1).and(predicate(random, leaves, depth - 1)),
        2 => predicate(random, leaves, depth - 1).or(predicate(random, leaves, depth - 1)),
        3 => predicate(random, leaves, depth - 1).not(),
        _ => {
            let at = random.below(leaves.len() as u64) as usize;
            comparison(random, &leaves[at])
        }
    }
}

fn digest(batches: &[RecordBatch]) -> (usize, String) {
    let mut rows = Rows::default();
    batches.iter().for_each(|batch| rows.push(batch));
    (rows.len(), rows.sha256())
}

/// Runs filters on one version; says how many could be evaluated, and of how many files fewer than all were read.
async fn check(what: &str, snapshot: &Arc<Snapshot>, random: &mut Random, filters: usize) -> (usize, usize) {
    let whole = snapshot.scan().build().unwrap();
    let schema = whole.schema();
    let batches: Vec<RecordBatch> = whole.clone().stream().try_collect().await.unwrap();
    let rows = concat_batches(&schema, &batches).unwrap();
    let leaves = leaves(&rows);
    let (mut evaluated, mut skipped) = (0, 0);
    if leaves.is_empty() {
        return (0, 0);
    }
    for _ in 0..filters {
        let filter = predicate(random, &leaves, 3);
        let shown: Vec<String> = schema.fields().iter().map(|f| f.name().clone()).filter(|_| random.below(3) > 0).collect();
        let Ok(bound) = filter.bind(snapshot.state().schema()) else { continue };
        let Ok(mask) = bound.matches(&rows) else { continue };
        let at: Vec<usize> = shown.iter().map(|name| schema.index_of(name).unwrap()).collect();
        let expected = filter_record_batch(&rows, &mask).unwrap().project(&at).unwrap();
        let scan = snapshot.scan().columns(shown).filter(filter.clone()).build().unwrap();
        let got: Result<Vec<RecordBatch>> = scan.clone().stream().try_collect().await;
        let got = got.unwrap_or_else(|e| panic!("{what}: {}: {e:?}", bound.to_sql()));
        let count = scan.clone().count().await.unwrap();
        let (want, got) = (digest(&[expected]), digest(&got));
        assert_eq!(got, want, "{what}: the rows of `{}`", bound.to_sql());
        assert_eq!(count, want.0 as u64, "{what}: the count of `{}`", bound.to_sql());
        evaluated += 1;
        skipped += usize::from(scan.metrics().files_read < 2 * whole.metrics().files_read);
    }
    (evaluated, skipped)
}

async fn open(path: &Path) -> Arc<Snapshot> {
    Table::at(path.to_str().unwrap()).open().unwrap().snapshot().await.unwrap()
}

// spec: SKIP-1 SKIP-2 SKIP-3 SKIP-4 SKIP-5 SKIP-6 SKIP-7 DAT-11
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn filtered_scans_of_tables_full_of_traps_equal_filtering_everything() {
    let (mut evaluated, mut skipped) = (0, 0);
    for seed in seeds(15) {
        let mut random = Random::new(seed);
        let folder = tempfile::tempdir().unwrap();
        traps::table(folder.path(), &mut random);
        let of_text = check(&format!("seed {seed}, statistics as text"), &open(folder.path()).await, &mut random, 30).await;
        Table::at(folder.path().to_str().unwrap()).open().unwrap().checkpoint().run().await.unwrap();
        let parsed = check(&format!("seed {seed}, statistics of a checkpoint"), &open(folder.path()).await, &mut random, 30).await;
        evaluated += of_text.0 + parsed.0;
        skipped += of_text.1 + parsed.1;
    }
    assert!(evaluated > 0 && skipped * 5 > evaluated, "{skipped} of {evaluated} filters skipped a file: this proves nothing");
}

// spec: SKIP-1 DAT-11
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn filtered_scans_of_golden_tables_equal_filtering_everything() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/golden");
    let mut cases: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    let mut skipped = 0;
    for seed in seeds(1) {
        for case in &cases {
            let mut random = Random::new(seed);
            let what = format!("seed {seed}, {}", case.file_name().unwrap().to_string_lossy());
            skipped += check(&what, &open(&case.join("table")).await, &mut random, 12).await.1;
        }
    }
    assert!(skipped > 0, "no filter skipped a file: this proves nothing");
}
