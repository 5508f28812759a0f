//! The log: which files it consists of, what they say, and how a commit becomes durable. Spec: LOG, ACT, REC, CKP, CRC.

mod action;
pub(crate) mod batch;
pub(crate) mod checkpoint;
pub(crate) mod checksum;
mod compaction;
pub(crate) mod hint;
mod histogram;
mod json;
pub(crate) mod listing;
mod path;
pub(crate) mod read;
mod replay;
pub(crate) mod seen;
pub(crate) mod segment;
pub(crate) mod stats;
mod store;
mod tail;

pub use action::{
    Action, Add, CheckpointMetadata, CommitInfo, DomainMetadata, Format, Metadata, NullableMap, Protocol, Remove, Sidecar, StringMap, Txn,
    VectorDescriptor,
};
pub(crate) use json::{decode_commit, decode_commit_info, encode_commit};
pub use path::{LogFile, LogFileKind, Version};
pub(crate) use replay::SmallFacts;
pub use store::{LogStore, PathLogStore};
pub(crate) use tail::{LogTail, TailPiece};
