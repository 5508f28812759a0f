//! The budget and the folder for spilled rows, as DataFusion wants them. Kind: edge. Spec: EXE.
//!
//! Invariant: what DataFusion's operators reserve is reserved of `Env::memory` too as far as that has it, and is never more
//! than half of it, or 4 MiB.

use crate::env::{Env, MemoryBudget, Reservation};
use crate::error::{Code, Error, Result};
use datafusion_common::{DataFusionError, resources_datafusion_err};
use datafusion_execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion_execution::memory_pool::{MemoryLimit, MemoryPool, MemoryReservation};
use datafusion_execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

/// What one reservation of the budget covers, so that memory can be given back in small parts.
const BLOCK: u64 = 1 << 20;
/// What operators get even when the budget has less.
const LEAST: u64 = 4 << 20;

/// Where operators of one operation get memory and disk.
#[derive(Clone, Debug)]
pub(crate) struct Runtime(pub(super) Arc<RuntimeEnv>);

impl Runtime {
    /// What the engine's own plans run in.
    pub fn environment(&self) -> Arc<RuntimeEnv> {
        Arc::clone(&self.0)
    }
    /// A folder of its own under the spill folder, removed with the last file in it. `LB-SPILL` when it cannot be made.
    pub fn new(env: &Env) -> Result<Runtime> {
        let disk = DiskManagerBuilder::default()
            .with_mode(DiskManagerMode::Directories(vec![env.spill_folder().clone()]))
            .with_max_temp_directory_size(u64::MAX);
        let pool = Arc::new(BudgetPool { budget: env.memory().clone(), held: Mutex::default() });
        let runtime = RuntimeEnvBuilder::new().with_disk_manager_builder(disk).with_memory_pool(pool).build_arc();
        Ok(Runtime(runtime.map_err(|e| failed(e).with("folder", env.spill_folder().display()))?))
    }
}

/// An error of an operator: ours when it came from the rows that we gave it.
pub(super) fn failed(e: DataFusionError) -> Error {
    match e {
        DataFusionError::External(inner) => match inner.downcast::<Error>() {
            Ok(ours) => *ours,
            Err(other) => spilling(&other),
        },
        DataFusionError::Context(_, inner) => failed(*inner),
        DataFusionError::Shared(inner) => spilling(&inner),
        DataFusionError::ResourcesExhausted(text) => Error::new(Code::LIMIT, format!("the memory budget is too small: {text}"))
            .help("give the operation more memory (`--memory-limit`, `Env::with_memory_limit`)"),
        other => spilling(&other.strip_backtrace()),
    }
}

fn spilling(e: &dyn fmt::Display) -> Error {
    Error::new(Code::SPILL, format!("rows could not be kept on disk: {e}"))
        .help("look at the space and the permissions of the folder for spilled rows (`--spill-folder`, `Env::with_spill_folder`)")
}

/// DataFusion's pool of memory over our budget.
struct BudgetPool {
    budget: MemoryBudget,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    /// What operators asked for.
    bytes: u64,
    blocks: Vec<Reservation>,
}

impl Held {
    fn covered(&self) -> u64 {
        self.blocks.iter().map(Reservation::bytes).sum()
    }
}

impl BudgetPool {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(|e| e.into_inner())
    }
    /// Takes blocks until `bytes` are covered; whether they are.
    fn cover(&self, held: &mut Held, bytes: u64) -> bool {
        let mut covered = held.covered();
        while covered < bytes {
            let Some(block) = self.budget.try_reserve(BLOCK) else { return false };
            covered += block.bytes();
            held.blocks.push(block);
        }
        true
    }
    fn trim(held: &mut Held) {
        let mut covered = held.covered();
        while let Some(last) = held.blocks.last()
            && covered - last.bytes() >= held.bytes
        {
            covered -= last.bytes();
            held.blocks.pop();
        }
    }
}

impl fmt::Debug for BudgetPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BudgetPool").field("limit", &self.budget.limit()).finish_non_exhaustive()
    }
}

impl fmt::Display for BudgetPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "budget({})", self.budget.limit())
    }
}

impl MemoryPool for BudgetPool {
    fn name(&self) -> &str {
        "budget"
    }
    fn grow(&self, _: &MemoryReservation, additional: usize) {
        let mut held = self.held();
        held.bytes += additional as u64;
        let bytes = held.bytes;
        self.cover(&mut held, bytes);
    }
    fn shrink(&self, _: &MemoryReservation, shrink: usize) {
        let mut held = self.held();
        held.bytes = held.bytes.saturating_sub(shrink as u64);
        Self::trim(&mut held);
    }
    fn try_grow(&self, _: &MemoryReservation, additional: usize) -> datafusion_common::Result<()> {
        let mut held = self.held();
        let wanted = held.bytes + additional as u64;
        let fits = wanted <= self.budget.limit() / 2 && self.cover(&mut held, wanted);
        if !fits && wanted > LEAST {
            Self::trim(&mut held);
            return Err(resources_datafusion_err!("{wanted} bytes were asked for, the budget has {}", self.budget.limit()));
        }
        held.bytes = wanted;
        Ok(())
    }
    fn reserved(&self) -> usize {
        usize::try_from(self.held().bytes).unwrap_or(usize::MAX)
    }
    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(usize::try_from((self.budget.limit() / 2).max(LEAST)).unwrap_or(usize::MAX))
    }
}
