//! What the allocator keeps of memory that is free again. Kind: edge.
//!
//! mimalloc gives freed pages back a second later, which is faster and may hold more than a small budget meanwhile. It reads its settings
//! when a process starts.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// With a smaller limit than this freed pages are given back at once.
#[cfg(unix)]
const SMALL: u64 = 512 << 20;

/// Starts this process again in its own place, once, when the limit is small and nobody has set how long freed pages are kept.
#[cfg(unix)]
pub fn keep_little(limit: u64) {
    use std::os::unix::process::CommandExt;
    const KEPT_MS: &str = "MIMALLOC_PURGE_DELAY";
    if limit >= SMALL || std::env::var_os(KEPT_MS).is_some() {
        return;
    }
    let Ok(program) = std::env::current_exe() else { return };
    let mut words = std::env::args_os();
    let mut again = std::process::Command::new(program);
    if let Some(name) = words.next() {
        again.arg0(name);
    }
    // It comes back only when it fails.
    let e = again.args(words).env(KEPT_MS, "0").exec();
    tracing::debug!("freed memory is kept for a while: {e}");
}

#[cfg(not(unix))]
pub fn keep_little(_: u64) {}
