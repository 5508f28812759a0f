//! A wall around foreign decoders: what panics in there on damaged bytes ends as an error out here. Kind: pure.
//!
//! Invariant: whatever `work` borrowed is not used again after it has panicked; callers drop it.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs a decoder over bytes that nobody vouches for; the message of its panic when it gives up that way.
pub(crate) fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
        format!("its decoder gave up: {}", text.unwrap_or("no reason given"))
    })
}

#[cfg(test)]
#[path = "guard_tests.rs"]
mod tests;
