//! Deletes objects that no version within the retention needs. Kind: edge. Spec: VAC.
//!
//! Planning lists and decides; executing announces it by a commit (VACUUM START), looks again whether anything has come back, deletes, and
//! says so by another commit (VACUUM END). A run that dies at any step is simply run again.

pub(super) mod clock;
pub(super) mod decide;
mod execute;
mod inventory;
mod known;
mod listing;
mod lite;
mod plan;
mod references;
mod running;

pub use decide::Dead;
pub use inventory::INVENTORY_COLUMNS;
pub use plan::{DeadFile, VacuumPlan};
pub(super) use running::{check_no_vacuum, cost_of_check};

use super::Report;
use crate::env::Env;
use crate::error::{Code, Error, Result};
use crate::features::TableState;
use crate::log::Version;
use crate::table::Table;
use arrow::array::RecordBatch;
use futures::stream::BoxStream;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What nothing names is left alone while it is younger than this, whatever the retention: a running writer may be about to name it.
pub(super) const UNNAMED_LEAST_MS: i64 = 24 * 3_600_000;
/// The same where the caller permits a shorter retention than the table's.
const UNNAMED_SHORT_MS: i64 = 3_600_000;
/// How often a plan is made anew because the table took a file back meanwhile.
const PLANS_MAX: u32 = 3;

/// Where vacuum looks for what may go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum VacuumMode {
    /// At every object of the table, or those of an inventory.
    #[default]
    Full,
    /// At what the log says was removed since the last time; orphans stay.
    Lite,
}

/// Deletes objects that no version within the retention needs.
pub struct Vacuum {
    table: Table,
    mode: VacuumMode,
    retain: Option<Duration>,
    inventory: Option<BoxStream<'static, Result<RecordBatch>>>,
    clones: Vec<Table>,
    short_retention: bool,
    no_writers: bool,
    if_version: Option<Version>,
}

impl Table {
    /// Starts a vacuum.
    pub fn vacuum(&self) -> Vacuum {
        Vacuum {
            table: self.clone(),
            mode: VacuumMode::Full,
            retain: None,
            inventory: None,
            clones: Vec::new(),
            short_retention: false,
            no_writers: false,
            if_version: None,
        }
    }
}

impl Vacuum {
    /// Only what the log says was removed, without a listing.
    pub fn lite(mut self) -> Self {
        self.mode = VacuumMode::Lite;
        self
    }
    /// How long what is removed from the table is kept, instead of `delta.deletedFileRetentionDuration`.
    pub fn retain(mut self, retention: Duration) -> Self {
        self.retain = Some(retention);
        self
    }
    /// Takes the objects from rows of `INVENTORY_COLUMNS` instead of listing them.
    pub fn inventory(mut self, rows: BoxStream<'static, Result<RecordBatch>>) -> Self {
        self.inventory = Some(rows);
        self
    }
    /// Keeps what this table names inside the vacuumed one, as a shallow clone does; may be repeated.
    pub fn keep_for(mut self, clone: Table) -> Self {
        self.clones.push(clone);
        self
    }
    /// Permits a retention below the table's own: older versions and running queries may break. What nothing names still stays for an hour.
    pub fn allow_short_retention(mut self) -> Self {
        self.short_retention = true;
        self
    }
    /// The caller knows that nobody writes to the table: what nothing names goes by the retention alone.
    pub fn no_other_writers(mut self) -> Self {
        self.no_writers = true;
        self
    }
    /// Refuses with `LB-CONFLICT` when the table is not at this version.
    pub fn if_version(mut self, version: Version) -> Self {
        self.if_version = Some(version);
        self
    }
    /// What `run` would delete, found out without deleting it.
    ///
    /// `LB-FEATURE-WRITE` for a table that this build could not write; `LB-RETENTION` for a retention below the table's; `LB-VACUUM-UNSAFE`
    /// when the listing lacks a live file, so that nothing that it shows can be trusted; `LB-INPUT` for a bad inventory; `LB-VERSION` when
    /// a lite vacuum lacks commits; `LB-LIMIT`. Requests: those of a snapshot and its files, one list a thousand objects (several at once),
    /// three for the store's time; where the table has change data, or the retention is longer than the table's, one get a commit
    /// within the retention. Memory: eight bytes a file of the log, and the paths of what goes, at most a quarter of the limit.
    pub async fn plan(self) -> Result<VacuumPlan> {
        // Boxed, so that whoever waits for it need not know what it holds.
        let (table, meter) = self.table.metered();
        Ok(Box::pin(plan::make(Vacuum { table, ..self }, &meter)).await?.0)
    }
    /// Plans and executes; a table that took a file back meanwhile is planned anew. What one plan cannot hold is left to the next run, with
    /// a warning.
    pub async fn run(self) -> Result<Report> {
        let (table, meter) = self.table.metered();
        let mut again = self.inventory.is_none().then(|| Vacuum { table: table.clone(), ..self.again() });
        let (mut vacuum, mut plans) = (Vacuum { table: table.clone(), ..self }, 1);
        loop {
            let (plan, snapshot) = Box::pin(plan::make(vacuum, &meter)).await?;
            match Box::pin(execute::execute(&table, &meter, Some(snapshot), plan)).await {
                Err(e) if e.code() == Code::VACUUM_UNSAFE && plans < PLANS_MAX && again.is_some() => plans += 1,
                done => return done,
            }
            let Some(next) = again.take() else { return Err(Error::new(Code::INTERNAL, "a vacuum that cannot be planned anew")) };
            again = Some(next.again());
            vacuum = next;
        }
    }
    /// The same request, without its inventory.
    fn again(&self) -> Vacuum {
        Vacuum { inventory: None, table: self.table.clone(), clones: self.clones.clone(), ..*self }
    }
}

/// The retentions of a run, in milliseconds.
#[derive(Clone, Copy, Debug)]
struct Retention {
    /// Of what was removed from the table.
    removed: i64,
    /// Of what nothing names.
    unnamed: i64,
    /// The table's own.
    default: i64,
}

impl Retention {
    fn of(vacuum: &Vacuum, state: &TableState) -> Result<Retention> {
        let default = state.deleted_file_retention_ms()?;
        let asked = vacuum.retain.map(|span| i64::try_from(span.as_millis()).unwrap_or(i64::MAX));
        let removed = asked.unwrap_or(default);
        let short = vacuum.short_retention || vacuum.no_writers;
        if removed < default && !short {
            return Err(Error::new(Code::RETENTION, "the retention is shorter than the table's: versions that it promises would break")
                .with("retention_ms", removed)
                .with("delta.deletedFileRetentionDuration", format!("{default} ms"))
                .help("leave it out, or set the table's property; --allow-short-retention permits it all the same"));
        }
        let least = match () {
            () if vacuum.no_writers => 0,
            () if vacuum.short_retention => UNNAMED_SHORT_MS,
            () => UNNAMED_LEAST_MS,
        };
        Ok(Retention { removed, unnamed: removed.max(least), default })
    }
}

/// Bytes that the paths of one plan may take.
fn plan_bytes_max(env: &Env) -> u64 {
    env.memory().limit() / 4
}
