//! Clean-up of the log: what goes, what stays, and that every version that stays has the same files as before.

use super::{Place, append_ids, columns, place};
use crate::support::random::{Random, seeds};
use futures::TryStreamExt;
use lakebed::{At, Clock, Code, DataType, Env, FileQuery, LogCleanupPlan, Report, Table, Timestamp, Version};
use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

const DAY: Duration = Duration::from_secs(86_400);

#[derive(Debug)]
struct Fixed(i64);

impl Clock for Fixed {
    fn now(&self) -> Timestamp {
        Timestamp(self.0)
    }
    fn sleep(&self, time: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + 'static>> {
        Box::pin(tokio::time::sleep(time))
    }
}

impl Place {
    fn log_names(&self) -> BTreeSet<String> {
        let names = std::fs::read_dir(self.folder.path().join("_delta_log")).unwrap();
        names.map(|e| e.unwrap().file_name().into_string().unwrap()).filter(|n| !n.starts_with('_') && !n.starts_with('.')).collect()
    }
    fn sidecars(&self) -> BTreeSet<String> {
        let names = std::fs::read_dir(self.folder.path().join("_delta_log/_sidecars"));
        names.map(|d| d.map(|e| e.unwrap().file_name().into_string().unwrap()).collect()).unwrap_or_default()
    }
    /// Makes files of the log so many days old.
    fn age(&self, days: u32, wanted: impl Fn(&str) -> bool) {
        for folder in ["_delta_log", "_delta_log/_sidecars"] {
            for entry in std::fs::read_dir(self.folder.path().join(folder)).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_file() && wanted(path.file_name().unwrap().to_str().unwrap()) {
                    let file = std::fs::File::options().write(true).open(&path).unwrap();
                    file.set_modified(SystemTime::now() - DAY * days).unwrap();
                }
            }
        }
    }
    fn age_versions(&self, days: u32, versions: std::ops::RangeInclusive<u64>) {
        self.age(days, |name| name.get(..20).and_then(|v| v.parse().ok()).is_some_and(|v| versions.contains(&v)));
    }
    async fn with_versions(self, properties: &[(&str, &str)], last: u64) -> Place {
        let mut create = self.table.create(columns(&[("id", DataType::Long), ("s", DataType::String)]));
        for (key, value) in properties {
            create = create.property(key, value);
        }
        create.run().await.unwrap();
        for id in 1..=last {
            append_ids(&self.table, &[id as i64]).await.unwrap();
        }
        self
    }
}

/// The paths of a version's files; the error's code when it cannot be read.
async fn files(table: &Table, version: u64) -> Result<BTreeSet<String>, Code> {
    let snapshot = table.snapshot_at(At::Version(Version(version))).await.map_err(|e| e.code())?;
    let batches: Vec<_> = snapshot.files(FileQuery::default()).try_collect().await.map_err(|e: lakebed::Error| e.code())?;
    Ok(batches.iter().flat_map(|b| (0..b.len()).map(|r| b.path(r).to_owned())).collect())
}
async fn all_files(table: &Table, last: u64) -> Vec<Result<BTreeSet<String>, Code>> {
    let mut all = Vec::new();
    for version in 0..=last {
        all.push(files(table, version).await);
    }
    all
}
fn metric(report: &Report, key: &str) -> Option<u64> {
    report.metrics.get(key).and_then(serde_json::Value::as_u64)
}

// spec: CLN-1, CLN-3, CLN-4, CLN-7
#[tokio::test]
async fn what_is_older_than_the_retention_goes_up_to_a_checkpoint_and_the_rest_stays() {
    let p = place().with_versions(&[("delta.checkpointInterval", "3")], 10).await;
    p.table.compact_log().run().await.unwrap();
    let before = all_files(&p.table, 10).await;
    p.age_versions(40, 0..=7);
    let names = p.log_names();
    let plan = p.table.cleanup_log().plan().await.unwrap();
    assert_eq!((plan.first_kept(), p.log_names()), (Some(Version(6)), names.clone()), "a plan deletes nothing");
    assert_eq!((plan.summary().amount("delete_commit").count, plan.summary().amount("delete_checkpoint").count), (6, 1));
    assert!(plan.summary().items.iter().all(|item| item.path.starts_with("_delta_log/0000000000000000000") && item.bytes > 0));
    let report = p.table.cleanup_log().run().await.unwrap();
    assert_eq!((metric(&report, "firstVersion"), report.version), (Some(6), None));
    assert_eq!(report.planned.as_ref().unwrap().actions, report.actual.as_ref().unwrap().actions);
    assert_eq!(Some(report.actual.as_ref().unwrap().requests.delete), metric(&report, "numFiles"));
    let gone: Vec<_> = names.difference(&p.log_names()).cloned().collect();
    assert!(!gone.is_empty() && gone.iter().all(|n| n[..20].parse::<u64>().unwrap() < 6), "{gone:?}");
    for version in 6..=10 {
        assert_eq!(files(&p.table, version).await, before[version as usize], "version {version}");
    }
    let error = p.table.snapshot_at(At::Version(Version(5))).await.unwrap_err();
    assert!(error.code() == Code::VERSION && error.to_string().contains("5"), "{error}");
    // A second run finds nothing.
    let again = p.table.cleanup_log().run().await.unwrap();
    assert_eq!((metric(&again, "numFiles"), metric(&again, "firstVersion")), (Some(0), None));
}

// spec: CLN-1
#[tokio::test]
async fn young_logs_and_logs_without_an_old_checkpoint_stay() {
    let p = place().with_versions(&[("delta.checkpointInterval", "100")], 5).await;
    p.age_versions(40, 0..=5);
    assert_eq!(p.table.cleanup_log().plan().await.unwrap().first_kept(), None, "no checkpoint");
    let p = place().with_versions(&[("delta.checkpointInterval", "3")], 5).await;
    p.age_versions(29, 0..=5);
    assert_eq!(p.table.cleanup_log().plan().await.unwrap().first_kept(), None, "all of it is younger");
    // 30 days and some hours: the day of the cut begins before.
    p.age_versions(31, 0..=3);
    assert_eq!(p.table.cleanup_log().plan().await.unwrap().first_kept(), Some(Version(3)));
}

// spec: CLN-6
#[tokio::test]
async fn the_newest_properties_decide() {
    let p = place().with_versions(&[("delta.checkpointInterval", "3"), ("delta.logRetentionDuration", "interval 100 days")], 7).await;
    p.age_versions(40, 0..=6);
    assert_eq!(p.table.cleanup_log().plan().await.unwrap().first_kept(), None);
    p.set_property("delta.logRetentionDuration", "interval 1 days");
    let plan = p.table.cleanup_log().plan().await.unwrap();
    assert_eq!(plan.first_kept(), Some(Version(6)));
    p.set_property("delta.enableExpiredLogCleanup", "false");
    let names = p.log_names();
    let report = p.table.cleanup_log().run().await.unwrap();
    assert!(metric(&report, "numFiles") == Some(0) && report.warnings[0].contains("enableExpiredLogCleanup"), "{report:?}");
    // A plan of an earlier day does not outlive the change.
    let text = serde_json::to_string(&plan).unwrap();
    let plan: LogCleanupPlan = serde_json::from_str(&text).unwrap();
    let report = p.table.cleanup_log().execute(plan).await.unwrap();
    assert!(metric(&report, "numFiles") == Some(0) && report.warnings.iter().any(|w| w.contains("stay")), "{report:?}");
    assert_eq!(p.log_names(), names);
}

// spec: CLN-5
#[tokio::test]
async fn a_checkpoint_that_does_not_hold_what_the_log_says_is_no_place_to_cut() {
    for damage in ["torn", "other"] {
        let p = place().with_versions(&[("delta.checkpointInterval", "3")], 8).await;
        let before = all_files(&p.table, 8).await;
        let six = p.folder.path().join("_delta_log/00000000000000000006.checkpoint.parquet");
        let three = p.folder.path().join("_delta_log/00000000000000000003.checkpoint.parquet");
        match damage {
            "torn" => std::fs::write(&six, &std::fs::read(&six).unwrap()[..200]).unwrap(),
            // A checkpoint of fewer files under the name of a later one.
            _ => drop(std::fs::copy(&three, &six).unwrap()),
        }
        p.age_versions(40, 0..=7);
        let report = p.table.cleanup_log().run().await.unwrap();
        assert_eq!(metric(&report, "firstVersion"), Some(3), "{damage}: {report:?}");
        assert!(report.warnings.iter().any(|w| w.contains("not cut at version 6")), "{damage}: {:?}", report.warnings);
        assert!(three.exists());
        if damage == "torn" {
            for version in 3..=8 {
                assert_eq!(files(&p.table, version).await, before[version as usize], "version {version}");
            }
        }
    }
}

// spec: CLN-3
#[tokio::test]
async fn a_log_with_a_hole_is_not_cut() {
    let p = place().with_versions(&[("delta.checkpointInterval", "3")], 8).await;
    p.age_versions(40, 0..=7);
    std::fs::remove_file(p.folder.path().join("_delta_log/00000000000000000005.json")).unwrap();
    let names = p.log_names();
    // The hole is above the cut at 3, and below the one at 6: only there may it be cut.
    assert_eq!(p.table.cleanup_log().plan().await.unwrap().first_kept(), Some(Version(6)));
    std::fs::remove_file(p.folder.path().join("_delta_log/00000000000000000006.checkpoint.parquet")).unwrap();
    let error = p.table.cleanup_log().run().await.unwrap_err();
    assert_eq!(error.code(), Code::LOG_GAP);
    assert_eq!(p.log_names().len(), names.len() - 1);
}

// spec: CLN-5
#[tokio::test]
async fn protected_versions_go_all_at_once_or_stay() {
    let p = place().with_versions(&[("delta.checkpointInterval", "3")], 7).await;
    let mut protocol = p.actions(0, "protocol")[0].clone();
    protocol["minWriterVersion"] = 7.into();
    protocol["writerFeatures"] = serde_json::json!(["checkpointProtection", "appendOnly", "invariants"]);
    std::fs::write(p.folder.path().join(format!("_delta_log/{:020}.json", 8)), format!("{}\n", serde_json::json!({"protocol": protocol})))
        .unwrap();
    p.set_property("delta.requireCheckpointProtectionBeforeVersion", "5");
    p.age_versions(40, 0..=4);
    let plan = p.table.cleanup_log().plan().await.unwrap();
    assert!(plan.first_kept().is_none() && plan.warnings()[0].contains("below 3 stay"), "{plan:?}");
    p.age_versions(40, 5..=6);
    assert_eq!(p.table.cleanup_log().plan().await.unwrap().first_kept(), Some(Version(6)));
}

// spec: CLN-2
#[tokio::test]
async fn commits_that_carry_their_own_time_are_judged_by_it() {
    let now = Env::system().now().millis();
    let at = |days: i64| Env::system().with_threads(2).with_clock(Arc::new(Fixed(now - days * 86_400_000)));
    let folder = tempfile::tempdir().unwrap();
    let name = folder.path().to_str().unwrap().to_owned();
    let open = |days| Table::at(&name).env(at(days)).open().unwrap();
    let p = Place { table: open(40), folder };
    let p = p.with_versions(&[("delta.checkpointInterval", "3"), ("delta.enableInCommitTimestamps", "true")], 4).await;
    let young = Place { table: open(0), ..p };
    for id in 5..=8 {
        append_ids(&young.table, &[id]).await.unwrap();
    }
    // The files were all written just now; the commits up to 4 say that they are forty days old, and so the checkpoint after the commit of 6
    // has cut the log at 3. What says that it is young stays, however old its file looks.
    let first = |p: &Place| p.log_names().into_iter().map(|n| n[..20].parse::<u64>().unwrap()).min();
    assert_eq!(first(&young), Some(3));
    young.age_versions(400, 0..=8);
    assert_eq!(young.table.cleanup_log().plan().await.unwrap().first_kept(), None);
    assert_eq!(files(&young.table, 3).await.unwrap().len(), 3);
}

// spec: CLN-2
#[tokio::test]
async fn times_of_files_that_go_back_are_made_to_rise() {
    let p = place().with_versions(&[("delta.checkpointInterval", "3")], 7).await;
    // Copied files: 4 is the youngest, all after it look older; they are not, for they came later.
    p.age_versions(40, 0..=7);
    p.age_versions(2, 4..=4);
    assert_eq!(p.table.cleanup_log().plan().await.unwrap().first_kept(), Some(Version(3)));
}

// spec: CLN-8
#[tokio::test]
async fn sidecars_stay_while_a_checkpoint_names_them_or_they_are_young() {
    let p = place().with_versions(&[("delta.checkpointInterval", "3"), ("delta.checkpointPolicy", "v2")], 10).await;
    let before = all_files(&p.table, 10).await;
    let lost = p.folder.path().join("_delta_log/_sidecars/00000000-0000-0000-0000-000000000001.parquet");
    std::fs::write(&lost, "a writer died").unwrap();
    let all = p.sidecars();
    assert!(all.len() >= 4, "{all:?}");
    assert!(p.table.cleanup_log().plan().await.unwrap().summary().items.is_empty(), "all is young");
    p.age(3, |name| name.contains("00000001.parquet"));
    p.age_versions(40, 0..=7);
    let report = p.table.cleanup_log().run().await.unwrap();
    assert!(!lost.exists());
    assert_eq!(metric(&report, "firstVersion"), Some(6));
    // Those that only a deleted checkpoint named are nobody's now, but young.
    assert_eq!(p.sidecars().len(), all.len() - 1);
    p.age(3, |name| name.ends_with(".parquet") && !name.contains("checkpoint"));
    let report = p.table.cleanup_log().run().await.unwrap();
    assert!(metric(&report, "numFiles") >= Some(1), "{report:?}");
    for version in 6..=10 {
        assert_eq!(files(&p.table, version).await, before[version as usize], "version {version}");
    }
    // While one checkpoint does not say what it needs, none goes.
    std::fs::write(&lost, "a writer died").unwrap();
    p.age(3, |name| name.contains("00000001.parquet"));
    let nine = p.log_names().into_iter().find(|n| n.contains("9.checkpoint.")).unwrap();
    std::fs::write(p.folder.path().join("_delta_log").join(nine), "torn").unwrap();
    let report = p.table.cleanup_log().run().await.unwrap();
    assert!(lost.exists() && report.warnings.iter().any(|w| w.contains("sidecars stay")), "{report:?}");
}

// spec: CLN-9
#[tokio::test]
async fn the_log_is_cleaned_up_after_a_checkpoint_and_a_failure_never_undoes_the_commit() {
    let p = place().with_versions(&[("delta.checkpointInterval", "3")], 8).await;
    p.age_versions(40, 0..=7);
    let report = append_ids(&p.table, &[9]).await.unwrap();
    assert_eq!((report.version, report.warnings.len()), (Some(Version(9)), 0), "{:?}", report.warnings);
    assert!(p.log_names().iter().all(|n| n[..20].parse::<u64>().unwrap() >= 6), "{:?}", p.log_names());
    // A hole in what is old: the commit counts, the clean-up says why it did nothing.
    for id in 10..=11 {
        append_ids(&p.table, &[id]).await.unwrap();
    }
    p.age_versions(40, 0..=11);
    std::fs::remove_file(p.folder.path().join("_delta_log/00000000000000000010.json")).unwrap();
    let names = p.log_names();
    let report = append_ids(&p.table, &[12]).await;
    match report {
        Ok(report) => assert!(report.version == Some(Version(12)) && p.log_names().is_superset(&names), "{report:?}"),
        Err(e) => assert_eq!(e.code(), Code::LOG_GAP),
    }
    // Switched off, nothing happens.
    let p = place().with_versions(&[("delta.checkpointInterval", "3"), ("delta.enableExpiredLogCleanup", "false")], 8).await;
    p.age_versions(40, 0..=7);
    let names = p.log_names();
    append_ids(&p.table, &[9]).await.unwrap();
    assert!(p.log_names().is_superset(&names));
}

// spec: CLN-3, CLN-7, CLN-9
#[tokio::test]
async fn a_clock_that_jumps_ten_years_takes_no_version_that_the_store_thinks_is_young() {
    for seed in seeds(6) {
        let mut random = Random::new(seed);
        let real = Env::system().now().millis();
        let p = place().with_versions(&[("delta.checkpointInterval", "2")], 1).await;
        let mut expected = all_files(&p.table, 1).await;
        for version in 2..=9u64 {
            let jump = (random.below(21) as i64 - 10) * 365 * 86_400_000;
            let env = Env::system().with_threads(2).with_clock(Arc::new(Fixed(real + jump)));
            let table = Table::at(p.folder.path().to_str().unwrap()).env(env).open().unwrap();
            append_ids(&table, &[version as i64]).await.unwrap();
            expected.push(files(&p.table, version).await);
            for (v, files_then) in expected.iter().enumerate() {
                assert_eq!(&files(&p.table, v as u64).await, files_then, "seed {seed}: version {v} after the commit of {version}");
            }
        }
    }
}

// spec: CLN-11
#[tokio::test]
async fn a_commit_that_a_clean_up_left_alone_answers_no_time_and_goes_with_the_next() {
    for own_times in ["false", "true"] {
        let properties = [("delta.checkpointInterval", "3"), ("delta.enableInCommitTimestamps", own_times)];
        let p = place().with_versions(&properties, 10).await;
        p.age_versions(40, 0..=2);
        p.age_versions(39, 3..=5);
        p.age_versions(38, 6..=6);
        p.age_versions(37, 7..=7);
        let then = p.table.snapshot_at(At::Version(Version(5))).await.unwrap().timestamp().await.unwrap();
        let log = p.folder.path().join("_delta_log");
        for version in 1..6 {
            std::fs::remove_file(log.join(format!("{version:020}.json"))).unwrap();
        }
        std::fs::remove_file(log.join("00000000000000000003.checkpoint.parquet")).unwrap();
        let e = p.table.snapshot_at(At::Timestamp(then)).await.unwrap_err();
        assert!(e.code() == Code::VERSION && e.context().iter().any(|(k, v)| *k == "version" && *v == "6"), "{own_times}: {e}");
        let kept = p.table.snapshot_at(At::Version(Version(7))).await.unwrap().timestamp().await.unwrap();
        assert_eq!(p.table.snapshot_at(At::Timestamp(kept)).await.unwrap().version(), Version(7));
        assert_eq!(p.table.snapshot_at(At::Version(Version(4))).await.unwrap_err().code(), Code::VERSION);
        p.table.cleanup_log().run().await.unwrap();
        // With times of their own all commits are young, whatever their files say.
        assert_eq!(log.join("00000000000000000000.json").exists(), own_times == "true");
    }
}

// spec: CLN-12
#[tokio::test]
async fn a_checkpoint_that_cannot_be_compared_in_memory_is_no_place_to_cut() {
    let p = place().with_versions(&[("delta.checkpointInterval", "3")], 8).await;
    p.age_versions(40, 0..=7);
    let log = p.folder.path().join("_delta_log");
    for name in p.log_names().iter().filter(|name| name.ends_with(".crc")) {
        std::fs::remove_file(log.join(name)).unwrap();
    }
    // Replay from version 0 on has a commit in it that is far too large.
    std::fs::remove_file(log.join("00000000000000000003.checkpoint.parquet")).unwrap();
    let one = log.join("00000000000000000001.json");
    let padded = format!("{}{}\n", std::fs::read_to_string(&one).unwrap(), serde_json::json!({"unheardOf": "x".repeat(4 << 20)}));
    std::fs::write(&one, padded).unwrap();
    p.age_versions(40, 0..=7);
    let small = Table::at(p.folder.path().to_str().unwrap()).env(Env::system().with_threads(2).with_memory_limit(1 << 20)).open().unwrap();
    assert_eq!(small.snapshot_at(At::Version(Version(2))).await.map(|s| s.version()).unwrap_err().code(), Code::LIMIT, "the premise");
    let plan = small.cleanup_log().plan().await.unwrap();
    assert!(plan.first_kept().is_none() && plan.warnings().iter().any(|w| w.contains("not cut at version 6")), "{:?}", plan.warnings());
    assert_eq!(p.table.cleanup_log().plan().await.unwrap().first_kept(), Some(Version(6)), "a larger host compares it");
}
