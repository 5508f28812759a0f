use crate::env::Env;
use crate::log::{LogFile, PathLogStore, Version};
use crate::snapshot::{CountEffort, Snapshot};
use crate::storage::TableRoot;
use crate::table::Table;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use std::sync::Arc;

const FIRST: &str = r#"{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}
{"metaData":{"id":"one","schemaString":"{\"type\":\"struct\",\"fields\":[{\"name\":\"a\",\"type\":\"long\",\"nullable\":true,\"metadata\":{}}]}","partitionColumns":[]}}
{"add":{"path":"f0","partitionValues":{},"size":10,"modificationTime":1,"dataChange":true,"stats":"{\"numRecords\":1}"}}
"#;
const SECOND: &str = r#"{"commitInfo":{"operation":"WRITE","txnId":"t"}}
{"remove":{"path":"f0","dataChange":true,"size":10}}
{"add":{"path":"f1","partitionValues":{},"size":20,"modificationTime":1,"dataChange":true,"stats":"{\"numRecords\":2}"}}
{"txn":{"appId":"app","version":5}}
"#;
const THIRD: &str = r#"{"metaData":{"id":"two","schemaString":"{\"type\":\"struct\",\"fields\":[]}","partitionColumns":[]}}
"#;

async fn put(store: &InMemory, version: u64, body: &str) {
    let key = Path::from(format!("_delta_log/{}", LogFile::commit_name(Version(version))));
    store.put(&key, body.to_owned().into()).await.expect("written");
}

async fn facts(snapshot: &Arc<Snapshot>) -> String {
    let counts = snapshot.counts(CountEffort::Exact).await.expect("counted");
    let apps = snapshot.app_versions().await.expect("apps");
    format!("{} {:?} {counts:?} {apps:?} {:?}", snapshot.version(), snapshot.state().metadata(), snapshot.facts())
}

// spec: LOG-15
#[tokio::test]
async fn a_refreshed_snapshot_is_the_one_that_loading_makes() {
    let store = Arc::new(InMemory::new());
    let url = url::Url::parse("memory:///").expect("a URL");
    let root = TableRoot::with_store(url, Arc::clone(&store) as Arc<dyn ObjectStore>, Path::default());
    let table = Table::with_log(root.clone(), Arc::new(PathLogStore::new(root)), Env::system());
    put(&store, 0, FIRST).await;
    let mut held = table.snapshot().await.expect("version 0");
    for (version, body) in [(1, SECOND), (2, THIRD), (3, FIRST)] {
        put(&store, version, body).await;
        held = held.refresh().await.expect("refreshed");
        let loaded = table.snapshot().await.expect("loaded");
        assert_eq!(facts(&held).await, facts(&loaded).await);
        assert_eq!(held.timestamp().await.expect("a time"), loaded.timestamp().await.expect("a time"));
    }
    assert!(Arc::ptr_eq(&held, &held.refresh().await.expect("refreshed")), "nothing is new");
}
