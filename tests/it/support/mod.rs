//! What the tests of several rooms share.

pub mod aged;
pub mod catalog;
#[cfg(feature = "server-tests")]
pub mod changes;
pub mod digest;
pub mod expressions;
pub mod folders;
pub mod http;
pub mod log_files;
pub mod mortal;
#[cfg(feature = "server-tests")]
pub mod peers;
pub mod random;
pub mod row_names;
pub mod stores;
pub mod traps;
pub mod vectors;
