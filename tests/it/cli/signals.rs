//! SIGINT and SIGTERM.

use super::{Ran, Shell};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

fn send(signal: &str, child: &Child) {
    let sent = std::process::Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

/// Waits until `seen` is true; fails after a while.
fn until(what: &str, mut seen: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !seen() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what} did not come about");
        std::thread::yield_now();
    }
}

/// Whether the process has a handler for SIGINT by now.
fn listens(child: &Child) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).map(|mask| u64::from_str_radix(mask.trim(), 16).unwrap());
    caught.is_some_and(|mask| mask & (1 << 1) != 0 && mask & (1 << 14) != 0)
}

#[test]
fn a_signal_during_an_append_leaves_no_commit_and_no_file() {
    let shell = Shell::with_table();
    let before = shell.files("t");
    for signal in ["-INT", "-TERM"] {
        let mut child = shell.command(&["append", "t", "-", "--format", "json"]).stdin(Stdio::piped()).spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        // A hundred partitions are more than files may be open at once, so finished files stand on the disk. The pipe stays open.
        writeln!(input, "id,s,day").unwrap();
        let begun = Instant::now();
        let mut id = 0;
        while shell.files("t").len() <= before.len() {
            for _ in 0..2_000 {
                id += 1;
                writeln!(input, "{id},some text,{:04}-01-01", 2000 + id % 100).unwrap();
            }
            assert!(begun.elapsed() < Duration::from_secs(120), "no data file was finished");
        }
        send(signal, &child);
        let ran = Ran::of(child.wait_with_output().unwrap());
        drop(input);
        assert_eq!((ran.code, ran.error()["code"].as_str()), (Some(130), Some("LB-CANCELLED")), "{signal}: {}", ran.err);
        assert_eq!(ran.out, "");
        assert_eq!(shell.files("t"), before, "{signal}");
    }
    assert_eq!(shell.json(&["count", "t"])["count"], 2);
}

#[test]
fn a_signal_before_the_first_row_makes_no_table() {
    let shell = Shell::new();
    let mut child = shell.command(&["append", "t", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    let input = child.stdin.take().unwrap();
    until("the command listening", || listens(&child));
    send("-TERM", &child);
    let ran = Ran::of(child.wait_with_output().unwrap());
    drop(input);
    assert_eq!(ran.code, Some(130), "{}", ran.err);
    assert!(shell.files("t").is_empty());
}

#[test]
fn a_signal_ends_a_scan_whose_reader_has_stopped_reading() {
    let shell = Shell::new();
    let rows: String = (0..200_000).map(|i| format!("{i},some text that fills the pipe\n")).collect();
    shell.write("rows.csv", &format!("id,s\n{rows}"));
    shell.ok(&["append", "t", "rows.csv"]);
    let mut child = shell.command(&["scan", "t"]).spawn().unwrap();
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    reader.read_line(&mut String::new()).unwrap();
    send("-INT", &child);
    assert_eq!(child.wait().unwrap().code(), Some(130));
}
