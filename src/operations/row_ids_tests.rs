use super::*;
use crate::env::Env;
use crate::log::{NullableMap, Protocol};
use crate::schema::Struct;
use crate::storage::TableRoot;
use crate::table::Table;
use object_store::{memory::InMemory, path::Path};

async fn table_with(files: usize) -> Table {
    let root = TableRoot::with_store("memory:///t/".parse().unwrap(), Arc::new(InMemory::new()), Path::from("t"));
    let table = Table::with_log(root.clone(), Arc::new(crate::log::PathLogStore::new(root)), Env::system());
    table.create(Struct::from_sql("id BIGINT").unwrap()).run().await.unwrap();
    let mut transaction = table.snapshot().await.unwrap().begin(OperationInfo { operation: "WRITE".into(), ..OperationInfo::default() });
    for i in 0..files {
        transaction.add(Add {
            path: format!("part-{i}"),
            partition_values: NullableMap::new(),
            size: 1,
            modification_time: 0,
            data_change: true,
            stats: Some(format!("{{\"numRecords\":{}}}", i + 1)),
            tags: None,
            deletion_vector: None,
            base_row_id: None,
            default_row_commit_version: None,
            clustering_provider: None,
        });
    }
    assert!(matches!(transaction.commit().await.unwrap(), CommitOutcome::Committed(_)));
    let snapshot = table.snapshot().await.unwrap();
    let names = ["rowTracking", "domainMetadata", "appendOnly", "invariants"].map(str::to_owned);
    let protocol = Protocol { min_writer_version: 7, writer_features: Some(names.into()), ..snapshot.state().protocol().clone() };
    let mut upgrade = snapshot.begin(OperationInfo { operation: "UPGRADE PROTOCOL".into(), ..OperationInfo::default() });
    upgrade.set_protocol(protocol);
    assert!(matches!(upgrade.commit().await.unwrap(), CommitOutcome::Committed(_)));
    table
}

// spec: RID-8
#[tokio::test]
async fn files_get_ids_some_at_a_time_and_rows_are_not_touched() {
    let table = table_with(7).await;
    let before = table.snapshot().await.unwrap();
    let after = give_some_at_a_time(Arc::clone(&before), 3).await.unwrap();
    assert_eq!(after.version().0, before.version().0 + 3, "three commits of at most three files");
    let mut ids: Vec<(i64, i64, bool)> = without_ids(&after, 10).await.unwrap().iter().map(|_| (0, 0, false)).collect();
    assert!(ids.is_empty());
    let mut files = after.files(FileQuery::default().full());
    while let Some(batch) = files.try_next().await.unwrap() {
        for row in 0..batch.len() {
            let add = batch.add(row);
            ids.push((add.base_row_id.unwrap(), add.num_records().unwrap(), add.data_change));
        }
    }
    ids.sort_unstable();
    let starts = ids.iter().scan(0, |next, (_, rows, _)| Some(std::mem::replace(next, *next + rows)));
    assert!(ids.iter().map(|(base, ..)| *base).eq(starts) && ids.iter().all(|(_, _, changes)| !changes), "{ids:?}");
    // A second run finds nothing to do.
    assert_eq!(give_row_ids(Arc::clone(&after)).await.unwrap().version(), after.version());
}
