//! SIGINT and SIGTERM.

use super::{Ran, Shell};
use crate::support::http::{plain_s3, s3};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

fn send(signal: &str, child: &Child) {
    let sent = std::process::Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

/// Waits until `seen` is true; fails after a while.
pub(super) fn until(what: &str, mut seen: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !seen() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what} did not come about");
        std::thread::yield_now();
    }
}

/// Whether the process has a handler for SIGINT by now.
pub(super) fn listens(child: &Child) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).map(|mask| u64::from_str_radix(mask.trim(), 16).unwrap());
    caught.is_some_and(|mask| mask & (1 << 1) != 0 && mask & (1 << 14) != 0)
}

/// Feeds an append through a pipe that stays open until a file of the table appears, sends the signal, and expects no trace.
fn interrupted_append(signal: &str, target_file_size: &str, flags: &[&str]) {
    let shell = Shell::new();
    let property = format!("delta.targetFileSize={target_file_size}");
    shell.ok(&["create", "t", "--schema", "id BIGINT, s STRING", "--property", &property]);
    let before = shell.files("t");
    let words = [&["append", "t", "-", "--format", "json"], flags].concat();
    let mut child = shell.command(&words).stdin(Stdio::piped()).spawn().unwrap();
    let mut input = BufWriter::new(child.stdin.take().unwrap());
    writeln!(input, "id,s").unwrap();
    let begun = Instant::now();
    let mut noise = 1u64;
    while shell.files("t") == before {
        for id in 0..10_000 {
            write!(input, "{id},").unwrap();
            for _ in 0..4 {
                noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                write!(input, "{noise:016x}").unwrap();
            }
            writeln!(input).unwrap();
        }
        assert!(begun.elapsed() < Duration::from_secs(120), "no file appeared");
    }
    send(signal, &child);
    let ran = Ran::of(child.wait_with_output().unwrap());
    drop(input.into_parts());
    assert_eq!((ran.code, ran.error()["code"].as_str()), (Some(130), Some("LB-CANCELLED")), "{}", ran.err);
    assert_eq!((ran.out.as_str(), shell.files("t")), ("", before));
    assert_eq!(shell.json(&["info", "t"])["version"], 0);
}

#[test]
fn sigint_during_an_append_leaves_no_commit_and_no_finished_file() {
    interrupted_append("-INT", "65536", &[]);
}

#[test]
fn sigterm_during_an_append_leaves_no_commit_and_no_finished_file() {
    interrupted_append("-TERM", "65536", &[]);
}

#[test]
fn a_signal_during_an_append_takes_back_the_unfinished_upload() {
    interrupted_append("-INT", "1gb", &["--memory-limit", "16MiB"]);
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
    let shell = Shell::with_many_rows();
    let mut child = shell.command(&["scan", "t"]).spawn().unwrap();
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    reader.read_line(&mut String::new()).unwrap();
    send("-INT", &child);
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[test]
fn a_signal_during_a_scan_into_a_file_leaves_no_file() {
    let shell = Shell::with_many_rows();
    shell.ok(&["append", "t", "rows.csv"]);
    for output in ["o.csv", "o.ndjson"] {
        let child = shell.command(&["scan", "t", "--output", output]).spawn().unwrap();
        let temporary = format!(".{output}.{}.tmp", child.id());
        until("the output", || shell.path(&temporary).exists());
        send("-INT", &child);
        let ran = Ran::of(child.wait_with_output().unwrap());
        assert_eq!((ran.code, ran.out.as_str()), (Some(130), ""), "{}", ran.err);
        assert!(!shell.path(&temporary).exists() && !shell.path(output).exists(), "{output}");
    }
}

#[test]
fn a_second_signal_ends_a_commit_that_the_store_does_not_answer_and_says_that_it_may_have_landed() {
    let shell = Shell::new();
    shell.write("rows.csv", "id\n1\n");
    let commit = "/lake/t/_delta_log/00000000000000000000.json";
    let (server, objects) = s3(move |ask, _, objects| {
        if ask.method == "PUT" && ask.path == commit {
            plain_s3(ask, objects);
            loop {
                std::thread::park();
            }
        }
        None
    });
    let (endpoint, cache) = (format!("aws_endpoint={}", server.url), format!("cache_dir={}", shell.path("cache").display()));
    let options = ["aws_access_key_id=k", "aws_secret_access_key=s", "aws_region=r", &endpoint, &cache];
    let words: Vec<&str> = options.iter().flat_map(|option| ["--storage-option", option]).collect();
    let child = shell.command(&[&["append", "s3://lake/t", "rows.csv", "--format", "json"], &words[..]].concat()).spawn().unwrap();
    until("the commit", || objects.lock().unwrap().contains_key(commit));
    // Two different signals, since two of a kind may arrive as one.
    send("-INT", &child);
    send("-TERM", &child);
    let second = Instant::now();
    let ran = Ran::of(child.wait_with_output().unwrap());
    assert!(second.elapsed() < Duration::from_secs(20), "the grace of 30 s was waited for");
    assert_eq!((ran.code, ran.out.as_str()), (Some(3), ""), "{}", ran.err);
    let error = ran.error();
    assert_eq!((error["code"].as_str(), error["context"]["version"].as_str()), (Some("LB-COMMIT-UNKNOWN"), Some("0")), "{}", ran.err);
    let body = String::from_utf8(objects.lock().unwrap()[commit].clone()).unwrap();
    assert!(body.contains(error["context"]["txnId"].as_str().unwrap()), "the transaction that it names is the one in the log");
}
