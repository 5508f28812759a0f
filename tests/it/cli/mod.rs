//! The command line as a user meets it: the real binary on tables in temporary folders.

mod alter;
mod care;
mod changes;
mod damage;
mod demo;
mod doctor;
mod errors;
mod formats;
mod log_care;
mod memory;
mod merge;
mod optimize;
pub mod races;
mod row_changes;
mod signals;
mod sql;
mod vacuum;
mod write;

use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A folder in which commands run.
struct Shell {
    folder: tempfile::TempDir,
}

/// What a command left behind.
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Shell {
    fn new() -> Shell {
        Shell { folder: tempfile::tempdir().unwrap() }
    }
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
    /// The command, in the folder, with nothing of the caller's environment that could change what it does.
    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lakebed"));
        command.args(words).current_dir(self.folder.path());
        for name in ["RUST_LOG", "LAKEBED_ALLOW_ROOTS", "NO_COLOR"] {
            command.env_remove(name);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
    fn run(&self, words: &[&str]) -> Ran {
        Ran::of(self.command(words).output().unwrap())
    }
    /// Runs it with this text on standard input.
    fn run_with_input(&self, words: &[&str], input: &[u8]) -> Ran {
        let mut child = self.command(words).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        Ran::of(child.wait_with_output().unwrap())
    }
    /// Runs a command that must succeed, and gives what it printed.
    fn ok(&self, words: &[&str]) -> String {
        let ran = self.run(words);
        assert_eq!(ran.code, Some(0), "{words:?}: {}", ran.err);
        ran.out
    }
    /// The same, read as one JSON document.
    fn json(&self, words: &[&str]) -> Value {
        let out = self.ok(&[words, &["--format", "json"]].concat());
        serde_json::from_str(&out).unwrap_or_else(|e| panic!("{words:?} printed no JSON ({e}): {out}"))
    }
    /// The same, read as one JSON object a line.
    fn lines(&self, words: &[&str]) -> Vec<Value> {
        let out = self.ok(&[words, &["--format", "ndjson"]].concat());
        out.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{words:?}: {e}: {line}"))).collect()
    }
    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }
    /// A table `t` of two versions: (1, a, 2026-01-01) and (2, NULL, 2026-01-02), each in a file and partition of its own.
    fn with_table() -> Shell {
        let shell = Shell::new();
        shell.ok(&["create", "t", "--schema", "id BIGINT NOT NULL, s STRING, day DATE", "--partition-by", "day", "--comment", "events"]);
        shell.write("1.csv", "id,s,day\n1,a,2026-01-01\n2,,2026-01-02\n");
        shell.ok(&["append", "t", "1.csv", "--user-metadata", "first"]);
        shell
    }
    /// A table `t` of more rows than a pipe holds, made of `rows.csv`.
    fn with_many_rows() -> Shell {
        let shell = Shell::new();
        let rows: String = (0..200_000).map(|i| format!("{i},some text that fills the pipe\n")).collect();
        shell.write("rows.csv", &format!("id,s\n{rows}"));
        shell.ok(&["append", "t", "rows.csv"]);
        shell
    }
    /// Every file below a folder, hidden ones too, with its path.
    fn files(&self, name: &str) -> Vec<String> {
        fn walk(folder: &Path, root: &Path, out: &mut Vec<String>) {
            for entry in std::fs::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true => walk(&path, root, out),
                    false => out.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned()),
                }
            }
        }
        let (root, mut out) = (self.path(name), Vec::new());
        walk(&root, &root, &mut out);
        out.sort();
        out
    }
}

impl Ran {
    fn of(output: Output) -> Ran {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
    /// The error object on stderr.
    fn error(&self) -> Value {
        let line = self.err.lines().find(|line| line.starts_with('{')).unwrap_or_else(|| panic!("no error object: {}", self.err));
        serde_json::from_str::<Value>(line).unwrap()["error"].clone()
    }
}

/// The keys of an object, in their order.
fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}
