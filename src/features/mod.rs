//! Table features: one file each, a static record and pure hooks. Kind: pure. Spec: FEA.
//!
//! Outside this folder no feature's name appears.

mod state;

pub use state::TableState;
