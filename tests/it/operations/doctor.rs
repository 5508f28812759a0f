//! The doctor: every kind of damage of `fixtures/broken` is found by its code, no healthy table has a finding, repairs mend and can be undone.

use super::row_changes::{Row, batch, made};
use super::*;
use crate::support::folders::copy_folder;
use crate::support::stores::{Fault, Faulty, Kind};
use futures::TryStreamExt;
use lakebed::{Clock, Code, Finding, PathLogStore, Severity, TableRoot, Timestamp, Version};
use object_store::ObjectStore;
use object_store::memory::InMemory;
use serde_json::json;
use std::collections::BTreeSet;
use std::path::PathBuf;

const DAY_MS: i64 = 86_400_000;

#[derive(Debug)]
struct At(i64);

impl Clock for At {
    fn now(&self) -> Timestamp {
        Timestamp(self.0)
    }
    fn sleep(&self, _: std::time::Duration) -> futures::future::BoxFuture<'static, ()> {
        Box::pin(futures::future::ready(()))
    }
}

fn fixtures(kind: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(kind);
    let mut all: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    all.sort();
    all
}

/// When the newest file of a folder was written.
fn newest(folder: &Path) -> i64 {
    let of = |entry: std::fs::DirEntry| match entry.path().is_dir() {
        true => newest(&entry.path()),
        false => entry.metadata().unwrap().modified().unwrap().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64,
    };
    std::fs::read_dir(folder).unwrap().map(|entry| of(entry.unwrap())).max().unwrap_or(0)
}

/// A table as it looks some days after its newest file.
fn later(folder: &Path, days: i64) -> Table {
    let env = Env::system().with_clock(Arc::new(At(newest(folder) + days * DAY_MS)));
    Table::at(folder.to_str().unwrap()).env(env).open().unwrap()
}

/// Makes a file, or all files of a folder, so many hours older for the store.
fn aged(path: &Path, hours: u64) {
    if path.is_dir() {
        return std::fs::read_dir(path).unwrap().for_each(|entry| aged(&entry.unwrap().path(), hours));
    }
    let file = std::fs::File::options().write(true).open(path).unwrap();
    let modified = file.metadata().unwrap().modified().unwrap();
    file.set_modified(modified - std::time::Duration::from_secs(hours * 3600)).unwrap();
}

fn codes(found: &[Finding]) -> BTreeSet<String> {
    found.iter().map(|f| f.code.strip_prefix("LB-DOC-").unwrap().to_owned()).collect()
}

// spec: DOC-3, DOC-4, DOC-5, DOC-6, DOC-7, DOC-8, DOC-9, DOC-10, DOC-11
#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_damage_is_found_by_its_code_and_nothing_else_is() {
    let (mut wrong, mut kinds, mut cases) = (Vec::new(), BTreeSet::new(), 0);
    for case in fixtures("broken") {
        let name = case.file_name().unwrap().to_str().unwrap().to_owned();
        let expected: Value = serde_json::from_str(&std::fs::read_to_string(case.join("expected.json")).unwrap()).unwrap();
        let wanted: BTreeSet<String> = expected["doctor"].as_array().unwrap().iter().map(|c| c.as_str().unwrap().to_owned()).collect();
        let table = later(&case.join("table"), expected["days"].as_i64().unwrap_or(0));
        match table.doctor().deep(true).run().await {
            Ok(found) if codes(&found) == wanted => cases += usize::from(!wanted.is_empty()),
            // Where there is no log at all there is no table to be examined.
            Err(e) if e.code() == Code::TABLE && name == "no-log" => {}
            other => wrong.push(format!(
                "{name}: expected {wanted:?}, got {:?}",
                other.map(|found| { found.iter().map(|f| format!("{} {}: {}", f.code, f.object, f.message)).collect::<Vec<_>>() })
            )),
        }
        kinds.extend(wanted);
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(cases >= 80, "only {cases} damaged tables");
    assert!(kinds.len() >= 50, "only {} kinds of damage: {kinds:?}", kinds.len());
}

// spec: DOC-1
#[tokio::test(flavor = "multi_thread")]
async fn no_table_that_other_engines_wrote_has_a_finding() {
    let mut wrong = Vec::new();
    let mut folders: Vec<(String, PathBuf)> = Vec::new();
    for case in fixtures("golden") {
        let name = case.file_name().unwrap().to_str().unwrap().to_owned();
        folders.push((name, if case.join("table").exists() { case.join("table") } else { case }));
    }
    // For looking by hand at other collections.
    for folder in std::env::var("LAKEBED_DOCTOR_FOLDERS").unwrap_or_default().split(':').filter(|f| !f.is_empty()) {
        folders.push((folder.to_owned(), PathBuf::from(folder)));
    }
    for (name, folder) in &folders {
        let table = later(folder, 0);
        match table.doctor().deep(true).run().await {
            Ok(found) if found.is_empty() => {}
            other => wrong.push(format!("{name}: {:#?}", other.map(|found| found.into_iter().take(3).collect::<Vec<_>>()))),
        }
    }
    assert!(folders.len() > 50, "only {} tables", folders.len());
    assert!(wrong.is_empty(), "{} of {} wrong:\n{}", wrong.len(), folders.len(), wrong.join("\n"));
}

fn row(id: i64) -> Row {
    Row { id: Some(id), n: Some(id), p: Some("p".to_owned()) }
}

async fn ids(table: &Table) -> Vec<i64> {
    let batches: Vec<RecordBatch> =
        table.snapshot().await.unwrap().scan().columns(["id"]).build().unwrap().stream().try_collect().await.unwrap();
    let mut ids: Vec<i64> = batches.iter().flat_map(|b| b.column(0).as_primitive::<Int64Type>().values().to_vec()).collect();
    ids.sort_unstable();
    ids
}

/// Every object of a folder with its bytes.
fn contents(folder: &Path, inside: &str) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir(folder.join(inside)).into_iter().flatten() {
        let entry = entry.unwrap();
        let name = if inside.is_empty() { String::new() } else { format!("{inside}/") } + entry.file_name().to_str().unwrap();
        if entry.path().is_dir() {
            all.extend(contents(folder, &name));
        } else {
            all.insert(name, std::fs::read(entry.path()).unwrap());
        }
    }
    all
}

// spec: DOC-12, DOC-13, DOC-14
#[tokio::test]
async fn a_repair_shows_its_plan_mends_without_deleting_and_can_be_undone() {
    let place = made(&[], &[]).await;
    for id in 1..=3 {
        append(&place.table, vec![batch(&[row(id)])]).run().await.unwrap();
    }
    place.table.checkpoint().run().await.unwrap();
    let root = place.folder.path();
    let gone = place.named_files().into_iter().next().unwrap();
    let lost = std::fs::read(root.join(&gone)).unwrap();
    std::fs::remove_file(root.join(&gone)).unwrap();
    std::fs::write(root.join("stray.parquet"), b"nobody names me").unwrap();
    aged(&root.join("stray.parquet"), 30 * 24);
    std::fs::write(root.join("_delta_log/_last_checkpoint"), b"{\"version\":").unwrap();
    let table = later(root, 30);

    let found = table.doctor().run().await.unwrap();
    assert_eq!(codes(&found), BTreeSet::from(["FILE-MISSING", "HINT", "ORPHAN"].map(str::to_owned)));
    assert_eq!(found[0].severity, Severity::Error);
    let before = contents(root, "");
    let plan = table.doctor().plan().await.unwrap();
    assert_eq!(contents(root, ""), before, "a plan changes nothing");
    assert_eq!((plan.left(), plan.summary().amount("quarantine").count, plan.summary().amount("remove").count), (0, 2, 1));
    let text = serde_json::to_string(&plan).unwrap();
    let report = table.doctor().execute(serde_json::from_str(&text).unwrap()).await.unwrap();
    assert_eq!((report.version, report.operation.as_str()), (Some(Version(4)), "REPAIR"));
    assert_eq!(report.planned.unwrap().actions.keys().collect::<Vec<_>>(), report.actual.unwrap().actions.keys().collect::<Vec<_>>());

    let after = contents(root, "");
    let bytes = |files: &BTreeMap<String, Vec<u8>>| files.values().cloned().collect::<BTreeSet<_>>();
    assert!(bytes(&before).is_subset(&bytes(&after)), "no bytes are lost");
    assert!(before.keys().filter(|name| name.ends_with(".json")).all(|name| after.get(name) == before.get(name)), "no commit changes");
    assert!(table.doctor().run().await.unwrap().is_empty());
    assert_eq!(ids(&table).await.len(), 2);
    // The same plan once more: the table has moved on.
    let stale = table.doctor().execute(serde_json::from_str(&text).unwrap()).await.unwrap_err();
    assert_eq!(stale.code(), Code::CONFLICT);

    let folder = report.details["quarantine"].as_str().unwrap();
    std::fs::write(root.join("_delta_log/_last_checkpoint"), b"{\"version\":3,\"size\":5}").unwrap();
    let undone = table.doctor().undo(folder).await.unwrap();
    assert_eq!(undone.warnings.len(), 1, "what is there again is left: {:?}", undone.warnings);
    assert_eq!(std::fs::read(root.join("stray.parquet")).unwrap(), b"nobody names me");
    assert_eq!(table.doctor().undo("20200101T000000000Z-00000000").await.unwrap_err().code(), Code::INPUT);
    // The commit is undone by going back to the version before it, once the file is there again.
    let back = || table.restore(lakebed::At::Version(Version(3))).run();
    assert_eq!(back().await.unwrap_err().code(), Code::FILE);
    std::fs::write(root.join(&gone), lost).unwrap();
    assert_eq!(back().await.unwrap().version, Some(Version(5)));
    assert_eq!(ids(&table).await, [1, 2, 3]);
}

/// What the log says about each live file.
async fn said(table: &Table, version: Option<Version>) -> BTreeMap<String, (i64, Option<String>)> {
    let snapshot = table.snapshot_at(version.map_or(lakebed::At::Latest, lakebed::At::Version)).await.unwrap();
    let batches: Vec<_> = snapshot.files(lakebed::FileQuery::default().full()).try_collect().await.unwrap();
    let adds = batches.iter().flat_map(|batch| (0..batch.len()).map(|row| batch.add(row)));
    adds.map(|add| (add.path, (add.size, add.stats))).collect()
}

/// Repairs that say something else about files which stay: their size, their rows, their statistics.
// spec: DOC-12, DOC-14, RST-1
#[tokio::test(flavor = "multi_thread")]
async fn what_a_repair_says_about_files_is_undone_by_a_restore() {
    let cases = [
        ("size-in-the-log-is-wrong", "numResizedFiles"),
        ("more-rows-in-the-log-than-in-the-file", "numRecountedFiles"),
        ("rows-outside-of-their-bounds", "numRecountedFiles"),
        ("nulls-that-statistics-deny", "numRecountedFiles"),
        ("least-value-above-the-greatest", "numRecountedFiles"),
        ("more-nulls-than-rows", "numRecountedFiles"),
    ];
    for (name, metric) in cases {
        let folder = tempfile::tempdir().unwrap();
        copy_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/broken").join(name).join("table"), folder.path());
        let table = later(folder.path(), 0);
        let snapshot = table.snapshot().await.unwrap();
        snapshot.layout(lakebed::FileQuery::default(), None).await.unwrap();
        let newest = snapshot.version();
        let (before, found) = (said(&table, None).await, codes(&table.doctor().deep(true).run().await.unwrap()));
        let repaired = table.doctor().deep(true).repair().await.unwrap();
        assert_eq!(repaired.version, Some(newest.next()), "{name}");
        assert_ne!(said(&table, None).await, before, "{name}");
        let history: Vec<_> = table.history(Some(1)).try_collect().await.unwrap();
        let info = history[0].commit_info.clone().unwrap().0;
        assert_eq!((&info["operation"], &info["operationParameters"]["quarantine"]), (&json!("REPAIR"), &Value::Null), "{name}: {info:?}");
        assert_eq!((&info["operationMetrics"][metric], &info["operationMetrics"]["numRemovedFiles"]), (&json!("1"), &json!("0")), "{name}");

        let plan = table.restore(lakebed::At::Version(newest)).plan().await.unwrap();
        let amount = |kind: &str| plan.summary().amount(kind).count;
        assert_eq!((amount("amend"), amount("restore"), amount("remove")), (1, 0, 0), "{name}");
        let report = table.restore(lakebed::At::Version(newest)).run().await.unwrap();
        assert_eq!((report.version, &report.metrics["numRestoredFiles"]), (Some(Version(newest.0 + 2)), &json!(1)), "{name}");
        assert_eq!(said(&table, None).await, before, "{name}");
        assert_eq!(codes(&table.doctor().deep(true).run().await.unwrap()), found, "{name}: the damage is back");
        let again = table.restore(lakebed::At::Version(newest)).run().await.unwrap();
        assert_eq!(again.version, None, "{name}: it is so already");
        assert!(table.restore(lakebed::At::Version(newest.next())).run().await.unwrap().version.is_some(), "{name}: and forth again");
        assert_eq!(said(&table, None).await, said(&table, Some(newest.next())).await, "{name}");
    }
}

// spec: DOC-13, PLN-2
#[tokio::test]
async fn a_repair_takes_the_requests_that_its_plan_says() {
    for checkpointed in [false, true] {
        let place = made(&[], &[]).await;
        for id in 1..=4 {
            append(&place.table, vec![batch(&[row(id)])]).run().await.unwrap();
        }
        if checkpointed {
            place.table.checkpoint().run().await.unwrap();
            append(&place.table, vec![batch(&[row(5)])]).run().await.unwrap();
        }
        let root = place.folder.path();
        let gone = place.named_files().into_iter().next().unwrap();
        let size = std::fs::metadata(root.join(&gone)).unwrap().len();
        std::fs::remove_file(root.join(&gone)).unwrap();
        std::fs::write(root.join("stray.parquet"), b"nobody names me").unwrap();
        aged(&root.join("stray.parquet"), 30 * 24);
        // Nobody reads it on the way to the newest version.
        std::fs::write(root.join("_delta_log/00000000000000000001.crc"), b"{").unwrap();
        let table = later(root, 30);
        let report = table.doctor().repair().await.unwrap();
        let (planned, actual) = (report.planned.unwrap(), report.actual.unwrap());
        assert_eq!((planned.requests, planned.bytes_read), (actual.requests, actual.bytes_read), "{checkpointed}");
        assert_eq!((planned.amount("remove").bytes, planned.amount("remove")), (size, actual.amount("remove")));
        assert_eq!((planned.amount("quarantine").count, planned.requests.copy), (2, 1));
        let (told, done) = (planned.bytes_written, actual.bytes_written);
        assert!(told < 3 * done && done < 2 * told, "{told} bytes planned, {done} written");
        assert!(planned.items.iter().any(|item| item.path == gone && item.bytes == size), "{:?}", planned.items);
    }
}

/// Damaged tables that a repair makes healthy, and what it leaves of the others.
// spec: DOC-12
#[tokio::test(flavor = "multi_thread")]
async fn repairs_mend_what_they_can_and_never_make_it_worse() {
    let mended = [
        "torn-newest-commit",
        "empty-newest-commit",
        "commit-of-zero-bytes-values",
        "checkpoint-truncated",
        "checkpoint-of-zero-bytes",
        "multipart-checkpoint-incomplete",
        "hint-torn",
        "hint-checksum-wrong",
        "hint-names-a-missing-checkpoint",
        "checksum-malformed",
        "compaction-that-is-not-reconciled",
        "compaction-lost-a-file",
        "compaction-beyond-the-log",
        "compaction-torn",
        "data-file-missing",
        "size-in-the-log-is-wrong",
        "checkpoint-lacks-a-file",
        "checkpoint-brings-a-removed-file-back",
        "checkpoint-with-other-metadata",
        "checkpoint-of-another-schema",
        "checksum-counts-wrong",
        "older-checksum-counts-wrong",
        "checksum-of-other-metadata",
        "checksum-of-another-commit",
        "checksum-of-a-version-that-is-not-there",
        "row-mark-below-live-rows",
        "least-value-above-the-greatest",
        "more-nulls-than-rows",
        "rows-outside-of-their-bounds",
        "nulls-that-statistics-deny",
        "more-rows-in-the-log-than-in-the-file",
        "orphans",
        "sidecar-that-no-checkpoint-names",
        "newest-checkpoint-broken-older-one-good",
        "checkpoint-form-that-the-protocol-does-not-allow",
        "checkpoint-says-that-it-is-of-another-version",
    ];
    let mut wrong = Vec::new();
    for case in fixtures("broken") {
        let name = case.file_name().unwrap().to_str().unwrap().to_owned();
        if name == "no-log" {
            continue;
        }
        let expected: Value = serde_json::from_str(&std::fs::read_to_string(case.join("expected.json")).unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        copy_folder(&case.join("table"), folder.path());
        let days = expected["days"].as_i64().unwrap_or(0);
        aged(folder.path(), 24 * days as u64);
        let table = later(folder.path(), days);
        let before = table.doctor().deep(true).run().await.unwrap();
        let repaired = table.doctor().deep(true).repair().await;
        let after = later(folder.path(), 0).doctor().deep(true).run().await.unwrap();
        let is_mended = mended.contains(&name.as_str());
        if is_mended && (repaired.is_err() || !after.is_empty()) || !codes(&after).is_subset(&codes(&before)) {
            let told = |found: &[Finding]| found.iter().map(|f| format!("{} {}: {}", f.code, f.object, f.message)).collect::<Vec<_>>();
            wrong.push(format!("{name}: {repaired:?}; before {:?}, after {:?}", told(&before), told(&after)));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

// spec: DOC-16
#[tokio::test]
async fn what_a_running_writer_may_still_name_and_tables_inside_are_left() {
    let place = made(&[], &[("delta.deletedFileRetentionDuration", "interval 1 hours")]).await;
    append(&place.table, vec![batch(&[row(1)])]).run().await.unwrap();
    let root = place.folder.path();
    std::fs::create_dir_all(root.join("inner/_delta_log")).unwrap();
    for (name, hours) in
        [("young.parquet", 2), ("old.parquet", 30), ("inner/_delta_log/00000000000000000000.json", 30), ("inner/a.parquet", 30)]
    {
        std::fs::write(root.join(name), b"nobody names me").unwrap();
        aged(&root.join(name), hours);
    }
    let objects = |found: &[Finding]| found.iter().map(|f| format!("{} {}", f.code, f.object)).collect::<Vec<_>>();
    assert_eq!(objects(&place.table.doctor().run().await.unwrap()), ["LB-DOC-ORPHAN old.parquet"], "a day is the least");
    // A clock that is ahead tells more, and moves nothing that is young for the store.
    let ahead = later(root, 30);
    assert_eq!(objects(&ahead.doctor().run().await.unwrap()), ["LB-DOC-ORPHAN old.parquet", "LB-DOC-ORPHAN young.parquet"]);
    let plan = ahead.doctor().plan().await.unwrap();
    assert_eq!((plan.left(), plan.summary().amount("quarantine").count), (1, 1));
    ahead.doctor().execute(plan).await.unwrap();
    let is_there = |name: &str| root.join(name).exists();
    assert!(is_there("young.parquet") && is_there("inner/a.parquet") && !is_there("old.parquet"));
}

// spec: DOC-17
#[cfg(unix)]
#[tokio::test]
async fn a_file_that_is_there_is_never_taken_out_of_the_table() {
    // Links are read and not listed.
    let linked = made(&["p"], &[]).await;
    append(&linked.table, vec![batch(&[row(1)])]).run().await.unwrap();
    let root = linked.folder.path();
    std::fs::rename(root.join("p=p"), root.join("_moved")).unwrap();
    std::os::unix::fs::symlink("_moved", root.join("p=p")).unwrap();
    assert_eq!(ids(&linked.table).await, [1]);
    assert_eq!(codes(&linked.table.doctor().run().await.unwrap()), BTreeSet::from(["FILE-MISSING".to_owned()]));
    let plan = linked.table.doctor().plan().await.unwrap();
    assert_eq!((plan.left(), plan.summary().actions.len()), (1, 0));
    assert_eq!(linked.table.doctor().execute(plan).await.unwrap().version, None);
    assert_eq!(ids(&linked.table).await, [1]);

    let place = made(&[], &[]).await;
    append(&place.table, vec![batch(&[row(1)])]).run().await.unwrap();
    let file = place.folder.path().join(place.named_files().first().unwrap());
    let aside = place.folder.path().join("_aside");
    std::fs::rename(&file, &aside).unwrap();
    let plan = place.table.doctor().plan().await.unwrap();
    assert_eq!(plan.summary().amount("remove").count, 1);
    std::fs::rename(&aside, &file).unwrap();
    assert_eq!(place.table.doctor().execute(plan).await.unwrap_err().code(), Code::CONFLICT);
    assert_eq!(ids(&place.table).await, [1]);
}

// spec: DOC-18
#[tokio::test]
async fn the_last_checkpoint_that_reads_is_not_moved_whatever_its_form() {
    let place = made(&[], &[]).await;
    let log = place.folder.path().join("_delta_log");
    for id in 1..=5 {
        append(&place.table, vec![batch(&[row(id)])]).run().await.unwrap();
        if id == 2 || id == 4 {
            place.table.checkpoint().run().await.unwrap();
        }
    }
    let odd = log.join("00000000000000000004.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.parquet");
    std::fs::rename(log.join("00000000000000000004.checkpoint.parquet"), &odd).unwrap();
    for version in 0..2 {
        std::fs::remove_file(log.join(format!("{version:020}.json"))).unwrap();
    }
    let moved = |plan: &lakebed::RepairPlan| plan.summary().amount("quarantine").count;
    let plan = later(place.folder.path(), 0).doctor().plan().await.unwrap();
    assert!(moved(&plan) >= 1, "the older one stands in: {plan:?}");
    let older = log.join("00000000000000000002.checkpoint.parquet");
    let body = std::fs::read(&older).unwrap();
    std::fs::write(&older, &body[..body.len() / 2]).unwrap();

    let table = later(place.folder.path(), 0);
    let found = table.doctor().run().await.unwrap();
    assert!(codes(&found).is_superset(&BTreeSet::from(["CKPT-BROKEN", "CKPT-FORM"].map(str::to_owned))), "{found:?}");
    let plan = table.doctor().plan().await.unwrap();
    assert_eq!((moved(&plan), plan.left()), (0, found.len() as u64), "{plan:?}");
    table.doctor().execute(plan).await.unwrap();
    assert!(odd.exists());
    assert_eq!(ids(&later(place.folder.path(), 0)).await, [1, 2, 3, 4, 5]);
}

// spec: DOC-19
#[tokio::test]
async fn a_store_that_fails_and_a_file_that_vanishes_end_a_repair_before_it_moves_anything() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let on = |store: Arc<dyn ObjectStore>| {
        let root = TableRoot::with_store("memory:///t/".parse().unwrap(), store, object_store::path::Path::from("t"));
        Table::with_log(root.clone(), Arc::new(PathLogStore::new(root)), Env::system())
    };
    let table = on(Arc::clone(&store));
    table.create(columns(&[("id", DataType::Long)])).run().await.unwrap();
    let hint = object_store::path::Path::from("t/_delta_log/_last_checkpoint");
    store.put_opts(&hint, "{".into(), Default::default()).await.unwrap();
    let plan = table.doctor().plan().await.unwrap();
    assert_eq!(plan.summary().amount("quarantine").count, 1);
    let objects = || async { store.list(None).map_ok(|o| o.location.to_string()).try_collect::<BTreeSet<_>>().await.unwrap() };
    let before = objects().await;

    let unlisted = on(Faulty::new(Arc::clone(&store), |kind, _, _| (kind == Kind::List).then_some(Fault::Refuse)));
    assert_eq!(unlisted.doctor().execute(plan.clone()).await.unwrap_err().code(), Code::STORE);
    assert_eq!(objects().await, before);
    let vanishing =
        Faulty::new(Arc::clone(&store), |kind, key, _| (kind == Kind::Get && key.ends_with("_last_checkpoint")).then_some(Fault::Missing));
    assert_eq!(on(vanishing).doctor().execute(plan.clone()).await.unwrap_err().code(), Code::CONFLICT);
    assert_eq!(objects().await, before, "nothing empty takes its place");
    table.doctor().execute(plan).await.unwrap();
    assert_ne!(objects().await, before);
}

// spec: DOC-2
#[tokio::test]
async fn one_thing_that_is_wrong_with_a_file_is_told_once() {
    let place = made(&[], &[]).await;
    append(&place.table, vec![batch(&[row(1)])]).run().await.unwrap();
    let log = place.folder.path().join("_delta_log");
    let commit = log.join("00000000000000000001.json");
    let size = format!("\"size\":{}", place.actions(1, "add")[0]["size"]);
    std::fs::write(&commit, std::fs::read_to_string(&commit).unwrap().replace(&size, "\"size\":-5")).unwrap();
    let _ = std::fs::remove_file(log.join("00000000000000000001.crc"));
    let table = later(place.folder.path(), 0);
    let found = table.doctor().run().await.unwrap();
    assert_eq!(found.iter().map(|f| f.code).collect::<Vec<_>>(), ["LB-DOC-FILE-SIZE"]);
    table.doctor().repair().await.unwrap();
    assert!(table.doctor().run().await.unwrap().is_empty(), "the true size is named");
    assert_eq!(ids(&table).await, [1]);
}

// spec: DOC-2
#[tokio::test]
async fn a_table_with_vectors_changes_and_checkpoints_of_ours_is_healthy() {
    let properties = [("delta.enableDeletionVectors", "true"), ("delta.enableChangeDataFeed", "true"), ("delta.enableRowTracking", "true")];
    let place = made(&["p"], &properties).await;
    append(&place.table, vec![batch(&[row(1), row(2), row(3)])]).run().await.unwrap();
    append(&place.table, vec![batch(&[row(4), row(5)])]).run().await.unwrap();
    place.table.delete().filter(lakebed::Expr::sql("id = 2").unwrap()).run().await.unwrap();
    place.table.update().set("n", lakebed::Expr::sql("n + 1").unwrap()).filter(lakebed::Expr::sql("id = 4").unwrap()).run().await.unwrap();
    place.table.checkpoint().run().await.unwrap();
    for days in [0, 400] {
        let found = later(place.folder.path(), days).doctor().deep(true).run().await.unwrap();
        assert!(found.is_empty(), "{days} days later: {found:#?}");
    }
    // A thousand findings of one code are enough, and the limit is the caller's.
    for i in 0..5 {
        std::fs::write(place.folder.path().join(format!("stray-{i}")), b"x").unwrap();
    }
    assert_eq!(later(place.folder.path(), 400).doctor().each_max(2).run().await.unwrap().len(), 3);
}
