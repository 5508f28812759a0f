//! Checkpoints: classic, multi-part and V2, read and written. Spec: CKP.

mod read;

pub(crate) use read::read_small;
