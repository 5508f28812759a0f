//! Many processes that change one file at once.

use super::{Ran, Shell};
use serde_json::{Value, json};
use std::path::Path;

/// How many processes.
pub const RACERS: usize = 16;

/// Starts a process for each of the first rows of the table, all at once, each of which deletes its row. All must succeed, in commits of
/// their own; gives how often each tried.
pub fn delete_at_once(table: &Path) -> Vec<u64> {
    let shell = Shell::new();
    let table = table.to_str().unwrap();
    let delete = |id: usize| shell.command(&["delete", table, "--where", &format!("id = {id}"), "--format", "json"]).spawn().unwrap();
    let racing: Vec<_> = (0..RACERS).map(delete).collect();
    let ended: Vec<Ran> = racing.into_iter().map(|child| Ran::of(child.wait_with_output().unwrap())).collect();
    let mut reports: Vec<Value> = Vec::new();
    for ran in ended {
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        reports.push(serde_json::from_str(&ran.out).unwrap());
    }
    let mut versions: Vec<u64> = reports.iter().map(|r| r["version"].as_u64().unwrap()).collect();
    versions.sort_unstable();
    versions.dedup();
    assert_eq!(versions.len(), RACERS, "{reports:?}");
    let deleted: u64 = reports.iter().map(|r| r["metrics"]["numDeletedRows"].as_u64().unwrap()).sum();
    assert_eq!(deleted, RACERS as u64, "{reports:?}");
    let mut tries: Vec<u64> = reports.iter().map(|r| r["attempts"].as_u64().unwrap()).collect();
    tries.sort_unstable();
    println!("tries of {RACERS} processes: {tries:?}");
    tries
}

// spec: CON-6, COM-10
#[test]
fn sixteen_processes_that_delete_a_row_each_of_one_file_all_commit_within_three_tries_at_the_median() {
    let shell = Shell::new();
    shell.ok(&["create", "t", "--schema", "id BIGINT, n BIGINT", "--property", "delta.enableDeletionVectors=true"]);
    let rows: Vec<String> = (0..20).map(|id| format!("{id},{}", id * id)).collect();
    shell.write("rows.csv", &format!("id,n\n{}\n", rows.join("\n")));
    shell.ok(&["append", "t", "rows.csv"]);
    let tries = delete_at_once(&shell.path("t"));
    assert!(tries[RACERS / 2] <= 3, "{tries:?}");
    let mut left = shell.lines(&["scan", "t"]);
    left.sort_by_key(|row| row["id"].as_i64());
    assert_eq!(left, (16..20).map(|id| json!({"id": id, "n": id * id})).collect::<Vec<_>>());
    let files = shell.lines(&["files", "t"]);
    assert_eq!(files.len(), 1, "nothing was written again: {files:?}");
    assert_eq!(shell.lines(&["scan", "t", "--version", "1"]).len(), 20);
}
