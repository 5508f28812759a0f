//! Log compaction files: what they say, who reads them, and that nothing depends on them.

use super::{Place, append_ids, columns, place};
use futures::TryStreamExt;
use lakebed::{DataType, Expr, FileQuery, Table, Version};
use serde_json::Value;
use std::collections::BTreeSet;

async fn state(table: &Table) -> (BTreeSet<String>, Vec<(String, i64)>, Vec<String>) {
    let snapshot = table.snapshot().await.unwrap();
    assert_eq!(snapshot.warnings(), [] as [String; 0]);
    let batches: Vec<_> = snapshot.files(FileQuery::default().full()).try_collect().await.unwrap();
    let files = batches.iter().flat_map(|b| (0..b.len()).map(|r| format!("{:?}", b.add(r)))).collect();
    let txns = snapshot.app_versions().await.unwrap().into_iter().map(|t| (t.app_id, t.version)).collect();
    (files, txns, snapshot.state().domains().iter().map(|d| format!("{d:?}")).collect())
}

impl Place {
    fn compacted(&self) -> Vec<String> {
        let names = std::fs::read_dir(self.folder.path().join("_delta_log")).unwrap();
        let mut names: Vec<String> =
            names.map(|e| e.unwrap().file_name().into_string().unwrap()).filter(|n| n.ends_with(".compacted.json")).collect();
        names.sort();
        names
    }
}

// spec: LCF-4
#[tokio::test]
async fn a_compaction_that_was_planned_is_written_though_the_table_has_moved_on() {
    let p = place();
    p.table.create(columns(&[("id", DataType::Long), ("s", DataType::String)])).run().await.unwrap();
    append_ids(&p.table, &[1]).await.unwrap();
    let plan = p.table.compact_log().plan().await.unwrap();
    assert_eq!((plan.summary().amount("compaction").count, p.compacted().len()), (1, 0));
    append_ids(&p.table, &[2]).await.unwrap();
    let kept = serde_json::from_str(&serde_json::to_string(&plan).unwrap()).unwrap();
    let report = p.table.compact_log().execute(kept).await.unwrap();
    assert_eq!((report.planned.as_ref(), report.actual.unwrap().actions), (Some(plan.summary()), plan.summary().actions.clone()));
    assert_eq!(p.compacted(), ["00000000000000000000.00000000000000000001.compacted.json"]);
}

// spec: LCF-1, LCF-2, LCF-3
#[tokio::test]
async fn a_compaction_says_what_its_commits_said() {
    let p = place();
    let create = p.table.create(columns(&[("id", DataType::Long), ("s", DataType::String)]));
    create.property("delta.enableDeletionVectors", "true").run().await.unwrap();
    append_ids(&p.table, &[1, 2, 3]).await.unwrap();
    p.table.delete().filter(Expr::sql("id = 2").unwrap()).run().await.unwrap();
    append_ids(&p.table, &[4]).await.unwrap();
    p.table.delete().filter(Expr::sql("id = 4").unwrap()).run().await.unwrap();
    let before = state(&p.table).await;
    let report = p.table.compact_log().run().await.unwrap();
    assert_eq!(
        (&report.details["written"], &report.metrics["fromVersion"], &report.metrics["toVersion"]),
        (&Value::from(true), &Value::from(0), &Value::from(4))
    );
    assert_eq!(p.compacted(), ["00000000000000000000.00000000000000000004.compacted.json"]);
    let text = std::fs::read_to_string(p.folder.path().join("_delta_log").join(&p.compacted()[0])).unwrap();
    assert!(!text.contains("commitInfo") && text.contains("\"remove\""), "{text}");
    assert_eq!(text.matches("\"protocol\":").count(), 1);
    assert_eq!(state(&p.table).await, before);
    // It is read: the commits of its versions are not.
    for version in 1..=3u64 {
        let path = p.folder.path().join(format!("_delta_log/{version:020}.json"));
        let size = std::fs::metadata(&path).unwrap().len() as usize;
        std::fs::write(&path, vec![b'x'; size]).unwrap();
    }
    assert_eq!(state(&p.table).await, before);
    // Nothing more to do, and later versions stand on it.
    let again = p.table.compact_log().run().await.unwrap();
    assert_eq!((&again.details["written"], again.version), (&Value::from(false), None));
    append_ids(&p.table, &[5]).await.unwrap();
    p.table.compact_log().run().await.unwrap();
    assert_eq!(p.compacted().len(), 2);
    assert_eq!(state(&p.table).await.0.len(), before.0.len() + 1);
}

// spec: LCF-1
#[tokio::test]
async fn a_compaction_begins_after_the_checkpoint_and_leaves_counts_known() {
    let p = place();
    p.table
        .create(columns(&[("id", DataType::Long), ("s", DataType::String)]))
        .property("delta.checkpointInterval", "4")
        .run()
        .await
        .unwrap();
    for id in 1..=7 {
        append_ids(&p.table, &[id]).await.unwrap();
    }
    p.table.compact_log().run().await.unwrap();
    assert_eq!(p.compacted(), ["00000000000000000005.00000000000000000007.compacted.json"]);
    let checksum = std::fs::read_to_string(p.folder.path().join("_delta_log/00000000000000000007.crc")).unwrap();
    let checksum: Value = serde_json::from_str(&checksum).unwrap();
    assert_eq!(checksum["numFiles"], 7);
    append_ids(&p.table, &[8]).await.unwrap();
    assert_eq!(p.table.compact_log().run().await.unwrap().details["written"], false, "a checkpoint is there");
    assert_eq!(p.table.snapshot().await.unwrap().version(), Version(8));
}
