//! Tests against real servers on loopback. `tests/run` starts them and names their addresses; a missing address fails.

mod alter;
mod changes;
mod clustering;
mod conflicts;
mod copies;
mod differential;
mod doctor;
mod expressions;
mod files;
mod interop;
mod log_care;
mod matrix;
mod merge;
mod optimize;
mod processes;
mod races;
mod rows;
mod sql;
mod statistics;
mod stores;
mod vacuum;
mod values;

use lakebed::{StorageOptions, Table};

fn address(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| panic!("{variable} is not set: run these tests through tests/run"))
}

/// A name that no earlier run has used.
pub fn fresh(area: &str) -> String {
    format!("{area}/{}", lakebed::Env::system().new_uuid())
}

/// How to reach the S3 server whose address `variable` names. The verdict on it is kept in the build's own scratch folder.
pub fn s3_options(variable: &str) -> StorageOptions {
    StorageOptions::new()
        .environment([])
        .set("endpoint", address(variable))
        .set("access_key_id", std::env::var("LAKEBED_TEST_S3_KEY").unwrap_or_else(|_| "lake".to_owned()))
        .set("secret_access_key", std::env::var("LAKEBED_TEST_S3_SECRET").unwrap_or_else(|_| "lakelake123".to_owned()))
        .set("region", "us-east-1")
        .set("cache_dir", concat!(env!("CARGO_TARGET_TMPDIR"), "/verdicts"))
}

/// The table at `url` (`s3://lake/…`) on the S3 server that the peers share.
pub fn s3_table(url: &str) -> Table {
    Table::at(url).storage_options(s3_options("LAKEBED_TEST_S3_ENDPOINT")).open().unwrap()
}
