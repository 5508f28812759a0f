//! What a writer that means an operation puts into its transaction.

use super::build::{add, metadata, protocol, remove};
use super::oracle::Op;
use crate::log::{Add, Metadata, Protocol, Remove, Txn, Version};
use crate::transaction::{OperationInfo, ReadScope, Transaction, Work};
use std::collections::BTreeSet;

/// The parts of a transaction.
#[derive(Default)]
pub(crate) struct Staged {
    operation: OperationInfo,
    reads: Vec<ReadScope>,
    protocol: Option<Protocol>,
    metadata: Option<Metadata>,
    app: Option<(String, i64)>,
    removes: Vec<Remove>,
    adds: Vec<Add>,
}

/// What `op` is on a table with these files and this metadata; `id` names the file that it writes.
pub(crate) fn stage(id: &str, op: &Op, files: &BTreeSet<String>, seen: &Metadata) -> Staged {
    let operation = OperationInfo { operation: format!("{op:?}"), ..Default::default() };
    let mut staged = Staged { operation, adds: vec![add(&format!("{id}.parquet"), true)], ..Staged::default() };
    let all = || files.iter().map(|f| remove(f, true)).collect();
    match op {
        Op::Create => {
            staged.adds.clear();
            staged.protocol = Some(protocol());
            staged.metadata = Some(metadata());
        }
        Op::Append => {}
        Op::AppendFor { app, version } => {
            staged.reads.push(ReadScope::App(app.clone()));
            staged.app = Some((app.clone(), *version));
        }
        Op::Overwrite => {
            staged.reads.push(ReadScope::Table);
            staged.removes = all();
        }
        Op::Compact { path } => {
            staged.reads.push(ReadScope::Files(vec![path.clone()]));
            staged.removes.push(remove(path, false));
            staged.adds[0].data_change = false;
        }
        Op::Truncate => {
            staged.adds.clear();
            staged.reads.push(ReadScope::Table);
            staged.removes = all();
        }
        Op::Copy { path } => staged.reads.push(ReadScope::Files(vec![path.clone()])),
        Op::CountFiles { .. } => staged.reads.push(ReadScope::Table),
        Op::SetProperty { key } => {
            staged.adds.clear();
            let mut changed = seen.clone();
            changed.configuration.insert(key.clone(), "true".into());
            staged.metadata = Some(changed);
        }
    }
    staged
}

impl Staged {
    /// The files that it adds.
    pub(crate) fn adds(&self) -> impl Iterator<Item = &Add> {
        self.adds.iter()
    }

    /// As work for a bare machine.
    pub(crate) fn work(self, id: &str, base: Option<Version>) -> Work {
        let mut work = Work::new(id.to_owned(), base, self.operation, &super::build::root());
        self.reads.into_iter().for_each(|r| work.reads.push(r));
        work.intent.protocol = self.protocol;
        work.intent.metadata = self.metadata;
        work.intent.apps.extend(self.app.map(|(app_id, version)| Txn { app_id, version, last_updated: None }));
        work.intent.removes = self.removes;
        work.intent.adds = self.adds;
        work
    }

    /// Into a transaction, through what everybody may call.
    pub(crate) fn fill(self, transaction: &mut Transaction) {
        *transaction.operation() = self.operation;
        self.reads.into_iter().for_each(|r| _ = transaction.read(r));
        self.protocol.into_iter().for_each(|p| _ = transaction.set_protocol(p));
        self.metadata.into_iter().for_each(|m| _ = transaction.set_metadata(m));
        self.app.into_iter().for_each(|(id, version)| _ = transaction.set_app_version(&id, version));
        self.removes.into_iter().for_each(|r| _ = transaction.remove(r));
        self.adds.into_iter().for_each(|a| _ = transaction.add(a));
    }
}
