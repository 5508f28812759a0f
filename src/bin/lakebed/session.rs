//! What a command works with: environment, store options, the tables it names. Kind: edge.

use crate::args::{Durable, Global, TableAt};
use crate::failure::{Failure, Result};
use crate::output::{Output, warn};
use crate::progress::Progress;
use crate::stop::{Stop, Writing};
use lakebed::{At, DataType, Durability, Env, Expr, Prices, Scalar, Snapshot, StorageOptions, Table, Timestamp, Version};
use std::io::{self, Write};
use std::sync::Arc;

pub struct Session {
    pub env: Env,
    pub options: StorageOptions,
    pub output: Output,
    pub progress: Progress,
    pub stop: Stop,
    tells_durability: bool,
}

/// A handle that refuses every commit unless the table is at this version.
pub fn guarded(table: Table, if_version: Option<u64>) -> Table {
    match if_version {
        Some(version) => table.if_version(Version(version)),
        None => table,
    }
}

/// Whether a table lies on a disk of this machine.
pub fn is_local(table: &Table) -> bool {
    table.root().url().scheme() == "file"
}

impl Session {
    pub fn new(global: &Global) -> Session {
        let mut env = Env::system();
        if let Some(bytes) = global.memory_limit {
            env = env.with_memory_limit(bytes);
        }
        if let Some(folder) = &global.spill_folder {
            env = env.with_spill_folder(folder.clone());
        }
        if let Some(threads) = global.threads {
            env = env.with_threads(usize::from(threads));
        }
        let mut options = StorageOptions::new().durability(match global.durability {
            Durable::Full => Durability::Full,
            Durable::Fast => Durability::Fast,
        });
        for (key, value) in &global.storage_option {
            options = options.set(key, value);
        }
        // Only the variable, which can be there but once, is split.
        let more = std::env::var("LAKEBED_ALLOW_ROOTS").unwrap_or_default();
        for root in global.allow_root.iter().map(String::as_str).chain(more.split(',')).filter(|r| !r.is_empty()) {
            options = options.allow_root(root);
        }
        let tells_durability = global.durability == Durable::Fast && !global.quiet;
        Session { env, options, output: Output::new(global.format), progress: Progress::new(global), stop: Stop::new(), tells_durability }
    }

    /// From here on the command writes to this table, and says so when a power cut could undo it.
    pub fn writing(&self, table: &Table) -> Writing {
        self.tell_durability(is_local(table));
        self.stop.writing()
    }
    /// Says that a power cut could undo what is written to a local disk, when the user has chosen so.
    pub fn tell_durability(&self, local: bool) {
        if self.tells_durability && local {
            let _ = writeln!(io::stderr(), "note: --durability fast: a power cut can take back what is written");
        }
    }

    /// A table as it is now; a suffix that picks a version makes no sense here.
    pub fn table(&self, location: &str) -> Result<Table> {
        if let (bare, Some(_)) = split_suffix(location) {
            return Err(Failure::Usage(format!("this command works on the newest version; name the table as `{bare}`")));
        }
        self.open(location)
    }
    /// The same, which refuses every commit unless the table is at this version.
    pub fn table_at(&self, location: &str, if_version: Option<u64>) -> Result<Table> {
        Ok(guarded(self.table(location)?, if_version))
    }
    /// A table and the version of it that a suffix picks.
    #[cfg(feature = "sql")]
    pub fn table_and_version(&self, text: &str) -> Result<(Table, At)> {
        let (location, at) = split_suffix(text);
        Ok((self.open(location)?, at.unwrap_or(At::Latest)))
    }
    fn open(&self, location: &str) -> Result<Table> {
        Ok(self.opener()(location)?)
    }
    /// What opens tables with this session's options; its commits are watched.
    pub fn opener(&self) -> impl Fn(&str) -> lakebed::Result<Table> + Send + Sync + 'static {
        let (options, env, stop) = (self.options.clone(), self.env.clone(), self.stop.clone());
        move |location| {
            let table = Table::at(location).storage_options(options.clone()).env(env.clone()).open()?;
            Ok(Table::with_log(table.root().clone(), stop.log(table.log()), env.clone()))
        }
    }

    /// The version of a table that the arguments pick; what was skipped to load it is told on stderr.
    pub async fn snapshot(&self, at: &TableAt) -> Result<Arc<Snapshot>> {
        let (location, suffix) = split_suffix(&at.table);
        let flag = match (at.version, &at.timestamp) {
            (Some(version), _) => Some(At::Version(Version(version))),
            (None, Some(text)) => Some(At::Timestamp(
                timestamp(text).ok_or_else(|| Failure::Usage(format!("`{text}` is not a timestamp such as 2026-11-21T10:00:00Z")))?,
            )),
            (None, None) => None,
        };
        let at = match (flag, suffix) {
            (Some(_), Some(_)) => return Err(Failure::Usage("the version is given twice: by a suffix and by a flag".to_owned())),
            (flag, suffix) => flag.or(suffix).unwrap_or(At::Latest),
        };
        let snapshot = self.open(location)?.snapshot_at(at).await?;
        warn(snapshot.warnings());
        Ok(snapshot)
    }
}

/// A price list, if there is one: that of a provider, or a file of the user's own.
pub fn prices(named: Option<&str>) -> Result<Option<Prices>> {
    let Some(named) = named else { return Ok(None) };
    let prices = match Prices::of(named) {
        Some(prices) => prices,
        None => Prices::parse(
            &std::fs::read_to_string(named)
                .map_err(|e| Failure::Usage(format!("`{named}` is neither aws, azure or gcp nor a price list that can be read: {e}")))?,
        )?,
    };
    Ok(Some(prices))
}

/// A predicate, if there is one.
pub fn predicate(text: Option<&str>) -> Result<Option<Expr>> {
    Ok(text.map(Expr::sql).transpose()?)
}

/// A location and the version that its suffix `@vN` or `@TIMESTAMP` picks. Anything else after an `@` belongs to the location.
fn split_suffix(text: &str) -> (&str, Option<At>) {
    let Some((location, suffix)) = text.rsplit_once('@').filter(|(location, _)| !location.is_empty()) else { return (text, None) };
    let version = suffix.strip_prefix('v').and_then(|digits| digits.parse().ok()).map(|v| At::Version(Version(v)));
    let dated = || suffix.starts_with(|c: char| c.is_ascii_digit()).then(|| timestamp(suffix)).flatten().map(At::Timestamp);
    match version.or_else(dated) {
        Some(at) => (location, Some(at)),
        None => (text, None),
    }
}

/// An instant; without a zone it is UTC.
pub fn timestamp(text: &str) -> Option<Timestamp> {
    match Scalar::from_partition_text(Some(text), &DataType::Timestamp) {
        Ok(Scalar::Timestamp(micros)) => Some(Timestamp(micros.div_euclid(1_000))),
        _ => None,
    }
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
