//! Whether the rows that go from a file are marked in a vector, or the file is written again without them. Kind: pure. Spec: ROW.
//!
//! A vector costs next to nothing now, and every later read of the file fetches and skips its dead rows. Writing the file again costs
//! its living rows once. Invariant: the choice depends on the file alone, so the same change is carried out the same way every time.

/// A file whose dead rows have fewer bytes than this is never worth writing again: a read costs a request at least.
const BYTES_LEAST: u64 = 8 << 20;
/// How many bytes can be read while one is written: rows are encoded, compressed and sent instead of fetched and skipped.
const WRITING: u64 = 8;
/// How often a file is expected to be read before it is compacted.
const READS: u64 = 4;

/// What is known of a file whose rows go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    /// Bytes of the file.
    pub bytes: u64,
    /// Its rows, deleted ones included.
    pub rows: u64,
    /// Those that its vector holds already.
    pub dead: u64,
    /// Those that go now.
    pub going: u64,
}

/// Whether writing the file again is cheaper than a vector.
pub(super) fn rewriting_is_cheaper(facts: Facts) -> bool {
    let dead = facts.dead.saturating_add(facts.going).min(facts.rows);
    let bytes_of = |rows: u64| (u128::from(facts.bytes) * u128::from(rows) / u128::from(facts.rows.max(1))) as u64;
    let (dead_bytes, living_bytes) = (bytes_of(dead), bytes_of(facts.rows - dead));
    dead_bytes >= BYTES_LEAST && dead_bytes.saturating_mul(READS) > living_bytes.saturating_mul(WRITING)
}

#[cfg(test)]
#[path = "cost_tests.rs"]
mod tests;
