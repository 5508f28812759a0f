//! The log: which files it consists of, what they say, and how a commit becomes durable. Spec: LOG, ACT, REC, CKP, CRC.

mod action;
pub(crate) mod batch;
mod catalog;
pub(crate) mod checkpoint;
pub(crate) mod checksum;
pub(crate) mod cleanup;
pub(crate) mod compaction;
mod guard;
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
    Action, Add, Cdc, CheckpointMetadata, CommitInfo, DomainMetadata, Format, Metadata, NullableMap, Protocol, Remove, Sidecar, StringMap,
    Txn, VectorDescriptor,
};
pub use catalog::{CatalogLogStore, CommitCatalog, Ratified, StagedCommit};
pub(crate) use guard::OnlyAfter;
pub(crate) use json::{CommitDecoder, decode_commit, decode_commit_info, encode_commit};
pub use path::{LogFile, LogFileKind, Version};
pub(crate) use replay::SmallFacts;
pub use store::{CommitStream, LogStore, PathLogStore};
pub(crate) use tail::{LogTail, TailPiece};
