//! What a small memory limit changes.

use super::signals::{listens, until};
use super::{Ran, Shell};
use std::io::Write;
use std::process::Stdio;

#[test]
fn with_a_small_limit_freed_pages_are_given_back_at_once_unless_somebody_said_otherwise() {
    for (limit, set, delay) in [("64MiB", None, Some("0")), ("2GiB", None, None), ("64MiB", Some("7"), Some("7"))] {
        let shell = Shell::new();
        let mut command = shell.command(&["append", "t", "-", "--memory-limit", limit]);
        command.env_remove("MIMALLOC_PURGE_DELAY");
        command.envs(set.map(|ms| ("MIMALLOC_PURGE_DELAY", ms)));
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        until("the command listening for signals", || listens(&child));
        let environment = std::fs::read(format!("/proc/{}/environ", child.id())).unwrap();
        let found = environment.split(|b| *b == 0).find_map(|entry| entry.strip_prefix(b"MIMALLOC_PURGE_DELAY="));
        assert_eq!(found, delay.map(str::as_bytes), "{limit} {set:?}");
        child.stdin.take().unwrap().write_all(b"id,s\n1,a\n").unwrap();
        let ran = Ran::of(child.wait_with_output().unwrap());
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        assert_eq!(shell.json(&["count", "t"])["count"], 1);
    }
}
