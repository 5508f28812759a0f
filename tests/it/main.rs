//! The one integration binary.

mod conformance;
mod log_snapshot;
mod operations;
mod outcomes;
#[cfg(feature = "server-tests")]
mod servers;
mod golden;
mod support;
