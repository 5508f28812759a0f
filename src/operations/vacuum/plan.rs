//! Finding out what may go. Kind: edge. Spec: VAC.

use super::decide::{Dead, Fate, Hidden, Kept, Rules, is_change_data, other_table};
use super::execute::{ROUND, SAMPLES, commit_bytes};
use super::known::{Known, Role};
use super::listing::{self, Listed};
use super::{Retention, Vacuum, VacuumMode, clock, inventory, lite, plan_bytes_max, references};
use crate::env::Timestamp;
use crate::error::{Code, Error, Result};
use crate::log::Version;
use crate::operations::Report;
use crate::operations::plan::{Amount, Plan};
use crate::snapshot::{FileQuery, Snapshot};
use crate::storage::{Meter, Requests, Spent};
use crate::table::Table;
use futures::TryStreamExt;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

/// An object that may go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadFile {
    /// Decoded, relative to the table.
    pub path: String,
    pub bytes: u64,
    pub why: Dead,
}

/// The objects that a vacuum deletes, and on what grounds. It can be kept, looked at and executed later.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct VacuumPlan {
    pub(super) summary: Plan,
    pub(super) kept: BTreeMap<String, Amount>,
    pub(super) table_id: String,
    pub(super) mode: VacuumMode,
    pub(super) retention_check: bool,
    pub(super) default_retention_ms: i64,
    pub(super) specified_retention_ms: Option<i64>,
    /// What was removed before this, by the store's clock, may go.
    pub(super) before_ms: i64,
    pub(super) dead: Vec<DeadFile>,
    pub(super) directories: u64,
    /// The last commit whose removed files are gone once this is executed; of lite plans.
    pub(super) covers: Option<Version>,
    pub(super) warnings: Vec<String>,
}

impl VacuumPlan {
    /// Counts, bytes and requests; the kinds begin with `delete`. The requests and bytes read of planning are among them, so they are those
    /// of a whole `run` that nobody disturbs; what a checkpoint takes that is due after a commit is not. Bytes written are about right.
    pub fn summary(&self) -> &Plan {
        &self.summary
    }
    /// What stays, by the reason for which it does: `live`, `retained`, `cloned`, `young`, `hidden`, `other_table`, `next_run`.
    pub fn kept(&self) -> &BTreeMap<String, Amount> {
        &self.kept
    }
    /// The objects that go, by path.
    pub fn files(&self) -> &[DeadFile] {
        &self.dead
    }
    /// What is removed from the table before this time is not needed any more.
    pub fn before(&self) -> Timestamp {
        Timestamp(self.before_ms)
    }
    /// What was noticed while planning.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
    /// Deletes what the plan names, between a VACUUM START and a VACUUM END in the log; what is gone already is no failure. Nothing is
    /// committed when the plan is empty.
    ///
    /// `LB-VACUUM-UNSAFE` when the table needs any of it by now: then nothing more is deleted; `LB-LIMIT` after two hours. Otherwise the errors of a commit and of the
    /// store; what was deleted until then stays deleted, and the next run finishes. Requests: one delete an object (up to 1,000 in one, on
    /// S3), two puts, a few heads.
    pub async fn execute(self, table: &Table) -> Result<Report> {
        let (table, meter) = table.metered();
        Box::pin(super::execute::execute(&table, &meter, None, self)).await
    }
    /// What executing takes when nobody disturbs it.
    fn ahead(&self) -> Spent {
        let (dead, notes) = (self.dead.len() as u64, u64::from(self.covers.is_some()));
        let mut spent = Spent::default();
        // How far the last one came, and how far this one does.
        (spent.requests.get, spent.requests.put) = (notes, notes);
        if dead > 0 {
            let rounds = dead.div_ceil(ROUND as u64);
            let looks = dead.div_ceil(dead.div_ceil(SAMPLES as u64));
            // The newest version is asked before START, before each round and before END; it reads START once.
            let work = Requests { list: rounds + 2, get: 1, head: looks, put: 2, delete: dead, copy: 0 };
            let [start, end] = commit_bytes(self);
            spent = spent.with(Spent { requests: work, bytes_read: start, bytes_written: start + end });
        }
        spent
    }
}

/// Collects what goes and what stays.
struct Sorting {
    rules: Rules,
    dead: Vec<DeadFile>,
    kept: BTreeMap<Kept, Amount>,
    bytes: u64,
    bytes_max: u64,
    folders: HashSet<u64>,
    last_folder: String,
    other_tables: BTreeSet<String>,
}

impl Sorting {
    fn keep(&mut self, why: Kept, bytes: u64) {
        let amount = self.kept.entry(why).or_default();
        amount.count += 1;
        amount.bytes = amount.bytes.saturating_add(bytes);
    }
    fn goes(&mut self, path: String, bytes: u64, why: Dead) {
        let held = (path.capacity() + size_of::<DeadFile>()) as u64;
        if self.bytes + held > self.bytes_max {
            return self.keep(Kept::NextRun, bytes);
        }
        self.bytes += held;
        self.dead.push(DeadFile { path, bytes, why });
    }
    fn see(&mut self, file: Listed, known: &mut Known) {
        let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        if self.last_folder != folder || self.folders.is_empty() {
            folder.clone_into(&mut self.last_folder);
            self.folders.insert(crate::log::seen::hash(0, folder.as_bytes()));
        }
        if let Some(other) = other_table(&file.path) {
            self.other_tables.insert(other.to_owned());
        }
        match self.rules.fate(&file.path, file.modified, known.see(&file.path)) {
            Fate::Goes(why) => self.goes(file.path, file.size, why),
            Fate::Stays(why) => self.keep(why, file.size),
        }
    }
    /// The folders below the table's, each ending in a slash, in which something goes.
    fn folders_of_dead(&self) -> BTreeSet<String> {
        let folders = |path: &str| path.match_indices('/').map(|(at, _)| path[..=at].to_owned()).collect::<Vec<_>>();
        self.dead.iter().flat_map(|file| folders(&file.path)).collect()
    }
    /// Takes back what a rule that is known only now keeps.
    fn spare(&mut self, why: Kept, keeps: impl Fn(&str) -> bool) {
        let spared: Vec<u64> = self.dead.extract_if(.., |file| keeps(&file.path)).map(|file| file.bytes).collect();
        spared.into_iter().for_each(|bytes| self.keep(why, bytes));
    }
}

/// Makes the plan of a request, and gives the version that it stands on.
pub(super) async fn make(mut vacuum: Vacuum, meter: &Meter) -> Result<(VacuumPlan, Arc<Snapshot>)> {
    let snapshot = vacuum.table.snapshot().await?;
    if let Some(wanted) = vacuum.if_version.filter(|wanted| *wanted != snapshot.version()) {
        return Err(Error::moved_on(wanted).with("found", snapshot.version()));
    }
    check(&snapshot)?;
    let retention = Retention::of(&vacuum, snapshot.state())?;
    let mut warnings = snapshot.warnings().to_vec();
    let now = clock::store_now(&snapshot, &mut warnings).await?;
    let rules = Rules {
        before: now.millis().saturating_sub(retention.removed),
        unnamed_before: now.millis().saturating_sub(retention.unnamed),
        hidden: Hidden::of(snapshot.state()),
    };
    let before = rules.before;
    let mut known = Known::default();
    references::of_version(&snapshot, before, &mut known).await?;
    for clone in &vacuum.clones {
        references::of_clone(snapshot.table().root(), &clone.snapshot().await?, before, &mut known).await?;
    }
    known.seal();
    let mut sorting = Sorting {
        rules,
        dead: Vec::new(),
        kept: BTreeMap::new(),
        bytes: 0,
        bytes_max: plan_bytes_max(snapshot.table().env()),
        folders: HashSet::new(),
        last_folder: String::new(),
        other_tables: BTreeSet::new(),
    };
    let inventory = vacuum.inventory.take();
    let listed_elsewhere = inventory.is_some();
    let covers = match vacuum.mode {
        VacuumMode::Lite => look_at_log(&snapshot, before, &known, &mut sorting).await?,
        VacuumMode::Full => {
            look_at_objects(&snapshot, inventory, &mut known, &mut sorting).await?;
            None
        }
    };
    if listed_elsewhere {
        // It may leave out what only the log of another table shows.
        let folders = sorting.folders_of_dead();
        sorting.other_tables.extend(listing::with_log(snapshot.table().root(), folders).await?);
    }
    let others = std::mem::take(&mut sorting.other_tables);
    if !others.is_empty() {
        sorting.spare(Kept::OtherTable, |path| others.iter().any(|folder| path.starts_with(folder.as_str())));
    }
    // What the newest version has forgotten, recent commits may still name.
    if retention.removed > retention.default || sorting.dead.iter().any(|file| file.why != Dead::Leftover && is_change_data(&file.path)) {
        let mut recent = Known::default();
        references::of_commits_since(&snapshot, before, &mut recent).await?;
        recent.seal();
        sorting.spare(Kept::Retained, |path| recent.role(path).is_some());
    }
    if let Some(left) = sorting.kept.get(&Kept::NextRun) {
        warnings.push(format!("one plan cannot hold everything: {} objects are left to the next run", left.count));
    }
    sorting.dead.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    let mut summary = Plan::new("VACUUM", Some(snapshot.version()));
    for file in &sorting.dead {
        summary.act(file.why.action(), file.bytes);
        summary.item(&file.path, file.bytes, file.why.reason());
    }
    let mut plan = VacuumPlan {
        summary,
        kept: sorting.kept.iter().map(|(why, amount)| (why.class().to_owned(), *amount)).collect(),
        table_id: snapshot.state().metadata().id.clone(),
        mode: vacuum.mode,
        retention_check: !vacuum.short_retention && !vacuum.no_writers,
        default_retention_ms: retention.default,
        specified_retention_ms: vacuum.retain.map(|_| retention.removed),
        before_ms: before,
        dead: sorting.dead,
        directories: sorting.folders.len().max(1) as u64,
        covers,
        warnings,
    };
    let spent = meter.spent().with(plan.ahead());
    plan.summary = plan.summary.metered(spent);
    Ok((plan, snapshot))
}

/// Refuses a table whose every object this build cannot judge.
pub(super) fn check(snapshot: &Snapshot) -> Result<()> {
    snapshot.state().check_readable()?;
    snapshot.state().check_writable()?;
    if snapshot.table().log().is_ratified_by_catalog() {
        return Err(Error::new(Code::FEATURE_WRITE, "a catalog manages the table, and it alone may have its files deleted")
            .help("let the catalog run its maintenance"));
    }
    Ok(())
}

/// Sorts every object, or those of an inventory.
async fn look_at_objects(
    snapshot: &Arc<Snapshot>,
    inventory: Option<futures::stream::BoxStream<'static, Result<arrow::array::RecordBatch>>>,
    known: &mut Known,
    sorting: &mut Sorting,
) -> Result<()> {
    let (table, listed_here) = (snapshot.table(), inventory.is_none());
    let root = table.root();
    let remote = !matches!(root.url().scheme(), "file" | "memory");
    let ranges = listing::ranges(&known.sorted_samples(), listing::width(known.len(), table.env().threads(), remote));
    let mut objects = match inventory {
        Some(rows) => inventory::listed(root, rows),
        None => listing::list(root, ranges),
    };
    let mut seen = 0u64;
    while let Some(object) = objects.try_next().await? {
        sorting.see(object, known);
        seen += 1;
    }
    let shown = sorting.kept.get(&Kept::Live).map_or(0, |live| live.count);
    match known.missing() {
        0 => {}
        // An inventory is older than the newest files.
        _ if !listed_here && (shown > 0 || seen == 0) => {}
        missing => return Err(unsafe_listing(snapshot, known, missing).await?),
    }
    Ok(())
}

/// The listing lacks live files: it is not whole, or names differ from those of the log. Either way what it shows proves nothing.
async fn unsafe_listing(snapshot: &Arc<Snapshot>, known: &Known, missing: usize) -> Result<Error> {
    let root = snapshot.table().root();
    let mut example = None;
    let mut files = snapshot.files(FileQuery::default());
    while let Some(batch) = files.try_next().await? {
        let mut names = (0..batch.len()).flat_map(|row| {
            let vector = batch.vector(row).and_then(|v| references::vector_file(&v).ok().flatten());
            [Some(batch.path(row).to_owned()), vector]
        });
        example = names.find_map(|raw| root.inside(raw.as_ref()?).map(|path| path.into_owned()).filter(|path| known.is_missing(path)));
        if example.is_some() {
            break;
        }
    }
    let what =
        format!("the store does not list {missing} files that the table needs; nothing is deleted while its listing cannot be trusted");
    Ok(Error::new(Code::VACUUM_UNSAFE, what)
        .with("path", example.unwrap_or_default())
        .with("version", snapshot.version())
        .help("run the doctor on this table: the files are gone, are named otherwise in the store than in the log, or lie behind a link"))
}

/// Sorts what commits before the retention removed.
async fn look_at_log(snapshot: &Arc<Snapshot>, before: i64, known: &Known, sorting: &mut Sorting) -> Result<Option<Version>> {
    let covers = lite::removed(snapshot, before, |file| {
        let role = known.role(&file.path).unwrap_or(Role::Expired);
        match sorting.rules.fate(&file.path, i64::MIN, Some(role)) {
            Fate::Goes(_) => sorting.goes(file.path, file.bytes, file.dead),
            Fate::Stays(why) => sorting.keep(why, file.bytes),
        }
    })
    .await?;
    let whole = !sorting.kept.contains_key(&Kept::NextRun);
    Ok(covers.filter(|_| whole))
}
