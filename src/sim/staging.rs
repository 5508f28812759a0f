//! What a writer that means an operation puts into its transaction.

use super::build::{add, metadata, protocol, remove};
use super::oracle::Op;
use crate::log::{Metadata, Txn, Version};
use crate::transaction::{OperationInfo, ReadScope, Work};
use std::collections::BTreeSet;

/// The work of `op` on a table with these files and this metadata.
pub(crate) fn stage(id: &str, op: &Op, base: Option<Version>, files: &BTreeSet<String>, seen: &Metadata) -> Work {
    let mut work = Work::new(id.to_owned(), base, OperationInfo { operation: format!("{op:?}"), ..Default::default() });
    let own = add(&format!("{id}.parquet"), !matches!(op, Op::Compact { .. }));
    match op {
        Op::Create => {
            work.intent.protocol = Some(protocol());
            work.intent.metadata = Some(metadata());
        }
        Op::Append => work.intent.adds.push(own),
        Op::AppendFor { app, version } => {
            work.reads.push(ReadScope::App(app.clone()));
            work.intent.apps.push(Txn { app_id: app.clone(), version: *version, last_updated: None });
            work.intent.adds.push(own);
        }
        Op::Overwrite => {
            work.reads.push(ReadScope::Table);
            work.intent.removes.extend(files.iter().map(|f| remove(f, true)));
            work.intent.adds.push(own);
        }
        Op::Compact { path } => {
            work.reads.push(ReadScope::Files(vec![path.clone()]));
            work.intent.removes.push(remove(path, false));
            work.intent.adds.push(own);
        }
        Op::Truncate => {
            work.reads.push(ReadScope::Table);
            work.intent.removes.extend(files.iter().map(|f| remove(f, true)));
        }
        Op::Copy { path } => {
            work.reads.push(ReadScope::Files(vec![path.clone()]));
            work.intent.adds.push(own);
        }
        Op::CountFiles { .. } => {
            work.reads.push(ReadScope::Table);
            work.intent.adds.push(own);
        }
        Op::SetProperty { key } => {
            let mut changed = seen.clone();
            changed.configuration.insert(key.clone(), "true".into());
            work.intent.metadata = Some(changed);
        }
    }
    work
}
