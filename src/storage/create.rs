//! Create-only writes and what their answers mean. Kind: edge. Spec: STO.
//!
//! Invariant: `Created` and `Failed` are said only when they are certain; everything else is `Exists` or `Unknown`, and the caller
//! reads back.

use super::{cloud, failure};
use crate::error::{Code, Error};
use bytes::Bytes;
use object_store::path::Path;
use object_store::{ObjectStore, PutMode};

/// The four things a conditional write can mean. `Unknown` is not a failure: it may have happened. With the code `LB-COMMIT-UNKNOWN` it did
/// and may not last, so that reading it back settles nothing.
#[derive(Debug)]
pub enum PutOutcome {
    Created,
    /// Something is there; it may be ours, when an earlier try was applied and its answer lost.
    Exists,
    Unknown(Error),
    Failed(Error),
}

/// Nothing was published: a local write that failed before its one atomic step.
#[derive(Debug)]
pub(super) struct NotPublished(pub std::io::Error);

impl std::fmt::Display for NotPublished {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for NotPublished {}

/// A file is in view, but perhaps not on the disk: a local write that failed after its one atomic step.
#[derive(Debug)]
pub(super) struct NotDurable(pub std::io::Error);

impl std::fmt::Display for NotDurable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for NotDurable {}

/// Writes `body` at `key` only if nothing is there. One request; `store` must not retry by itself.
pub(crate) async fn create(store: &dyn ObjectStore, key: &Path, body: Bytes) -> PutOutcome {
    match store.put_opts(key, body.into(), PutMode::Create.into()).await {
        Ok(_) => PutOutcome::Created,
        Err(e) => outcome(e, key),
    }
}

pub(super) fn outcome(e: object_store::Error, key: &Path) -> PutOutcome {
    use object_store::Error as E;
    let doing = "writing a new file";
    match e {
        E::AlreadyExists { .. } | E::Precondition { .. } | E::NotModified { .. } => PutOutcome::Exists,
        e @ (E::PermissionDenied { .. }
        | E::Unauthenticated { .. }
        | E::NotFound { .. }
        | E::NotSupported { .. }
        | E::NotImplemented { .. }
        | E::InvalidPath { .. }
        | E::UnknownConfigurationKey { .. }) => PutOutcome::Failed(failure(e, doing, key.as_ref())),
        e if any_cause(&e, |cause| cause.is::<NotDurable>()) => PutOutcome::Unknown(
            Error::new(
                Code::COMMIT_UNKNOWN,
                "the file is in view, but its folder could not be brought to the disk: it may be gone after a crash",
            )
            .with("path", key)
            .with("cause", failure(e, doing, key.as_ref()).message())
            .help("see to the disk; then look whether the file is still there before you write again"),
        ),
        e if any_cause(&e, surely_not_applied) => PutOutcome::Failed(failure(e, doing, key.as_ref())),
        e => PutOutcome::Unknown(failure(e, doing, key.as_ref())),
    }
}

/// Whether the cause says that the write was never sent or never published. An error of our own comes before the write, except a panic.
fn surely_not_applied(cause: Cause<'_>) -> bool {
    let ours = |e: &Error| e.code() != Code::INTERNAL;
    cause.is::<NotPublished>() || cause.downcast_ref().is_some_and(ours) || cloud::surely_not_applied(cause)
}

type Cause<'a> = &'a (dyn std::error::Error + 'static);

fn any_cause(e: &object_store::Error, test: impl Fn(Cause<'_>) -> bool) -> bool {
    let mut next: Option<Cause<'_>> = Some(e);
    while let Some(cause) = next {
        if test(cause) {
            return true;
        }
        next = cause.source();
    }
    false
}
