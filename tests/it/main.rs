//! The one integration binary.

mod conformance;
mod outcomes;
#[cfg(feature = "server-tests")]
mod servers;
mod support;
