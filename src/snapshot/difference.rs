//! The files that one version has and another lacks. Kind: edge. Spec: REC.
//!
//! A file is the same when its path and its deletion vector are. Invariant: memory is the keys of one version, never its actions.

use super::{FileBatch, FileQuery, Snapshot};
use crate::error::Result;
use crate::log::seen::SeenFiles;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use std::sync::Arc;

/// Which files a version has.
pub(crate) struct FileKeys {
    keys: SeenFiles,
    pub files: u64,
    pub bytes: u64,
}

impl Snapshot {
    /// The keys of all active files.
    pub(crate) async fn file_keys(self: &Arc<Self>) -> Result<FileKeys> {
        let mut out = FileKeys { keys: SeenFiles::new(self.table().root().url()), files: 0, bytes: 0 };
        let mut batches = self.files(FileQuery::default());
        while let Some(batch) = batches.try_next().await? {
            for row in 0..batch.len() {
                out.keys.insert(batch.rows().key(row));
                out.files += 1;
                out.bytes = out.bytes.saturating_add(u64::try_from(batch.size(row)).unwrap_or(0));
            }
        }
        Ok(out)
    }
    /// Active files, whole actions, that are not among `known`, the files of another version of this table.
    pub(crate) fn files_besides(self: &Arc<Self>, known: FileKeys) -> BoxStream<'static, Result<FileBatch>> {
        let rest = self.files(FileQuery::default().full()).map(move |batch| batch?.without(&known.keys));
        rest.try_filter(|batch| std::future::ready(!batch.is_empty())).boxed()
    }
}
