//! How a run ends badly: message, JSON, exit code. Kind: shape.

use crate::output::pipe_is_broken;
use crate::stop::Commits;
use lakebed::{Code, Error, ErrorKind};
use serde_json::{Map, Value, json};
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

/// Why a command ended.
pub enum Failure {
    /// The library refused.
    Lakebed(Error),
    /// The command line does not make sense.
    Usage(String),
    /// Standard output went away, which is not worth a word.
    BrokenPipe,
    /// A result could not be written: what, and where.
    Output(String, String),
    /// A check found something, which was told as a result.
    Findings,
    /// A signal asked to stop; what became of the run's commits.
    Interrupted(Commits),
    /// A defect.
    Panicked(String),
}

pub type Result<T, E = Failure> = std::result::Result<T, E>;

impl From<Error> for Failure {
    fn from(e: Error) -> Self {
        if e.code() == Code::OUTPUT && pipe_is_broken() { Failure::BrokenPipe } else { Failure::Lakebed(e) }
    }
}

impl From<io::Error> for Failure {
    fn from(e: io::Error) -> Self {
        if pipe_is_broken() { Failure::BrokenPipe } else { Failure::Output(e.to_string(), "standard output".to_owned()) }
    }
}

/// What is told about a failure.
struct Told {
    code: &'static str,
    kind: &'static str,
    message: String,
    context: Vec<(&'static str, String)>,
    help: Option<String>,
}

impl Failure {
    pub fn exit_code(&self) -> u8 {
        match self {
            Failure::Lakebed(e) => match e.kind() {
                ErrorKind::NotFound => 4,
                ErrorKind::Conflict | ErrorKind::CommitUnknown => 3,
                ErrorKind::ConstraintViolated => 7,
                ErrorKind::Cancelled => 130,
                _ if [Code::FEATURE_READ, Code::FEATURE_WRITE].contains(&e.code()) => 5,
                _ if e.code() == Code::INPUT && names_a_missing_file(e) => 4,
                _ => 1,
            },
            Failure::Usage(_) => 2,
            Failure::BrokenPipe => 0,
            Failure::Findings => 6,
            Failure::Interrupted(commits) => {
                if commits.unsettled.is_some() {
                    3
                } else {
                    130
                }
            }
            Failure::Output(..) | Failure::Panicked(_) => 1,
        }
    }

    /// Tells what happened on stderr.
    pub fn report(&self, as_json: bool, colour: bool) {
        let Some(told) = self.told() else { return };
        let text = if as_json {
            let context: Map<String, Value> = told.context.into_iter().map(|(k, v)| (k.to_owned(), Value::String(v))).collect();
            json!({"error": {"code": told.code, "kind": told.kind, "message": told.message, "context": context, "help": told.help}})
                .to_string()
        } else {
            let (red, bold, off) = if colour { ("\x1b[31m", "\x1b[1m", "\x1b[0m") } else { ("", "", "") };
            let mut text = format!("{red}error[{}]{off}: {bold}{}{off}", told.code, printable(&told.message));
            for (key, value) in told.context {
                text.push_str(&format!("\n  {key}: {}", printable(&value)));
            }
            if let Some(help) = told.help {
                text.push_str(&format!("\nhelp: {}", printable(&help)));
            }
            text
        };
        // When stderr is gone too, the exit code is all that is left to say.
        let _ = writeln!(io::stderr(), "{text}");
    }

    fn told(&self) -> Option<Told> {
        let told = |code: Code, message: &str, help: Option<&str>| Told {
            code: code.as_str(),
            kind: code.kind().as_str(),
            message: message.to_owned(),
            context: vec![],
            help: help.map(str::to_owned),
        };
        Some(match self {
            Failure::BrokenPipe | Failure::Findings => return None,
            Failure::Lakebed(e) => Told { context: e.context().to_vec(), ..told(e.code(), e.message(), e.next_step()) },
            Failure::Usage(message) => {
                Told { code: "LB-USAGE", kind: "InvalidInput", ..told(Code::INPUT, message, Some("see `lakebed --help`")) }
            }
            Failure::Output(message, target) => {
                let message = format!("a result could not be written: {message}");
                Told { context: vec![("output", target.clone())], ..told(Code::OUTPUT, &message, None) }
            }
            Failure::Interrupted(Commits { unsettled: Some(put), .. }) => {
                let help = "look at that version in the table's history and for the transaction id in its log before you write again";
                let message = "interrupted before the store said whether the commit landed";
                let mut context = vec![("version", put.version.to_string())];
                context.extend(put.txn_id.clone().map(|id| ("txnId", id)));
                Told { context, ..told(Code::COMMIT_UNKNOWN, message, Some(help)) }
            }
            Failure::Interrupted(Commits { landed: Some(version), .. }) => {
                let message = "interrupted after a commit; it is part of the table";
                Told { context: vec![("version", version.to_string())], ..told(Code::CANCELLED, message, None) }
            }
            Failure::Interrupted(_) => told(Code::CANCELLED, "interrupted; nothing was committed", None),
            Failure::Panicked(message) => {
                told(Code::INTERNAL, message, Some("this is a defect of lakebed; please report it with the command that led to it"))
            }
        })
    }
}

/// Runs the work of a command. A panic in it is a failure that says where and why.
pub fn caught(work: impl FnOnce() -> Result<()>) -> Result<()> {
    let panicked = Arc::new(Mutex::new(None));
    let note = Arc::clone(&panicked);
    std::panic::set_hook(Box::new(move |info| {
        tracing::debug!("{info}");
        if let Ok(mut first) = note.lock() {
            first.get_or_insert_with(|| info.to_string());
        }
    }));
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        let text = panicked.lock().ok().and_then(|mut text| text.take());
        Err(Failure::Panicked(text.unwrap_or_else(|| "the command broke off".to_owned()).replace('\n', ": ")))
    })
}

fn names_a_missing_file(e: &Error) -> bool {
    let mut cause = std::error::Error::source(e);
    while let Some(found) = cause {
        if found.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::NotFound) {
            return true;
        }
        cause = found.source();
    }
    false
}

/// Text with its control characters escaped, so that data cannot steer the terminal.
pub fn printable(text: &str) -> String {
    let hidden = |c: char| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c) || ('\u{2066}'..='\u{2069}').contains(&c);
    if !text.contains(hidden) {
        return text.to_owned();
    }
    text.chars().map(|c| if hidden(c) { c.escape_default().to_string() } else { c.to_string() }).collect()
}

#[cfg(test)]
#[path = "failure_tests.rs"]
mod tests;
