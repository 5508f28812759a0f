//! Table features: one file each, a static record and pure hooks. Kind: pure. Spec: FEA.
//!
//! Outside this folder no feature's name appears.

mod append_only;
mod commit;
mod in_commit_timestamp;
mod state;

pub(crate) use commit::CommitDraft;
pub use state::TableState;
