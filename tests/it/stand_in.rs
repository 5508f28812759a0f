//! Checkpoints that open and then break: what they have handed out stays, something older hands out the rest, once.

use crate::support::log_files::{LogFiles, PROTOCOL, PROTOCOL_V2, add, metadata};
use futures::TryStreamExt;
use lakebed::{Code, FileQuery, Result, Snapshot, Version};
use parquet::file::reader::{FileReader, SerializedFileReader};
use std::sync::Arc;

const FILES: u64 = 3000;

async fn paths(snapshot: &Arc<Snapshot>) -> Result<Vec<String>> {
    let batches: Vec<_> = snapshot.files(FileQuery::default()).try_collect().await?;
    let mut paths: Vec<String> = batches.iter().flat_map(|b| (0..b.len()).map(|row| b.path(row).to_owned())).collect();
    paths.sort();
    Ok(paths)
}

fn expected() -> Vec<String> {
    let mut paths: Vec<String> = (0..FILES).map(|i| format!("f{i}")).collect();
    paths.sort();
    paths
}

/// Version 0 makes the table, version 1 adds all but the last ten files, of which version 2 has five and removes an eleventh, version 3 five.
async fn log_of(protocol: &str) -> LogFiles {
    let log = LogFiles::new();
    log.commit(0, &[protocol, &metadata("first", "{}")]).await;
    let adds: Vec<String> = (0..FILES).map(|i| add(&format!("f{i}"), 10)).collect();
    let adds: Vec<&str> = adds.iter().map(String::as_str).collect();
    let (old, new) = adds.split_at(adds.len() - 10);
    let dropped = add("dropped", 10);
    log.commit(1, &[&[dropped.as_str()], old].concat()).await;
    log.commit(2, &[&new[..5], &[r#"{"remove":{"path":"dropped","dataChange":true,"size":10}}"#]].concat()).await;
    log.commit(3, &new[5..]).await;
    log
}

/// The checkpoint of version 2, in row groups of 1,000.
async fn lines_at_2(protocol: &str) -> Vec<String> {
    let first = [protocol.to_owned(), metadata("first", "{}"), r#"{"txn":{"appId":"app","version":7}}"#.to_owned()];
    first.into_iter().chain((0..FILES - 5).map(|i| add(&format!("f{i}"), 10))).collect()
}

/// The bytes of column chunk `column` of the row group are overwritten.
fn damaged(mut body: Vec<u8>, group: usize, column: &str) -> Vec<u8> {
    let reader = SerializedFileReader::new(bytes::Bytes::from(body.clone())).unwrap();
    let group = reader.metadata().row_group(group);
    let chunk = group.columns().iter().find(|c| c.column_path().string() == column).unwrap();
    let (start, length) = chunk.byte_range();
    body[start as usize..(start + length) as usize].fill(0xff);
    body
}

// spec: LOG-8, REC-25
#[tokio::test]
async fn a_checkpoint_that_breaks_half_way_hands_out_every_file_once() {
    for group in 0..3 {
        let log = log_of(PROTOCOL).await;
        let lines = lines_at_2(PROTOCOL).await;
        let whole = log.parquet_body(&lines);
        log.put(&format!("{:020}.checkpoint.parquet", 2), damaged(whole, group, "add.path")).await;
        let snapshot = log.table.snapshot().await.unwrap();
        assert_eq!(snapshot.version(), Version(3));
        assert!(snapshot.warnings().is_empty(), "its small facts read: {:?}", snapshot.warnings());
        assert!(paths(&snapshot).await.unwrap() == expected(), "row group {group}");
        assert_eq!(snapshot.counts(lakebed::CountEffort::Exact).await.unwrap().unwrap().files, FILES);
    }
}

// spec: LOG-8, REC-25
#[tokio::test]
async fn an_older_checkpoint_stands_in_for_one_that_breaks_and_the_next_checkpoint_is_whole() {
    let log = log_of(PROTOCOL).await;
    let lines = lines_at_2(PROTOCOL).await;
    let older: Vec<&str> = lines[..3].iter().map(String::as_str).chain([PROTOCOL]).collect();
    log.checkpoint(0, &older).await;
    log.put(&format!("{:020}.checkpoint.parquet", 2), damaged(log.parquet_body(&lines), 1, "add.path")).await;
    log.delete(&format!("{:020}.json", 0)).await;
    let snapshot = log.table.snapshot().await.unwrap();
    assert!(paths(&snapshot).await.unwrap() == expected());
    log.table.checkpoint().run().await.unwrap();
    for v in 0..=3 {
        log.delete(&format!("{v:020}.json")).await;
    }
    assert!(paths(&log.table.snapshot().await.unwrap()).await.unwrap() == expected());
}

// spec: LOG-8, CKP-5
#[tokio::test]
async fn a_checkpoint_that_breaks_with_nothing_else_there_is_an_error_that_names_it() {
    let log = log_of(PROTOCOL).await;
    let name = format!("{:020}.checkpoint.parquet", 2);
    log.put(&name, damaged(log.parquet_body(&lines_at_2(PROTOCOL).await), 2, "add.path")).await;
    log.delete(&format!("{:020}.json", 1)).await;
    let e = paths(&log.table.snapshot().await.unwrap()).await.unwrap_err();
    assert_eq!((e.code(), e.context().iter().find(|(k, _)| *k == "path").map(|(_, v)| v.to_string())), (Code::CKPT, Some(name)));
}

// spec: LOG-8
#[tokio::test]
async fn a_missing_or_torn_sidecar_is_made_up_for_by_the_commits() {
    let lines = lines_at_2(PROTOCOL_V2).await;
    let (small, adds) = lines.split_at(3);
    for torn in [false, true] {
        let log = log_of(PROTOCOL_V2).await;
        let halves: Vec<Vec<u8>> = adds.chunks(adds.len() / 2 + 1).map(|half| log.parquet_body(half)).collect();
        let mut top: Vec<String> = vec![r#"{"checkpointMetadata":{"version":2}}"#.to_owned()];
        top.extend(small.iter().cloned());
        for (i, half) in halves.iter().enumerate() {
            let size = half.len();
            top.push(format!(r#"{{"sidecar":{{"path":"{i}.parquet","sizeInBytes":{size},"modificationTime":1}}}}"#));
        }
        log.put("_sidecars/0.parquet", halves[0].clone()).await;
        if torn {
            log.put("_sidecars/1.parquet", halves[1][..halves[1].len() / 2].to_vec()).await;
        }
        let name = format!("{:020}.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.parquet", 2);
        log.put(&name, log.parquet_body(&top)).await;
        let snapshot = log.table.snapshot().await.unwrap();
        assert!(snapshot.warnings().is_empty(), "{:?}", snapshot.warnings());
        assert!(paths(&snapshot).await.unwrap() == expected(), "torn {torn}");
    }
}

// spec: REC-5, LOG-8
#[tokio::test]
async fn application_versions_of_a_broken_checkpoint_come_from_the_commits() {
    let log = log_of(PROTOCOL).await;
    log.commit(4, &[r#"{"txn":{"appId":"app","version":9}}"#]).await;
    log.commit(5, &[r#"{"txn":{"appId":"later","version":1}}"#]).await;
    log.put(&format!("{:020}.checkpoint.parquet", 4), "torn").await;
    let metadata = metadata("first", "{}");
    let metadata = metadata.trim_start_matches("{\"metaData\":").strip_suffix('}').unwrap();
    let protocol = PROTOCOL.trim_start_matches("{\"protocol\":").strip_suffix('}').unwrap();
    let crc = format!(
        r#"{{"tableSizeBytes":30000,"numFiles":3000,"numMetadata":1,"numProtocol":1,"metadata":{metadata},"protocol":{protocol}}}"#
    );
    log.put(&format!("{:020}.crc", 4), crc).await;
    let snapshot = log.table.snapshot().await.unwrap();
    assert!(snapshot.warnings().is_empty(), "the checksum spares the checkpoint");
    assert_eq!(snapshot.app_version("app").await.unwrap(), Some(9));
    assert_eq!(snapshot.app_versions().await.unwrap().len(), 2);
}

#[tokio::test]
async fn loading_and_listing_files_can_be_handed_to_another_thread() {
    let log = log_of(PROTOCOL).await;
    let table = log.table.clone();
    let work = tokio::spawn(async move { paths(&table.snapshot().await?.refresh().await?).await });
    assert_eq!(work.await.unwrap().unwrap().len() as u64, FILES);
}
