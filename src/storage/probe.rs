//! May this store be written at all? Kind: edge. Spec: STO.
//!
//! Two questions before the first write to a remote store: does another locking scheme guard the log, and does the store honour the
//! condition of a create-only write? The second is asked once per store (endpoint and bucket); a good verdict is kept in the user's cache
//! folder for 30 days.

use super::create::{PutOutcome, create};
use super::keys::Family;
use super::locate::TableRoot;
use super::options::StorageOptions;
use crate::env::Env;
use crate::error::{Code, Error, Result};
use futures::StreamExt;
use md5::{Digest, Md5};
use object_store::ObjectStoreExt;
use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{LazyLock, Mutex};

/// How long a verdict holds.
const VERDICT_MS: i64 = 30 * 24 * 3600 * 1000;

/// Stores that this process has found good.
static GOOD: LazyLock<Mutex<HashSet<String>>> = LazyLock::new(Mutex::default);

/// Refuses the write with `LB-STORE-LOCK` or `LB-STORE-NOCAS`. One listing for S3, and three requests when the store is not known yet.
pub(super) async fn check(root: &TableRoot, identity: &str, options: &StorageOptions, env: &Env) -> Result<()> {
    if root.url().scheme() == "s3" {
        locked(root, options).await?;
    }
    if good(identity) {
        return Ok(());
    }
    let file = verdict_file(identity, options);
    let now = env.now().millis();
    if let Some(file) = file.clone()
        && env.spawn_blocking(move || std::fs::read_to_string(file)).await?.is_ok_and(|text| holds(&text, identity, now))
    {
        remember(identity);
        return Ok(());
    }
    probe(root, identity, env).await?;
    remember(identity);
    if let Some(file) = file {
        let text = serde_json::json!({"store": identity, "createOnlyWrites": true, "checkedAt": now}).to_string();
        let temp = file.with_extension(format!("{}.tmp", env.new_uuid().simple()));
        let kept = env.spawn_blocking(move || {
            file.parent().map_or(Ok(()), std::fs::create_dir_all)?;
            std::fs::write(&temp, text)?;
            std::fs::rename(&temp, &file)
        });
        if let Err(e) = kept.await? {
            tracing::debug!("the verdict on the store could not be kept: {e}");
        }
    }
    Ok(())
}

fn good(identity: &str) -> bool {
    GOOD.lock().unwrap_or_else(|e| e.into_inner()).contains(identity)
}

fn remember(identity: &str) {
    GOOD.lock().unwrap_or_else(|e| e.into_inner()).insert(identity.to_owned());
}

/// Whether a kept verdict is about this store and still holds.
fn holds(text: &str, identity: &str, now: i64) -> bool {
    let Ok(verdict) = serde_json::from_str::<serde_json::Value>(text) else { return false };
    let checked = verdict["checkedAt"].as_i64().unwrap_or(i64::MIN);
    verdict["store"] == identity && verdict["createOnlyWrites"] == true && checked <= now && now.saturating_sub(checked) < VERDICT_MS
}

fn verdict_file(identity: &str, options: &StorageOptions) -> Option<PathBuf> {
    let settings = options.settings(Family::Aws);
    let folder = match settings.get("lakebed_cache_dir") {
        Some(folder) => PathBuf::from(folder),
        None => match options.variable("XDG_CACHE_HOME") {
            Some(cache) => PathBuf::from(cache).join("lakebed"),
            None => PathBuf::from(options.variable("HOME")?).join(".cache").join("lakebed"),
        },
    };
    let name: String = Md5::digest(identity).iter().map(|b| format!("{b:02x}")).collect();
    Some(folder.join("stores").join(format!("{name}.json")))
}

/// Another writer that locks through DynamoDB neither sees nor respects a create-only write.
async fn locked(root: &TableRoot, options: &StorageOptions) -> Result<()> {
    let settings = options.settings(Family::Aws);
    let locked =
        |found: String| Error::new(Code::STORE_LOCK, format!("another locking scheme guards this log: {found}")).with("table", root.url());
    if let Some(provider) = settings.get("aws_s3_locking_provider").filter(|p| !p.trim().is_empty()) {
        return Err(locked(format!("AWS_S3_LOCKING_PROVIDER is `{provider}`")).help(
            "lakebed commits with create-only writes and takes no locks. Move every writer of this table to create-only writes, \
             then unset AWS_S3_LOCKING_PROVIDER; reading is always safe",
        ));
    }
    let traces = root.log_key(".tmp");
    match root.store().list(Some(&traces)).next().await {
        None => Ok(()),
        Some(Err(e)) => Err(super::failure(e, "looking for traces of another locking scheme", traces.as_ref())),
        Some(Ok(object)) => {
            Err(locked("Spark's DynamoDB log store has left files in _delta_log/.tmp".to_owned()).with("path", object.location).help(
                "stop the writers that use DynamoDB and let their last commits complete, move them to create-only writes, \
             then delete _delta_log/.tmp; reading is always safe",
            ))
        }
    }
}

/// Creates a scratch object twice; the second time must be refused.
async fn probe(root: &TableRoot, identity: &str, env: &Env) -> Result<()> {
    let key = root.key(&format!("_lakebed_probe_{}", env.new_uuid().simple()));
    let store = root.store_once();
    let ignores = |what: &str| {
        Error::new(Code::STORE_NOCAS, format!("the store {what} the condition of a create-only write")).with("store", identity).help(
            "two writers could overwrite each other's commits here: upgrade the store (S3 has If-None-Match since 2024) or use another one",
        )
    };
    let failed = |e: Error| match e.message() {
        m if m.contains("NotImplemented") || m.contains("status code: 501") || m.contains("not yet implemented") => {
            ignores("does not implement")
        }
        _ => e,
    };
    let first = create(store.as_ref(), &key, "first".into()).await;
    let verdict = match first {
        PutOutcome::Created => match create(store.as_ref(), &key, "second".into()).await {
            PutOutcome::Exists => Ok(()),
            PutOutcome::Created => Err(ignores("accepts and ignores")),
            PutOutcome::Unknown(e) | PutOutcome::Failed(e) => Err(failed(e)),
        },
        PutOutcome::Exists => Err(Error::new(Code::STORE, "the store says that a name that was never used exists").with("path", &key)),
        PutOutcome::Unknown(e) | PutOutcome::Failed(e) => Err(failed(e)),
    };
    if let Err(e) = root.store().delete(&key).await {
        tracing::debug!("the probe's scratch object stays: {}", super::failure(e, "deleting", key.as_ref()));
    }
    verdict
}
