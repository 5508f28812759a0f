//! Whether the files that a commit would bring back are there. Kind: edge. Spec: RST.

use crate::data::vector;
use crate::error::{Code, Error, Result};
use crate::log::Add;
use crate::log::read::parallel_reads;
use crate::storage::failure;
use crate::table::Table;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::ObjectStoreExt;
use std::collections::BTreeMap;

/// How many missing files an error names.
const NAMED_MAX: usize = 5;

/// What a version needs of the store: each data file with its size, each vector file once.
pub(super) fn needed<'a>(adds: impl IntoIterator<Item = &'a Add, IntoIter: Clone>) -> BTreeMap<String, Option<u64>> {
    let adds = adds.into_iter();
    let data = adds.clone().map(|add| (add.path.clone(), u64::try_from(add.size).ok()));
    let vectors = adds.filter_map(|add| vector::file_name(add.deletion_vector.as_ref()?));
    data.chain(vectors.map(|path| (path, None))).collect()
}

/// Proves that every file is there, with the size that the log says. `LB-FILE` counts those that are not and names some. One request a
/// file, a bounded number at once.
pub(super) async fn check_present(table: &Table, files: BTreeMap<String, Option<u64>>) -> Result<()> {
    let root = table.root().clone();
    let looks = stream::iter(files).map(move |(path, size)| {
        let root = root.clone();
        async move {
            let (store, key) = root.resolve(&path)?;
            match store.head(&key).await {
                Ok(found) if size.is_none_or(|size| size == found.size) => Ok(None),
                Ok(found) => Ok(Some(format!("{path} (has {} bytes instead of {})", found.size, size.unwrap_or(0)))),
                Err(object_store::Error::NotFound { .. }) => Ok(Some(path)),
                Err(e) => Err(failure(e, "looking for a data file", key.as_ref())),
            }
        }
    });
    let lacking: Vec<String> =
        looks.buffered(parallel_reads(table.env())).try_filter_map(|missing| std::future::ready(Ok(missing))).try_collect().await?;
    if lacking.is_empty() {
        return Ok(());
    }
    let named = lacking.iter().take(NAMED_MAX).map(String::as_str).collect::<Vec<_>>().join(", ");
    Err(Error::new(Code::FILE, format!("{} of the files that are needed are not there any more", lacking.len())).with("path", named))
}
