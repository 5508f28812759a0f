//! What integration tests share.

pub mod digest;
