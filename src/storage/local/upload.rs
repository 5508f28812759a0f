//! A local file written in parts. Kind: edge. Spec: STO.

use super::publish::{Existing, Staged};
use super::{LocalStore, io_error};
use async_trait::async_trait;
use futures::FutureExt;
use object_store::path::Path;
use object_store::{MultipartUpload, PutPayload, PutResult, Result, UploadPart};
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex};

/// Parts go to their offsets in one dot-named file; `complete` gives it its name. Dropped before that, it leaves nothing.
#[derive(Debug)]
pub(super) struct Upload {
    store: LocalStore,
    key: Path,
    temp: String,
    offset: u64,
    staged: Arc<Mutex<Stage>>,
}

#[derive(Debug)]
enum Stage {
    Unopened,
    Open(Arc<Staged>),
    Closed,
}

impl Upload {
    pub fn new(store: LocalStore, key: Path, temp: String) -> Self {
        Upload { store, key, temp, offset: 0, staged: Arc::new(Mutex::new(Stage::Unopened)) }
    }
}

fn closed(key: &Path) -> object_store::Error {
    io_error(io::Error::other("the upload has ended already"), key)
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let at = self.offset;
        self.offset += data.content_length() as u64;
        let (store, key, temp, stage) = (self.store.clone(), self.key.clone(), self.temp.clone(), Arc::clone(&self.staged));
        async move {
            store
                .run(move |disk| {
                    let staged = {
                        let mut stage = stage.lock().unwrap_or_else(|e| e.into_inner());
                        match &*stage {
                            Stage::Open(staged) => Arc::clone(staged),
                            Stage::Closed => return Err(closed(&key)),
                            Stage::Unopened => {
                                let staged = Arc::new(disk.stage(&disk.target(&key)?, &temp, &key)?);
                                *stage = Stage::Open(Arc::clone(&staged));
                                staged
                            }
                        }
                    };
                    let mut at = at;
                    for part in &data {
                        staged.file.write_all_at(part, at).map_err(|e| io_error(e, &key))?;
                        at += part.len() as u64;
                    }
                    Ok(())
                })
                .await
        }
        .boxed()
    }
    async fn complete(&mut self) -> Result<PutResult> {
        let (key, temp, stage, size) = (self.key.clone(), self.temp.clone(), Arc::clone(&self.staged), self.offset);
        self.store
            .run(move |disk| {
                let target = disk.target(&key)?;
                let before = std::mem::replace(&mut *stage.lock().unwrap_or_else(|e| e.into_inner()), Stage::Closed);
                let staged = match before {
                    Stage::Open(staged) => {
                        Arc::into_inner(staged).ok_or_else(|| io_error(io::Error::other("a part is still being written"), &key))?
                    }
                    Stage::Unopened => disk.stage(&target, &temp, &key)?,
                    Stage::Closed => return Err(closed(&key)),
                };
                let written = staged.file.metadata().map_err(|e| io_error(e, &key))?.len();
                if written != size {
                    return Err(io_error(io::Error::other(format!("{written} of {size} bytes were written")), &key));
                }
                disk.publisher.publish(staged, &target, Existing::Replace, &key)
            })
            .await
    }
    async fn abort(&mut self) -> Result<()> {
        let stage = Arc::clone(&self.staged);
        self.store
            .run(move |_| {
                *stage.lock().unwrap_or_else(|e| e.into_inner()) = Stage::Closed;
                Ok(())
            })
            .await
    }
}
