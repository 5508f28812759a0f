//! The seams through which everything outside comes in, except storage: clock, entropy, memory, threads. Kind: edge.
//!
//! Nothing else in the library reads a clock, draws random bytes, sleeps or starts a thread, so every schedule can be replayed.

mod clock;
mod entropy;
mod guard;
mod memory;
#[cfg(test)]
pub(crate) mod seeds;
mod task;

pub use clock::{Clock, SystemClock, Timestamp};
pub use entropy::{Entropy, SeededEntropy, SystemEntropy};
pub(crate) use guard::guarded;
pub use memory::{MemoryBudget, Reservation};
pub use task::Task;

use std::path::PathBuf;
use std::sync::Arc;

/// Everything the engine takes from outside, except storage. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Env {
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    memory: MemoryBudget,
    spill: PathBuf,
    threads: usize,
    /// Blocking work is done by the runtime's own thread.
    replayed: bool,
}

impl Env {
    /// The machine's clock and randomness, a quarter of its memory (of its cgroup's, when that is less), all its cores.
    pub fn system() -> Self {
        let cores = std::thread::available_parallelism().map(|n| n.get()).unwrap_or(1);
        Env {
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            memory: MemoryBudget::new(memory::machine_bytes() / 4),
            spill: std::env::temp_dir(),
            threads: cores,
            replayed: false,
        }
    }
    /// The same with another clock.
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }
    /// The same with another source of random bytes.
    pub fn with_entropy(mut self, entropy: Arc<dyn Entropy>) -> Self {
        self.entropy = entropy;
        self
    }
    /// The same with another limit on what operators may hold, in bytes.
    pub fn with_memory_limit(mut self, bytes: u64) -> Self {
        self.memory = MemoryBudget::new(bytes);
        self
    }
    /// The same with another number of tasks that may run at once (at least 1).
    pub fn with_threads(mut self, threads: usize) -> Self {
        self.threads = threads.max(1);
        self
    }
    /// The same with another folder for spilled data.
    pub fn with_spill_folder(mut self, folder: PathBuf) -> Self {
        self.spill = folder;
        self
    }
    /// The same for a run that is to be replayed: when a pool of threads ends a piece of work no seed can say, so the runtime's only thread
    /// does it.
    #[cfg(test)]
    pub(crate) fn replayed(mut self) -> Self {
        self.replayed = true;
        self
    }
    /// The clock.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }
    /// Milliseconds since 1970, UTC.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }
    /// What operators may hold.
    pub fn memory(&self) -> &MemoryBudget {
        &self.memory
    }
    /// How many tasks may run at once.
    pub fn threads(&self) -> usize {
        self.threads
    }
    /// The folder for spilled data.
    pub fn spill_folder(&self) -> &PathBuf {
        &self.spill
    }
    /// A random (version 4) UUID drawn from the entropy source.
    pub fn new_uuid(&self) -> uuid::Uuid {
        let mut bytes = [0u8; 16];
        self.entropy.fill(&mut bytes);
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }
    /// A random number, for jitter.
    pub fn random_u64(&self) -> u64 {
        let mut bytes = [0u8; 8];
        self.entropy.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }
}
