//! What time it is for the store. Kind: edge. Spec: VAC.
//!
//! Ages of objects are told by the store's clock, so the time that they are held against must be too: the local clock may be days off.

use crate::env::Timestamp;
use crate::error::Result;
use crate::snapshot::Snapshot;
use crate::storage::failure;
use object_store::{ObjectStoreExt, PutPayload};

/// The store's time: that of an object which is written, looked at and deleted. Where nothing can be written, the time of the newest file of
/// the log, which is never too late. Three requests.
pub(in crate::operations) async fn store_now(snapshot: &Snapshot, warnings: &mut Vec<String>) -> Result<Timestamp> {
    let table = snapshot.table();
    let key = table.root().log_key(&format!(".lakebed-{}.tmp", table.env().new_uuid().simple()));
    let store = table.root().store();
    let modified = async {
        store.put(&key, PutPayload::new()).await?;
        let meta = store.head(&key).await;
        if let Err(e) = store.delete(&key).await {
            tracing::debug!("an object that told the store's time stays: {}", failure(e, "deleting", key.as_ref()));
        }
        Ok::<_, object_store::Error>(meta?.last_modified.timestamp_millis())
    };
    let failed = match modified.await {
        Ok(millis) => return Ok(Timestamp(millis)),
        Err(e) => failure(e, "asking for the store's time", key.as_ref()),
    };
    match snapshot.segment().newest_modified() {
        Some(millis) => {
            warnings.push(format!("the store's time is not known, so that of the newest commit stands in: {}", failed.message()));
            Ok(Timestamp(millis))
        }
        None => Err(failed),
    }
}
