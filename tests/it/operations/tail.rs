//! Following a table.

use super::*;
use futures::TryStreamExt;
use lakebed::{Alteration, At, Code, Expr, NewColumn, TailOffset, TailReader, Version};

/// The ids of the next step, and where the reader stands then.
async fn step(reader: &mut TailReader) -> Option<(Vec<i64>, TailOffset)> {
    let step = reader.next().await.unwrap()?;
    let batches: Vec<RecordBatch> = step.rows().try_collect().await.unwrap();
    let ids = batches.iter().flat_map(|b| b.column(0).as_primitive::<Int64Type>().values().to_vec()).collect();
    Some((ids, step.offset))
}

async fn of_files(files: &[i64]) -> Place {
    let place = place();
    for id in files {
        append_ids(&place.table, &[*id]).await.unwrap();
    }
    place
}

// spec: TAI-1, TAI-2, TAI-3
#[tokio::test]
async fn every_row_comes_once_in_steps_of_the_size_asked_for_and_after_every_restart() {
    let place = of_files(&[1, 2, 3]).await;
    let mut reader = place.table.tail().max_files(2).open().await.unwrap();
    let id = reader.offset().table_id.clone();
    let (mut seen, offset) = step(&mut reader).await.unwrap();
    assert_eq!(offset, TailOffset { table_id: id.clone(), version: Version(2), index: 1, is_starting_version: true });
    append_ids(&place.table, &[4]).await.unwrap();
    // A new reader at every step.
    let mut offset = TailOffset::from_json(&offset.to_json()).unwrap();
    loop {
        let mut reader = place.table.tail().after(offset.clone()).max_files(1).open().await.unwrap();
        let Some((ids, next)) = step(&mut reader).await else { break };
        assert_eq!(ids.len(), 1);
        seen.extend(ids);
        offset = next;
    }
    seen.sort_unstable();
    assert_eq!(seen, [1, 2, 3, 4]);
    assert_eq!(offset, TailOffset { table_id: id, version: Version(4), index: -1, is_starting_version: false });
    assert!(reader.next().await.unwrap().is_some(), "the first reader goes on by itself");
}

// spec: TAI-1, TAI-3
#[tokio::test]
async fn readers_begin_at_a_version_or_with_what_comes_later() {
    let place = of_files(&[1, 2, 3]).await;
    let mut late = place.table.tail().from(At::Latest).open().await.unwrap();
    assert!(step(&mut late).await.is_none());
    let mut from = place.table.tail().from(At::Version(Version(1))).max_bytes(1).open().await.unwrap();
    assert_eq!(step(&mut from).await.unwrap().0, [2], "at least one file, and no more once the bytes are used up");
    assert_eq!(step(&mut from).await.unwrap().0, [3]);
    assert!(step(&mut from).await.is_none());
    append_ids(&place.table, &[4]).await.unwrap();
    assert_eq!((step(&mut late).await.unwrap().0, step(&mut from).await.unwrap().0), (vec![4], vec![4]));
    let e = place.table.tail().from(At::Version(Version(9))).open().await.err().unwrap();
    assert_eq!(e.code(), Code::VERSION);
    let mut other = late.offset().clone();
    other.table_id = "another".to_owned();
    assert_eq!(place.table.tail().after(other).open().await.err().unwrap().code(), Code::INPUT);
}

// spec: TAI-4
#[tokio::test]
async fn commits_that_take_rows_away_stop_a_reader_that_does_not_forgive_them() {
    let place = of_files(&[1, 2]).await;
    let start = place.table.tail().from(At::Latest).open().await.unwrap().offset().clone();
    append(&place.table, vec![ids_and_texts(&[(3, None), (4, None)])]).run().await.unwrap();
    place.table.delete().filter(Expr::sql("id = 3").unwrap()).run().await.unwrap();
    place.table.delete().filter(Expr::sql("id = 1").unwrap()).run().await.unwrap();
    append_ids(&place.table, &[5]).await.unwrap();
    let tail = || place.table.tail().after(start.clone());
    let mut strict = tail().open().await.unwrap();
    assert_eq!(step(&mut strict).await.unwrap().0, [3, 4], "what lies before it comes first");
    let e = strict.next().await.err().unwrap();
    assert!(e.code() == Code::INPUT && e.to_string().contains("version: 3"), "{e}");
    let mut deletes = tail().ignore_deletes().open().await.unwrap();
    step(&mut deletes).await.unwrap();
    assert_eq!(deletes.next().await.err().unwrap().code(), Code::INPUT, "the file was written anew");
    let mut changes = tail().ignore_changes().open().await.unwrap();
    assert_eq!(step(&mut changes).await.unwrap().0, [3, 4, 4, 5], "copied rows come again");
    let mut skipping = tail().skip_change_commits().open().await.unwrap();
    assert_eq!(step(&mut skipping).await.unwrap().0, [3, 4, 5]);
}

// spec: TAI-5, TAI-6
#[tokio::test]
async fn new_columns_stop_a_reader_until_it_is_opened_again_and_lost_commits_are_named() {
    let place = of_files(&[1]).await;
    let mut reader = place.table.tail().open().await.unwrap();
    assert_eq!(step(&mut reader).await.unwrap().0, [1]);
    append_ids(&place.table, &[2]).await.unwrap();
    place.table.alter(Alteration::AddColumns(NewColumn::from_sql("extra INT").unwrap())).run().await.unwrap();
    append_ids(&place.table, &[3]).await.unwrap();
    assert_eq!(step(&mut reader).await.unwrap().0, [2]);
    let e = reader.next().await.err().unwrap();
    assert!(e.code() == Code::SCHEMA && e.to_string().contains("extra"), "{e}");
    let mut again = place.table.tail().after(reader.offset().clone()).open().await.unwrap();
    assert_eq!(again.schema().fields().len(), 3);
    assert_eq!(step(&mut again).await.unwrap().0, [3]);
    let offset = TailOffset { version: Version(1), ..reader.offset().clone() };
    let mut behind = place.table.tail().after(offset).open().await.unwrap();
    place.table.checkpoint().run().await.unwrap();
    std::fs::remove_file(place.folder.path().join("_delta_log/00000000000000000001.json")).unwrap();
    let e = behind.next().await.err().unwrap();
    assert!(e.code() == Code::CDF_GONE && e.to_string().contains("earliest: 2"), "{e}");
}
