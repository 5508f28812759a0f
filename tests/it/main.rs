//! The one integration binary.

// Bans of `clippy.toml` are for the library.
#![allow(clippy::disallowed_methods)]

mod broken;
mod budget;
mod care;
mod catalog;
mod checkpoints;
mod cli;
mod conformance;
mod credentials;
mod failures;
mod features;
mod golden;
mod histories;
mod hostile;
mod kills;
mod log_snapshot;
mod meanings;
mod operations;
mod outcomes;
mod processes;
mod remote;
mod requests;
mod scan_flow;
#[cfg(feature = "server-tests")]
mod servers;
mod skipping;
mod sql;
mod stand_in;
mod states;
mod support;
mod values;
