//! The one integration binary.

mod broken;
mod budget;
mod cli;
mod conformance;
mod credentials;
mod failures;
mod features;
mod golden;
mod hostile;
mod log_snapshot;
mod operations;
mod outcomes;
mod processes;
mod requests;
#[cfg(feature = "server-tests")]
mod servers;
mod stand_in;
mod states;
mod support;
