//! lakebed: a transactional lakehouse storage engine for the Delta Lake table format.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    warn(clippy::unwrap_used, clippy::todo, clippy::unimplemented, clippy::dbg_macro, clippy::print_stdout, clippy::print_stderr)
)]
// What only SQL calls is no dead code in a build without it.
#![cfg_attr(not(feature = "sql"), allow(dead_code, unused_imports))]
// Tests take time, threads and runtimes as they need them; the library takes them from `Env` (`clippy.toml`).
#![cfg_attr(test, allow(clippy::disallowed_methods, clippy::single_range_in_vec_init))]

mod data;
mod env;
mod error;
mod exec;
mod expr;
mod features;
mod log;
mod operations;
mod schema;
#[cfg(test)]
mod sim;
mod snapshot;
#[cfg(feature = "sql")]
mod sql;
mod storage;
mod table;
mod transaction;

pub use data::input::{Input, InputFormat, InputRows};
pub use data::output::{RowFormat, RowWriter, columns_as_text, variants_as_text};
pub use data::scan::{FileTask, Scan, ScanBuilder, ScanMetrics};
pub use data::write::{DataWriter, WriteOptions};
pub use env::{Clock, Entropy, Env, MemoryBudget, Reservation, SeededEntropy, SystemClock, SystemEntropy, Task, Timestamp};
pub use error::{Code, Error, ErrorKind, Result};
pub use expr::{BoundExpr, Expr, MergeClause, col, lit};
pub use features::{HiddenColumn, TableState};
pub use log::{
    Add, CatalogLogStore, Cdc, CommitCatalog, CommitInfo, CommitStream, DomainMetadata, LogFile, LogFileKind, LogStore, Metadata,
    PathLogStore, Protocol, Ratified, Remove, StagedCommit, Txn, VectorDescriptor, Version,
};
pub use operations::{
    Alter, Alteration, Amount, Append, ChangeFeed, Changes, Checkpoint, ClonePlan, CloneTable, Convert, ConvertPlan, ConvertSource, Cost,
    Create, Dead, DeadFile, Delete, Diff, Difference, Doctor, Finding, Gain, GenerateManifest, Group, INVENTORY_COLUMNS, LogCleanup,
    LogCleanupPlan, LogCompaction, LogCompactionPlan, Merge, Optimize, OptimizePlan, Plan, PlanItem, Prices, PropertyChange, RepairPlan,
    Report, Restore, RestorePlan, RewrittenPlan, SaveMode, SchemaChange, Severity, Tail, TailOffset, TailReader, TailStep, Truncate,
    Update, Vacuum, VacuumMode, VacuumPlan,
};
pub use schema::{DataType, Field, FieldPath, NewColumn, Position, Scalar, Struct, column_path};
pub use snapshot::{At, CountEffort, Counts, FileBatch, FileLayout, FileQuery, HistoryEntry, Skipping, Snapshot};
#[cfg(feature = "sql")]
pub use sql::{Answer, Rows, Session};
pub use storage::{Durability, Meter, PutOutcome, Requests, Spent, StorageOptions, TableRoot};
pub use table::{Table, TableBuilder};
pub use transaction::{CommitOutcome, CommitPolicy, Committed, Conflicted, OperationInfo, ReadScope, Transaction};

/// The examples of the README are compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
