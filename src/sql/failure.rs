//! Errors between the planner and us. Kind: pure. Spec: SQL.

use crate::error::{Code, Error};
use crate::expr::ZERO_HELP;
use arrow::error::ArrowError;
use datafusion::common::DataFusionError;

/// Our error on its way through a plan.
pub(super) fn planner(e: Error) -> DataFusionError {
    DataFusionError::External(Box::new(e))
}

/// What ended a plan: our own error when one is inside, `LB-LIMIT` when memory ran out, else `LB-SQL`.
pub(super) fn ours(e: DataFusionError) -> Error {
    let e = match e {
        DataFusionError::External(source) => match source.downcast::<Error>() {
            Ok(ours) => return *ours,
            Err(other) => DataFusionError::External(other),
        },
        DataFusionError::ArrowError(arrow, backtrace) => match *arrow {
            ArrowError::ExternalError(source) => match source.downcast::<Error>() {
                Ok(ours) => return *ours,
                Err(other) => DataFusionError::External(other),
            },
            arrow => DataFusionError::ArrowError(Box::new(arrow), backtrace),
        },
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => return ours(*inner),
        other => other,
    };
    if let Some(found) = inside(&e) {
        return found;
    }
    match e.find_root() {
        DataFusionError::ResourcesExhausted(message) => {
            Error::new(Code::LIMIT, format!("the statement needs more memory than it may hold: {message}"))
                .help("raise the memory limit (--memory-limit)")
        }
        DataFusionError::SQL(e, _) => Error::new(Code::SQL, format!("the statement does not parse: {e}")),
        DataFusionError::NotImplemented(message) => Error::new(Code::SQL, format!("this is not supported: {message}")),
        DataFusionError::ArrowError(e, _) if matches!(**e, ArrowError::DivideByZero) => {
            Error::new(Code::SQL, "division by zero").help(ZERO_HELP)
        }
        DataFusionError::ArrowError(e, _) => Error::new(Code::SQL, format!("a value cannot be computed: {}", stripped(&e.to_string()))),
        root => {
            let text = root.strip_backtrace();
            let text = ["Error during planning: ", "Execution error: ", "Schema error: "]
                .iter()
                .fold(text.as_str(), |t, prefix| t.strip_prefix(prefix).unwrap_or(t))
                .replace('\n', " ");
            Error::new(Code::SQL, text)
        }
    }
}

fn stripped(text: &str) -> &str {
    ["Cast error: ", "Compute error: ", "Arithmetic overflow: ", "Invalid argument error: "]
        .iter()
        .fold(text, |t, prefix| t.strip_prefix(prefix).unwrap_or(t))
}

/// A copy of our error inside of an error that is shared.
fn inside(e: &DataFusionError) -> Option<Error> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(e);
    while let Some(found) = cause {
        if let Some(ours) = found.downcast_ref::<Error>() {
            let mut copy = Error::new(ours.code(), ours.message());
            for (key, value) in ours.context() {
                copy = copy.with(key, value);
            }
            return Some(match ours.next_step() {
                Some(step) => copy.help(step),
                None => copy,
            });
        }
        cause = found.source();
    }
    None
}
