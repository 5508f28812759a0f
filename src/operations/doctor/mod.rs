//! Looks for everything that is wrong with a table and says it with stable codes. Kind: edge. Spec: DOC.
//!
//! The log is looked at file by file (`layout`, `commits`, `checkpoints`), then the newest version that loads (`files`, `deep`), then
//! the objects themselves (`ledger`). Invariant: damage of the table is a finding; only a store that fails, or a limit, is an error.

mod checkpoints;
mod commits;
mod deep;
mod files;
mod finding;
mod layout;
mod ledger;
mod objects;
mod quarantine;
mod repair;
mod row_ids;

pub use finding::{Finding, Severity};
pub use repair::RepairPlan;

use crate::data::vector;
use crate::error::{Code, Error, Result};
use crate::features::{Nonsense, diagnose};
use crate::log::checksum::Checksum;
use crate::log::read::{parallel_reads, read_commit};
use crate::log::seen::PathForm;
use crate::log::{Action, LogFile, SmallFacts, TailPiece, Version};
use crate::snapshot::{At, CountEffort, FileQuery, Snapshot};
use crate::table::Table;
use commits::{Commit, CommitCheck};
use files::FileCheck;
use finding::{Findings, Kind, Mend};
use futures::{StreamExt, TryStreamExt, stream};
use layout::{Layout, in_log};
use ledger::{Ledger, Mention, Place, place};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Of one code so many findings are told one by one.
const EACH_MAX: usize = 1_000;
/// How many versions are tried when the newest does not load.
const TRIES: usize = 8;

/// Looks for damage.
pub struct Doctor {
    table: Table,
    deep: bool,
    each_max: usize,
}

impl Table {
    /// Starts looking for damage.
    pub fn doctor(&self) -> Doctor {
        Doctor { table: self.clone(), deep: false, each_max: EACH_MAX }
    }
}

impl Doctor {
    /// Reads every row too, and holds statistics and rules against them.
    pub fn deep(mut self, deep: bool) -> Self {
        self.deep = deep;
        self
    }
    /// Tells at most so many findings of one code (1,000 unless said otherwise).
    pub fn each_max(mut self, each_max: usize) -> Self {
        self.each_max = each_max;
        self
    }
    /// Everything that is wrong, the worst first; nothing for a healthy table. Changes nothing.
    ///
    /// `LB-TABLE` when there is no log at all, `LB-STORE` when the store fails. Memory: the names of the log's files, some commits, and
    /// the thirty-second part of the names of all objects. Requests: one listing of the table and one of its log, one get for each
    /// commit and checksum, the footers and small actions of all checkpoints, the newest checkpoint, one get for each vector; with
    /// `deep` all data files and all checkpoints.
    pub async fn run(self) -> Result<Vec<Finding>> {
        Ok(self.examine().await?.0.finish())
    }

    /// The findings, and the version that they were found in.
    async fn examine(&self) -> Result<(Findings, Option<Arc<Snapshot>>)> {
        let table = &self.table;
        let mut findings = Findings::new(self.each_max);
        let listed: Vec<LogFile> = table.log().list(Version(0)).try_collect().await?;
        if listed.is_empty() && objects::log_is_absent(table).await? {
            return Err(Error::new(Code::TABLE, "there is no Delta table: it has no log").with("location", table.root().url()));
        }
        let layout = layout::look(&listed, &mut findings);
        let mut ledger = Ledger::new(table.env())?;
        let mut check = CommitCheck::new(PathForm::new(table.root().url()));
        for checkpoint in &layout.checkpoints {
            if let Some(actions) = checkpoints::small_actions(table, &layout, checkpoint, &mut findings).await? {
                self.name_sidecars(&actions, &mut ledger, &mut findings)?;
                check.checkpoint(checkpoint, &actions);
            }
        }
        checkpoints::hint(table, &layout, &mut findings).await?;
        let mut unread = layout.broken.clone();
        self.read_commits(&layout, &mut check, &mut ledger, &mut unread, &mut findings).await?;
        for file in &layout.compactions {
            checkpoints::against_commits(table, &layout, file, &mut findings).await?;
        }
        let compared = if self.deep { 0 } else { layout.checkpoints.len().saturating_sub(1) };
        for checkpoint in &layout.checkpoints[compared..] {
            checkpoints::against_replay(table, &layout, checkpoint, &mut findings).await?;
        }
        self.recount(&check, &mut findings).await?;

        let (snapshot, failed) = self.newest_that_loads(&layout, &unread).await?;
        let facts = match &snapshot {
            Some(snapshot) => Some(snapshot.facts()),
            None => check.facts(),
        };
        if let Some(facts) = facts {
            tell_nonsense(facts, &mut findings);
        }
        if let Some(Err(e)) = snapshot.as_ref().map(|s| s.state().check_readable())
            && !findings.has_any(finding::FEATURE_UNKNOWN)
        {
            findings.add(finding::FEATURE_UNKNOWN, "protocol", e.message().to_owned());
        }
        if let Some(e) = failed.filter(|_| !findings.any_error()) {
            findings.add(finding::UNREADABLE, "_delta_log", format!("the newest version does not load: {e}"));
        }
        let Some(snapshot) = snapshot else { return Ok((findings, None)) };
        let is_newest = Some(snapshot.version()) == layout.latest && unread.is_empty();
        let whole = self.look_at_files(&snapshot, &mut ledger, &mut findings).await?;
        let checksum = layout.checksums.get(&snapshot.version()).filter(|_| whole.is_some());
        if let Some((files, bytes)) = whole.filter(|_| checksum.is_some()) {
            self.newest_checksum(&snapshot, files, bytes, &mut findings).await?;
        }
        // What nobody names is an orphan only when everybody was asked.
        let all_named = self.name_removed(&snapshot, &mut ledger).await?;
        let orphans = if is_newest && all_named && whole.is_some() { Some(repair::orphan_age(&snapshot)) } else { None };
        objects::compare(table, ledger, orphans, &snapshot, &mut findings).await?;
        if snapshot.state().highest_row_id().is_some() && whole.is_some() {
            row_ids::overlaps(&snapshot, &mut findings).await?;
        }
        if self.deep && snapshot.state().check_readable().is_ok() {
            deep::read_all(&snapshot, &mut findings).await?;
        }
        Ok((findings, Some(snapshot)))
    }

    fn name_sidecars(&self, actions: &[Action], ledger: &mut Ledger, findings: &mut Findings) -> Result<()> {
        for action in actions {
            let Action::Sidecar(sidecar) = action else { continue };
            match crate::log::checkpoint::sidecar_key(self.table.root(), &sidecar.path) {
                Ok((_, key)) => {
                    if let Some(path) = ledger::inside(self.table.root(), &key) {
                        ledger.say(&path, Mention::Sidecar { bytes: sidecar.size_in_bytes })?;
                    }
                }
                Err(e) => files::refused(&sidecar.path, &e, findings),
            }
        }
        Ok(())
    }

    /// Reads every commit with its checksum, in order, some at a time.
    async fn read_commits(
        &self,
        layout: &Layout,
        check: &mut CommitCheck,
        ledger: &mut Ledger,
        unread: &mut BTreeSet<Version>,
        findings: &mut Findings,
    ) -> Result<()> {
        let table = &self.table;
        let newest = layout.runs.last().and_then(|run| run.last()).map(|f| f.version);
        for run in &layout.runs {
            let Some(first) = run.first() else { continue };
            check.begin(first.version);
            let reads = stream::iter(run).map(|file| async move {
                let commit = read_commit(table.log(), table.env(), file.version);
                let crc = read_checksum(table, layout.checksums.get(&file.version));
                let (commit, crc) = futures::join!(commit, crc);
                (file, commit, crc)
            });
            let mut reads = std::pin::pin!(reads.buffered(parallel_reads(table.env())));
            while let Some((file, commit, crc)) = reads.next().await {
                let piece = match commit {
                    Ok(piece) => piece,
                    Err(e) if checkpoints::is_damage(&e) => {
                        let object = in_log(&file.name);
                        let is_last = Some(file.version) == newest && Some(file.version) == layout.latest && file.version.0 > 0;
                        match is_last && self.is_torn(file.version).await? {
                            true => findings.mend(finding::COMMIT_TORN, object, e.to_string(), Mend::Quarantine),
                            false => findings.add(finding::COMMIT_TORN, object, e.to_string()),
                        }
                        unread.insert(file.version);
                        check.begin(file.version.next());
                        continue;
                    }
                    Err(e) => return Err(e),
                };
                self.name_files(file, &piece, ledger)?;
                check.on(Commit { file, actions: &piece.actions, crc: crc? }, findings);
            }
        }
        Ok(())
    }

    /// Whether a commit that does not decode breaks off, so that no engine can ever have read it. What ends as a commit does may mean
    /// something to another engine.
    async fn is_torn(&self, version: Version) -> Result<bool> {
        let body = self.table.log().read_commit(version).await?.unwrap_or_default();
        Ok(body.trim_ascii_end().last() != Some(&b'}'))
    }

    /// What a commit names is no orphan, whether it is live or not. Paths that must not be followed are told where they matter.
    fn name_files(&self, file: &LogFile, piece: &TailPiece, ledger: &mut Ledger) -> Result<()> {
        let committed =
            piece.actions.iter().find_map(|a| if let Action::CommitInfo(i) = a { i.0.get("timestamp")?.as_i64() } else { None });
        let mut say = |raw: &str, mention: Mention| match place(self.table.root(), raw) {
            Ok(Place::Inside(path)) => ledger.say(&path, mention),
            _ => Ok(()),
        };
        for action in &piece.actions {
            let vector = match action {
                Action::Add(add) => {
                    say(&add.path, Mention::Named)?;
                    &add.deletion_vector
                }
                Action::Remove(remove) => {
                    say(&remove.path, Mention::Named)?;
                    &remove.deletion_vector
                }
                Action::Cdc(cdc) => {
                    say(&cdc.path, Mention::Change { bytes: cdc.size, committed: committed.unwrap_or(file.modified).max(file.modified) })?;
                    continue;
                }
                _ => continue,
            };
            if let Some(path) = vector.as_ref().and_then(vector::file_name) {
                say(&path, Mention::Named)?;
            }
        }
        Ok(())
    }

    /// The newest version that loads, and why the newest of all does not.
    async fn newest_that_loads(&self, layout: &Layout, unread: &BTreeSet<Version>) -> Result<(Option<Arc<Snapshot>>, Option<Error>)> {
        let failed = match self.table.snapshot().await {
            Ok(snapshot) => return Ok((Some(snapshot), None)),
            Err(e) if checkpoints::is_damage(&e) => e,
            Err(e) => return Err(e),
        };
        let before = unread.iter().rev().filter_map(|v| v.0.checked_sub(1).map(Version));
        let candidates = before.chain(layout.checkpoints.iter().rev().map(|c| c.version));
        for version in candidates.take(TRIES) {
            match self.table.snapshot_at(At::Version(version)).await {
                Ok(snapshot) => return Ok((Some(snapshot), Some(failed))),
                Err(e) if checkpoints::is_damage(&e) => {}
                Err(e) => return Err(e),
            }
        }
        Ok((None, Some(failed)))
    }

    /// Live files and what the log says of them; their number and bytes, or `None` when they cannot all be listed.
    async fn look_at_files(&self, snapshot: &Arc<Snapshot>, ledger: &mut Ledger, findings: &mut Findings) -> Result<Option<(i64, i64)>> {
        let (root, env) = (self.table.root(), self.table.env());
        let mut check = FileCheck::new(snapshot.state())?;
        let (mut count, mut bytes) = (0i64, 0i64);
        let mut batches = snapshot.files(FileQuery::default().full());
        loop {
            let batch = match batches.try_next().await {
                Ok(Some(batch)) => batch,
                Ok(None) => break,
                Err(e) if checkpoints::is_damage(&e) => {
                    findings.add(finding::UNREADABLE, "_delta_log", format!("the files of the newest version cannot be listed: {e}"));
                    return Ok(None);
                }
                Err(e) => return Err(e),
            };
            let vectors = check.batch(&batch, findings);
            let mut outside = Vec::new();
            for row in 0..batch.len() {
                (count, bytes) = (count + 1, bytes.saturating_add(batch.size(row)));
                match place(root, batch.path(row)) {
                    Ok(Place::Inside(path)) => ledger.say(&path, Mention::Live { bytes: batch.size(row) })?,
                    Ok(Place::Outside(store, key)) => {
                        outside.push(objects::Outside { raw: batch.path(row).to_owned(), bytes: batch.size(row), store, key });
                    }
                    Err(e) => files::refused(batch.path(row), &e, findings),
                }
            }
            objects::look_outside(outside, parallel_reads(env), findings).await?;
            for name in vectors.iter().filter_map(|v| vector::file_name(&v.vector)) {
                if let Ok(Place::Inside(path)) = place(root, &name) {
                    ledger.say(&path, Mention::Named)?;
                }
            }
            files::vectors(root, env, vectors, findings).await?;
        }
        check.finish(findings);
        Ok(Some((count, bytes)))
    }

    /// What was removed is no orphan as long as the log remembers it; false when the log cannot be asked for all of that.
    async fn name_removed(&self, snapshot: &Arc<Snapshot>, ledger: &mut Ledger) -> Result<bool> {
        let root = self.table.root();
        let mut removed = snapshot.tombstones();
        loop {
            let batch = match removed.try_next().await {
                Ok(Some(batch)) => batch,
                Ok(None) => return Ok(true),
                // The checkpoint that breaks here was told with the others.
                Err(e) if checkpoints::is_damage(&e) => return Ok(false),
                Err(e) => return Err(e),
            };
            for remove in batch {
                let vector = remove.deletion_vector.as_ref().and_then(vector::file_name);
                for raw in std::iter::once(remove.path).chain(vector) {
                    if let Ok(Place::Inside(path)) = place(root, &raw) {
                        ledger.say(&path, Mention::Named)?;
                    }
                }
            }
        }
    }

    /// Checksums that commits contradict: counted again before anything is said, for commits do not say everything.
    async fn recount(&self, check: &CommitCheck, findings: &mut Findings) -> Result<()> {
        for (version, files, bytes) in check.doubted.iter().take(TRIES) {
            let counted = match self.table.snapshot_at(At::Version(*version)).await {
                Ok(snapshot) => snapshot.counts(CountEffort::Exact).await,
                Err(e) => Err(e),
            };
            match counted {
                Ok(Some(counts)) => differ(*version, (*files, *bytes), (counts.files as i64, counts.bytes as i64), findings),
                Err(e) if !checkpoints::is_damage(&e) => return Err(e),
                _ => {}
            }
        }
        Ok(())
    }

    async fn newest_checksum(&self, snapshot: &Arc<Snapshot>, files: i64, bytes: i64, findings: &mut Findings) -> Result<()> {
        let name = Checksum::file_name(snapshot.version());
        let body = crate::storage::get(self.table.root().store().as_ref(), &self.table.root().log_key(&name)).await?;
        // One that does not read was told with its commit.
        let Some(Ok(crc)) = body.map(|body| Checksum::parse(&body)) else { return Ok(()) };
        differ(snapshot.version(), (crc.num_files, crc.table_size_bytes), (files, bytes), findings);
        Ok(())
    }
}

fn differ(version: Version, told: (i64, i64), counted: (i64, i64), findings: &mut Findings) {
    let object = in_log(&Checksum::file_name(version));
    if told != counted && !findings.has(finding::CRC_DIFFERS, &object) {
        let what = format!("the checksum counts {} files of {} bytes, the log has {} of {}", told.0, told.1, counted.0, counted.1);
        findings.mend(finding::CRC_DIFFERS, object, what, Mend::Quarantine);
    }
}

/// The checksum of a version: `None` when there is none, the reason when it does not read.
async fn read_checksum(table: &Table, file: Option<&LogFile>) -> Result<Option<Result<Checksum, String>>> {
    let Some(file) = file else { return Ok(None) };
    let body = crate::storage::get(table.root().store().as_ref(), &table.root().log_key(&file.name)).await?;
    Ok(body.filter(|body| !is_of_old_release(body)).map(|body| Checksum::parse(&body)))
}

/// Early releases counted files and bytes and named neither protocol nor metadata: such a checksum says nothing that is used.
fn is_of_old_release(body: &[u8]) -> bool {
    let parsed: Option<serde_json::Map<String, serde_json::Value>> = serde_json::from_slice(body).ok();
    parsed.is_some_and(|crc| {
        crc.get("numFiles").is_some_and(|n| n.is_u64()) && !crc.contains_key("metadata") && !crc.contains_key("protocol")
    })
}

/// What protocol, metadata and domains say together.
fn tell_nonsense(facts: &SmallFacts, findings: &mut Findings) {
    let (Some(protocol), Some(metadata)) = (&facts.protocol, &facts.metadata) else { return };
    for (nonsense, object, what) in diagnose(protocol, metadata, &facts.live_domains()) {
        findings.add(kind_of(nonsense), object, what);
    }
}

fn kind_of(nonsense: Nonsense) -> Kind {
    match nonsense {
        Nonsense::Protocol => finding::PROTOCOL,
        Nonsense::Unknown => finding::FEATURE_UNKNOWN,
        Nonsense::Unlisted => finding::FEATURE_UNLISTED,
        Nonsense::Requires => finding::FEATURE_REQUIRES,
        Nonsense::Schema => finding::SCHEMA,
        Nonsense::ColumnTwice => finding::COLUMN_TWICE,
        Nonsense::Mapping => finding::MAPPING,
        Nonsense::Partition => finding::PARTITION_COLUMN,
        Nonsense::Property => finding::PROPERTY,
        Nonsense::Rule => finding::RULE,
        Nonsense::Domain => finding::DOMAIN,
    }
}
