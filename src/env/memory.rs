//! One budget for what operators hold. Kind: edge.
//!
//! Invariant: the sum of live reservations never exceeds the limit, except that one reservation larger than the limit is granted
//! alone, as the whole limit.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

const UNIT: u64 = 1024;

/// A limit on what operators may hold, shared by everything that runs in one `Env`.
#[derive(Clone, Debug)]
pub struct MemoryBudget {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    limit: u64,
    units: u32,
    free: Arc<Semaphore>,
    high_water: AtomicU64,
}

/// A held part of the budget; dropping it gives it back.
#[derive(Debug)]
pub struct Reservation {
    _permit: OwnedSemaphorePermit,
    bytes: u64,
}

impl Reservation {
    /// How many bytes are held.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl MemoryBudget {
    /// A budget of `limit` bytes (at least 1 KiB; 1 KiB is also its grain).
    pub fn new(limit: u64) -> Self {
        let units = u32::try_from((limit / UNIT).max(1)).unwrap_or(u32::MAX >> 4).min(u32::MAX >> 4);
        MemoryBudget {
            inner: Arc::new(Inner {
                limit: u64::from(units) * UNIT,
                units,
                free: Arc::new(Semaphore::new(units as usize)),
                high_water: AtomicU64::new(0),
            }),
        }
    }
    /// The limit in bytes.
    pub fn limit(&self) -> u64 {
        self.inner.limit
    }
    /// The most that was ever held at once, in bytes.
    pub fn high_water(&self) -> u64 {
        self.inner.high_water.load(Ordering::Relaxed)
    }
    /// Holds `bytes`, waiting until that much is free. A request above the limit is cut to the limit.
    pub async fn reserve(&self, bytes: u64) -> Reservation {
        let units = self.units_of(bytes);
        let permit = Arc::clone(&self.inner.free).acquire_many_owned(units).await.expect("the semaphore is never closed");
        self.granted(permit, units)
    }
    /// Holds `bytes` now, or nothing.
    pub fn try_reserve(&self, bytes: u64) -> Option<Reservation> {
        let units = self.units_of(bytes);
        let permit = Arc::clone(&self.inner.free).try_acquire_many_owned(units).ok()?;
        Some(self.granted(permit, units))
    }
    fn units_of(&self, bytes: u64) -> u32 {
        u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX).clamp(1, self.inner.units)
    }
    fn granted(&self, permit: OwnedSemaphorePermit, units: u32) -> Reservation {
        let held = (u64::from(self.inner.units) - self.inner.free.available_permits() as u64) * UNIT;
        self.inner.high_water.fetch_max(held, Ordering::Relaxed);
        Reservation { _permit: permit, bytes: u64::from(units) * UNIT }
    }
}

/// The memory of this machine, or of its cgroup when that is less; 4 GiB when neither is known.
pub(super) fn machine_bytes() -> u64 {
    let machine = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find(|l| l.starts_with("MemTotal:"))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
    });
    let cgroup = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]
        .iter()
        .find_map(|file| std::fs::read_to_string(file).ok()?.trim().parse::<u64>().ok());
    match (machine, cgroup) {
        (Some(m), Some(c)) => m.min(c),
        (Some(m), None) => m,
        (None, Some(c)) => c,
        (None, None) => 4 << 30,
    }
}
