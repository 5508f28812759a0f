//! How long a commit tries. Kind: shape. Spec: COM.

use std::time::Duration;

/// How long a commit tries. All bounds hold; the first that is reached ends it.
#[derive(Clone, Debug)]
pub struct CommitPolicy {
    /// How often the commit is sent.
    pub attempts_max: u32,
    /// How many looks at the log may fail in a row.
    pub looks_max: u32,
    /// From the first attempt.
    pub time_max: Duration,
    /// The shortest pause between attempts.
    pub pause_min: Duration,
    /// The longest pause between attempts.
    pub pause_max: Duration,
    /// How often an operation plans anew on a newer version, after commits that exclude what it had planned.
    pub plans_max: u32,
    /// How many commits of others are held in memory at once.
    pub winners_max: usize,
}

impl Default for CommitPolicy {
    fn default() -> Self {
        CommitPolicy {
            attempts_max: 1_000,
            looks_max: 10,
            time_max: Duration::from_secs(600),
            pause_min: Duration::from_millis(5),
            pause_max: Duration::from_secs(5),
            plans_max: 10,
            winners_max: 256,
        }
    }
}
