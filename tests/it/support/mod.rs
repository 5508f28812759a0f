//! What the tests of several rooms share.

pub mod http;
pub mod stores;
