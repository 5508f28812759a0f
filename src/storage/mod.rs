//! The storage edge: locations, options, create-only writes, bounded fetches. Kind: edge. Spec: STO.

mod create;
mod fetch;
mod locate;

pub use create::PutOutcome;
pub(crate) use create::create;
pub(crate) use fetch::{get, get_range};
pub use locate::{StorageOptions, TableRoot};
