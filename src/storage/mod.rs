//! The storage edge: locations, options, create-only writes, bounded fetches. Kind: edge. Spec: STO.

mod azure;
mod cloud;
mod create;
mod exact;
mod failure;
mod fetch;
mod keys;
mod local;
mod locate;
mod meter;
mod options;
mod probe;
mod resolve;

pub use create::PutOutcome;
pub(crate) use create::create;
pub(crate) use failure::{Missing, failure, is_missing};
pub(crate) use fetch::{get, get_at_most, open};
pub use locate::TableRoot;
pub(crate) use meter::LIST_PAGE;
pub use meter::{Meter, Requests, Spent};
pub use options::{Durability, StorageOptions};
