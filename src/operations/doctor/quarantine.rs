//! The folder `_quarantine/<time>/` of a table, to which a repair moves what is in the way. Kind: edge. Spec: DOC.
//!
//! Its name begins with an underscore, so that no engine reads or vacuums it; whoever wants the bytes back deletes the folder by hand.
//! Invariant: a move copies first, and never onto something that is there.

use super::ledger::inside;
use crate::env::Env;
use crate::error::{Code, Error, Result};
use crate::operations::Plan;
use crate::storage::{PutOutcome, create, failure, get};
use crate::table::Table;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};

const FOLDER: &str = "_quarantine";
/// So many bytes of two objects are compared at once.
const PIECE: usize = 4 << 20;

/// The name of a new folder: the time, and something that no other repair of the same moment has.
pub(super) fn folder_name(env: &Env) -> String {
    let time: String = env.now().to_string().chars().filter(|c| c.is_ascii_alphanumeric()).collect();
    let id = env.new_uuid().simple().to_string();
    format!("{time}-{}", &id[..8])
}

/// Moves an object, by its path inside the table.
pub(super) async fn put(table: &Table, folder: &str, path: &str, actual: &mut Plan) -> Result<()> {
    let (from, to) = (table.root().key(path), table.root().key(&format!("{FOLDER}/{folder}/{path}")));
    let bytes = relocate(table, &from, &to).await?;
    actual.act("quarantine", bytes);
    actual.item(path, bytes, &format!("{FOLDER}/{folder}"));
    Ok(())
}

/// Moves everything of a folder back; what could not be moved because something is there.
pub(super) async fn take_back(table: &Table, folder: &str, actual: &mut Plan) -> Result<Vec<String>> {
    let root = table.root();
    let refused = |what: &str| Error::new(Code::INPUT, format!("there is no such quarantine folder: {what}")).with("folder", folder);
    if folder.is_empty() || folder.contains(['/', '\\', '.']) {
        return Err(refused("it is named by its last part alone"));
    }
    let prefix = root.key(&format!("{FOLDER}/{folder}"));
    let listed: Vec<ObjectMeta> =
        root.store().list(Some(&prefix)).try_collect().await.map_err(|e| failure(e, "listing", prefix.as_ref()))?;
    if listed.is_empty() {
        return Err(refused("it holds nothing"));
    }
    let mut warnings = Vec::new();
    let start = format!("{FOLDER}/{folder}/");
    for object in listed {
        let Some(path) = inside(root, &object.location).and_then(|path| path.strip_prefix(&start).map(str::to_owned)) else { continue };
        let to = root.key(&path);
        let bytes = match root.store().head(&to).await {
            // A move that was interrupted has copied it.
            Ok(there) if same(root.store().as_ref(), &object, &there).await? => {
                root.store().delete(&object.location).await.map_err(|e| failure(e, "deleting", object.location.as_ref()))?;
                object.size
            }
            Ok(_) => {
                warnings.push(format!("{path} was left in the quarantine: something is there now"));
                continue;
            }
            Err(object_store::Error::NotFound { .. }) => relocate(table, &object.location, &to).await?,
            Err(e) => return Err(failure(e, "looking at an object", to.as_ref())),
        };
        actual.act("restore", bytes);
        actual.item(&path, bytes, "taken out of the quarantine");
    }
    Ok(warnings)
}

/// Whether two objects hold the same bytes.
async fn same(store: &dyn ObjectStore, a: &ObjectMeta, b: &ObjectMeta) -> Result<bool> {
    if a.size != b.size {
        return Ok(false);
    }
    for start in (0..a.size).step_by(PIECE) {
        let piece = start..a.size.min(start + PIECE as u64);
        let read = |object: &ObjectMeta| {
            let (location, piece) = (object.location.clone(), piece.clone());
            async move { store.get_range(&location, piece).await.map_err(|e| failure(e, "reading", location.as_ref())) }
        };
        let (a, b) = futures::try_join!(read(a), read(b))?;
        if a != b {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Copies and then deletes. A file of the log is small, and what takes its place must be noticed: it is written create-only.
async fn relocate(table: &Table, from: &Path, to: &Path) -> Result<u64> {
    let store = table.root().store();
    let bytes = store.head(from).await.map_err(|e| failure(e, "looking at an object", from.as_ref()))?.size;
    if from.as_ref().contains("_delta_log/") {
        let gone = || Error::new(Code::CONFLICT, "a file of the log was deleted while it was moved").with("path", from);
        let body = get(store.as_ref(), from).await?.ok_or_else(gone)?;
        match create(table.root().store_once().as_ref(), to, body).await {
            PutOutcome::Created => {}
            PutOutcome::Exists => return Err(Error::new(Code::CONFLICT, "something is there already").with("path", to)),
            PutOutcome::Unknown(e) | PutOutcome::Failed(e) => return Err(e),
        }
    } else {
        store.copy(from, to).await.map_err(|e| failure(e, "copying", from.as_ref()))?;
    }
    store.delete(from).await.map_err(|e| failure(e, "deleting", from.as_ref()))?;
    Ok(bytes)
}
