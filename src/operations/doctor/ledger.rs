//! Everything that names an object of the table, and every object that is there, brought together by path. Kind: edge. Spec: DOC.
//!
//! Mentions are spread over files on disk by the hash of their path, so that memory holds the thirty-second part of them.

use crate::env::Env;
use crate::error::{Code, Error, Result};
use crate::exec::{Keys, Partitions, Runtime};
use crate::storage::TableRoot;
use arrow::array::{ArrayRef, AsArray, BinaryBuilder, Int64Builder, RecordBatch, UInt8Builder};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef, UInt8Type};
use futures::TryStreamExt;
use object_store::ObjectStore;
use object_store::path::Path;
use std::sync::Arc;

const PARTITIONS: usize = 32;
const BATCH_ROWS: usize = 4096;

/// Who speaks of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mention {
    /// The store has it: bytes, and when it was written.
    Stored { bytes: i64, modified: i64 },
    /// A live file of the newest version.
    Live { bytes: i64 },
    /// Some commit, checkpoint or vector that is still there.
    Named,
    /// A change file: bytes, and when its commit was made.
    Change { bytes: i64, committed: i64 },
    /// A sidecar of a checkpoint.
    Sidecar { bytes: i64 },
}

/// All that speaks of one object.
pub(super) struct Entry {
    /// Inside the table, decoded; a URL for what lies elsewhere.
    pub path: String,
    pub mentions: Vec<Mention>,
}

/// Mentions on their way to disk.
pub(super) struct Ledger {
    parts: Partitions,
    schema: SchemaRef,
    paths: BinaryBuilder,
    kinds: UInt8Builder,
    numbers: [Int64Builder; 2],
    rows: usize,
}

/// Where a path of the log leads.
pub(super) enum Place {
    Inside(String),
    Outside(Arc<dyn ObjectStore>, Path),
}

/// `LB-PATH` or `LB-PATH-FOREIGN` when it must not be followed.
pub(super) fn place(root: &TableRoot, raw: &str) -> Result<Place> {
    let (store, key) = root.resolve(raw)?;
    match inside(root, &key).filter(|_| Arc::ptr_eq(&store, root.store())) {
        Some(path) => Ok(Place::Inside(path)),
        None => Ok(Place::Outside(store, key)),
    }
}

/// The path of a key inside the table.
pub(super) fn inside(root: &TableRoot, key: &Path) -> Option<String> {
    let prefix = root.prefix().as_ref();
    let rest = key.as_ref().strip_prefix(prefix)?;
    let rest = if prefix.is_empty() { rest } else { rest.strip_prefix('/')? };
    (!rest.is_empty()).then(|| rest.to_owned())
}

impl Ledger {
    pub fn new(env: &Env) -> Result<Ledger> {
        let long = |name: &str| Field::new(name, DataType::Int64, true);
        let fields = vec![Field::new("path", DataType::Binary, false), Field::new("kind", DataType::UInt8, false), long("a"), long("b")];
        let schema = Arc::new(Schema::new(fields));
        let parts = Partitions::new(&Runtime::new(env)?, &schema, PARTITIONS)?;
        let numbers = [Int64Builder::new(), Int64Builder::new()];
        Ok(Ledger { parts, schema, paths: BinaryBuilder::new(), kinds: UInt8Builder::new(), numbers, rows: 0 })
    }
    pub fn say(&mut self, path: &str, mention: Mention) -> Result<()> {
        let (kind, a, b) = match mention {
            Mention::Stored { bytes, modified } => (0, bytes, modified),
            Mention::Live { bytes } => (1, bytes, 0),
            Mention::Named => (2, 0, 0),
            Mention::Change { bytes, committed } => (3, bytes, committed),
            Mention::Sidecar { bytes } => (4, bytes, 0),
        };
        self.paths.append_value(path.as_bytes());
        self.kinds.append_value(kind);
        self.numbers[0].append_value(a);
        self.numbers[1].append_value(b);
        self.rows += 1;
        if self.rows == BATCH_ROWS { self.flush() } else { Ok(()) }
    }
    fn flush(&mut self) -> Result<()> {
        if self.rows == 0 {
            return Ok(());
        }
        self.rows = 0;
        let paths: ArrayRef = Arc::new(self.paths.finish());
        let [a, b] = &mut self.numbers;
        let columns: Vec<ArrayRef> = vec![Arc::clone(&paths), Arc::new(self.kinds.finish()), Arc::new(a.finish()), Arc::new(b.finish())];
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns)?;
        self.parts.push(&batch, &Keys::of(&[paths], &[false], batch.num_rows())?)
    }
    /// Gives every object to `look` once, with all that speaks of it.
    pub async fn read(mut self, env: &Env, mut look: impl FnMut(Entry)) -> Result<()> {
        self.flush()?;
        for part in self.parts.finish()? {
            let mut mentions: Vec<(String, Mention)> = Vec::new();
            let (mut held, mut bytes) = (Vec::new(), 0u64);
            let mut batches = part.read()?;
            while let Some((batch, _)) = batches.try_next().await? {
                let wanted = batch.get_array_memory_size() as u64 * 2;
                bytes += wanted;
                held.push(env.memory().try_reserve(wanted).ok_or_else(|| {
                    Error::new(Code::LIMIT, format!("the names of the table's objects need more than the memory limit ({bytes} bytes)"))
                        .help("give it more memory (`--memory-limit`, `Env::with_memory_limit`)")
                })?);
                mentions.extend(decode(&batch)?);
            }
            mentions.sort();
            for group in mentions.chunk_by(|a, b| a.0 == b.0) {
                look(Entry { path: group[0].0.clone(), mentions: group.iter().map(|(_, mention)| *mention).collect() });
            }
        }
        Ok(())
    }
}

fn decode(batch: &RecordBatch) -> Result<Vec<(String, Mention)>> {
    let lost = || Error::new(Code::INTERNAL, "mentions came back from disk in another form");
    let paths = batch.column(0).as_binary_opt::<i32>().ok_or_else(lost)?;
    let kinds = batch.column(1).as_primitive_opt::<UInt8Type>().ok_or_else(lost)?;
    let a = batch.column(2).as_primitive_opt::<Int64Type>().ok_or_else(lost)?;
    let b = batch.column(3).as_primitive_opt::<Int64Type>().ok_or_else(lost)?;
    let mention = |row: usize| match kinds.value(row) {
        0 => Mention::Stored { bytes: a.value(row), modified: b.value(row) },
        1 => Mention::Live { bytes: a.value(row) },
        3 => Mention::Change { bytes: a.value(row), committed: b.value(row) },
        4 => Mention::Sidecar { bytes: a.value(row) },
        _ => Mention::Named,
    };
    Ok((0..batch.num_rows()).map(|row| (String::from_utf8_lossy(paths.value(row)).into_owned(), mention(row))).collect())
}
