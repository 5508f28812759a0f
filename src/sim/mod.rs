//! The simulation of writers on a faulty store, and the defects that it must find. Test only.
//!
//! `world` enumerates every schedule of a few commit machines over an abstract log; `actors` runs whole transactions over a
//! fault-injecting store, one schedule a seed; `rows` and `ledger` do so with real rows in real files. A failing seed is printed;
//! `LAKEBED_SEED=<n>` runs it alone.

mod actors;
pub(crate) mod build;
mod deeds;
mod exhaustive;
mod faults;
mod laws;
mod ledger;
mod mutant;
mod oracle;
mod pairs;
mod rows;
mod schedule;
mod seeded;
mod staging;
mod store;
mod tiny;
mod told;
mod world;
