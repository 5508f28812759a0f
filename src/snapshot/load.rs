//! Listing -> segment -> snapshot, with everything that can stand in for what is broken. Kind: edge. Spec: LOG, REC, CRC.
//!
//! Invariant: whichever checkpoint, checksum or compaction is used or passed over, the version that comes out says the same.

use super::{FileQuery, Snapshot};
use crate::error::{Code, Error, Result};
use crate::features::TableState;
use crate::log::checkpoint::{FirstFile, read_small};
use crate::log::checksum::Checksum;
use crate::log::listing::{list, list_back, list_latest};
use crate::log::read::read_tail;
use crate::log::segment::{CheckpointFiles, LogSegment, NoSegment, choose, explain, passed_over};
use crate::log::{Action, LogFile, LogFileKind, LogTail, SmallFacts, Version};
use crate::table::Table;
use futures::future::BoxFuture;
use futures::{FutureExt, TryStreamExt};
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::OnceCell;

/// How far before a chosen version its checkpoint is looked for at first: one page of a listing.
const LOOK_BACK: u64 = 256;

/// What a version is loaded for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Facts,
    /// The checkpoint will be read: where it is small, a checksum in its place would be one request more.
    Files,
}

/// A checkpoint of so many bytes is fetched whole.
const SMALL_CHECKPOINT: u64 = 4 << 20;

/// The newest version, or `target`.
pub(super) async fn load(table: &Table, target: Option<Version>) -> Result<Arc<Snapshot>> {
    load_without(table, target, BTreeSet::new(), Vec::new()).await
}

/// The newest version, for who lists its files next.
pub(super) async fn load_for_files(table: &Table) -> Result<Arc<Snapshot>> {
    load_as(table, None, (BTreeSet::new(), Vec::new()), Purpose::Files).await
}

/// The same; `broken` names checkpoints that are known to be unusable.
pub(super) async fn load_without(
    table: &Table,
    target: Option<Version>,
    broken: BTreeSet<String>,
    warnings: Vec<String>,
) -> Result<Arc<Snapshot>> {
    load_as(table, target, (broken, warnings), Purpose::Facts).await
}

async fn load_as(
    table: &Table,
    target: Option<Version>,
    (mut broken, mut warnings): (BTreeSet<String>, Vec<String>),
    purpose: Purpose,
) -> Result<Arc<Snapshot>> {
    let log = table.log();
    let newest_at = target.is_none().then(|| table.env().now());
    let mut listing = match target {
        None => list_latest(table.root(), log).await?,
        Some(version) => list_back(log, version, LOOK_BACK).await?,
    };
    warnings.append(&mut listing.warnings);
    let mut unusable = None;
    let mut raced = false;
    loop {
        let segment = match choose(&listing.files, target, &broken) {
            Ok(segment) => segment,
            Err(_) if !listing.is_whole() => {
                listing = list(log, Version(0)).await?;
                continue;
            }
            // A listing that runs while others commit may show a version and not the one before it.
            Err(NoSegment::Missing(_)) if !raced => {
                raced = true;
                listing = list(log, Version(0)).await?;
                continue;
            }
            Err(why) => {
                let why = || placed(table, explain(&listing.files, target, why));
                return Err(unusable.unwrap_or_else(why));
            }
        };
        let mut notes = Vec::new();
        let checkpoint = segment.checkpoint.as_ref().map(|c| c.name().to_owned());
        let unusable_ones = passed_over(&listing.files, &segment);
        match (read(table, segment, purpose, &mut notes).await, checkpoint) {
            (Ok(mut snapshot), _) => {
                notes.splice(..0, unusable_ones.into_iter().filter(|note| !warnings.contains(note)));
                warnings.append(&mut notes);
                snapshot.warnings = warnings;
                snapshot.newest_at = newest_at;
                return Ok(Arc::new(snapshot));
            }
            (Err(e), Some(name)) if e.code() == Code::CKPT => {
                warnings.push(format!("the checkpoint {name} was skipped: {}", e.message()));
                broken.insert(name);
                unusable = Some(e.help("no older checkpoint and no complete row of commits can stand in; restore one from a copy"));
            }
            // A cleanup may have taken a commit between the listing and the read.
            (Err(e), _) if e.code() == Code::LOG_GAP && !raced => {
                raced = true;
                listing = list(log, Version(0)).await?;
            }
            (Err(e), _) => return Err(e),
        }
    }
}

/// The failure of a location; one that names a folder of a table hears where the table is.
fn placed(table: &Table, e: Error) -> Error {
    let root = table.root();
    let e = e.with("location", root.url());
    if e.code() != Code::TABLE {
        return e;
    }
    match (root.enclosing_local(), root.partitioned()) {
        (Ok(Some(outer)), _) => {
            e.help(format!("the location lies inside of the table {outer}: name that one, and choose its rows with a predicate"))
        }
        (_, Ok(Some(outer))) => {
            e.help(format!("if this is a partition's folder, name the table, {outer}, and choose its rows with a predicate"))
        }
        _ => e,
    }
}

/// The newest version that can be read, and what is wrong with the one after it when that is not the newest of all.
///
/// Every failure names the file that it comes from, so that each further look goes to an older version.
pub(crate) async fn load_unbroken(table: &Table) -> Result<(Arc<Snapshot>, Option<Error>)> {
    let (mut target, mut cause) = (None, None);
    loop {
        let e = match load(table, target).await {
            Ok(snapshot) => return Ok((snapshot, cause)),
            Err(e) => e,
        };
        let before = broken_commit(&e).and_then(|v| v.0.checked_sub(1)).map(Version).filter(|v| target.is_none_or(|t| *v < t));
        let first = cause.unwrap_or(e);
        if before.is_none() {
            return Err(first);
        }
        (target, cause) = (before, Some(first));
    }
}

/// The commit that a failure is about, when it is damaged or missing.
fn broken_commit(e: &Error) -> Option<Version> {
    if !matches!(e.code(), Code::LOG_JSON | Code::LOG_EMPTY | Code::LOG_GAP) {
        return None;
    }
    let (_, name) = e.context().iter().find(|(key, _)| *key == "file")?;
    LogFile::parse(name, 0, 0).filter(|file| file.kind == LogFileKind::Commit).map(|file| file.version)
}

/// Where facts older than the tail come from.
enum Base {
    Nothing,
    Checksum(Version, Box<Checksum>),
    Checkpoint(Vec<Action>),
}

async fn read(table: &Table, segment: LogSegment, purpose: Purpose, warnings: &mut Vec<String>) -> Result<Snapshot> {
    let (log, env) = (table.log(), table.env());
    let mut tail_warnings = Vec::new();
    let first_file = FirstFile::default();
    let (tail, mut base) = futures::try_join!(
        read_tail(log, env, &segment, &mut tail_warnings).boxed(),
        read_base(table, &segment, purpose, &first_file, warnings).boxed()
    )?;
    warnings.append(&mut tail_warnings);
    if let (Base::Checksum(version, checksum), Some(checkpoint)) = (&base, &segment.checkpoint)
        && let Some(why) = contradicts(checksum, *version, &tail)
    {
        warnings.push(format!("{} was ignored: {why}", Checksum::file_name(*version)));
        base = read_checkpoint(table, checkpoint, &first_file).await?;
    }
    let mut facts = SmallFacts::empty();
    let mut from = Version(0);
    let mut checksum = None;
    let mut checkpoint_bytes = Some(0);
    match base {
        Base::Nothing => {}
        Base::Checkpoint(actions) => {
            let sidecars = actions.iter().map(|a| if let Action::Sidecar(s) = a { s.size_in_bytes.unsigned_abs() } else { 0 });
            checkpoint_bytes = segment.checkpoint.as_ref().map(|c| sidecars.fold(c.size(), u64::saturating_add));
            actions.iter().for_each(|a| facts.apply(a));
        }
        Base::Checksum(version, crc) => {
            facts.protocol = Some(crc.protocol.clone());
            facts.metadata = Some(crc.metadata.clone());
            facts.txns_known = crc.set_transactions.is_some();
            crc.set_transactions.iter().flatten().cloned().map(Action::Txn).for_each(|a| facts.apply(&a));
            crc.domain_metadata.iter().flatten().cloned().map(Action::DomainMetadata).for_each(|a| facts.apply(&a));
            from = version.next();
            checkpoint_bytes = None;
            checksum = Some((version, Arc::new(*crc)));
        }
    }
    for piece in tail.pieces() {
        if piece.to >= from {
            facts.apply_piece(piece);
        } else {
            facts.note_commit_info(piece);
        }
    }
    let (protocol, metadata) = facts.state(segment.version)?;
    let told = |e: Error| {
        let e = e.with("version", segment.version);
        let help =
            "what the log says of the table makes no sense; run the doctor on it; an older version may still be readable with --version";
        if e.next_step().is_none() { e.help(help) } else { e }
    };
    let state = TableState::new(protocol, metadata, facts.live_domains()).map_err(told)?;
    let state = Arc::new(state.reached_by_catalog(log.is_ratified_by_catalog()));
    Ok(Snapshot {
        version: segment.version,
        newest_at: None,
        table: table.clone(),
        state,
        segment,
        first_file,
        tail,
        facts,
        checksum,
        checkpoint_bytes,
        older_txns: OnceCell::new(),
        stand_in: OnceCell::new(),
        warnings: Vec::new(),
    })
}

/// With a checkpoint, the newest checksum if it is valid, else the checkpoint's own small actions.
async fn read_base(
    table: &Table,
    segment: &LogSegment,
    purpose: Purpose,
    first_file: &FirstFile,
    warnings: &mut Vec<String>,
) -> Result<Base> {
    let Some(checkpoint) = &segment.checkpoint else { return Ok(Base::Nothing) };
    let is_read_anyway = purpose == Purpose::Files && checkpoint.size() <= SMALL_CHECKPOINT;
    if let Some(file) = segment.checksums.first().filter(|_| !is_read_anyway) {
        match read_checksum(table, file).await {
            // A protocol with table features may have domains, which this checksum does not list.
            Ok(crc) if crc.domain_metadata.is_none() && crc.protocol.min_writer_version >= 7 => {}
            Ok(crc) => return Ok(Base::Checksum(file.version, Box::new(crc))),
            Err(why) => warnings.push(format!("{} was ignored: {why}", file.name)),
        }
    }
    read_checkpoint(table, checkpoint, first_file).await
}

async fn read_checkpoint(table: &Table, checkpoint: &CheckpointFiles, first_file: &FirstFile) -> Result<Base> {
    let actions = read_small(table.root(), table.env(), checkpoint, first_file).await?;
    let has = |f: fn(&Action) -> bool| actions.iter().any(f);
    if has(|a| matches!(a, Action::Protocol(_))) && has(|a| matches!(a, Action::Metadata(_))) {
        return Ok(Base::Checkpoint(actions));
    }
    Err(Error::new(Code::CKPT, "a checkpoint lacks protocol or metadata").with("path", checkpoint.name()))
}

pub(super) async fn read_checksum(table: &Table, file: &LogFile) -> Result<Checksum, String> {
    let body = table.log().read(file).await.map_err(|e| e.to_string())?;
    Checksum::parse(&body)
}

/// Whether commits up to its version say something else than a checksum; then why.
fn contradicts(crc: &Checksum, version: Version, tail: &LogTail) -> Option<&'static str> {
    let mut before = SmallFacts::empty();
    let mut txn_id = None;
    for piece in tail.pieces().iter().filter(|p| p.to <= version) {
        before.apply_piece(piece);
        txn_id = before.commit_info.as_ref().filter(|_| piece.to == version).and_then(|i| i.txn_id());
    }
    crc.contradicts(before.protocol.as_ref(), before.metadata.as_ref(), txn_id)
}

impl Snapshot {
    /// The same version without its checkpoint, which turned out to be broken; something older stands in. `LB-CKPT` (`cause`) when
    /// nothing can.
    pub(crate) fn without_checkpoint(&self, cause: Error) -> BoxFuture<'_, Result<Arc<Snapshot>>> {
        Box::pin(async move {
            let Some(checkpoint) = &self.segment.checkpoint else { return Err(cause) };
            let mut warnings = self.warnings.clone();
            warnings.push(format!("the checkpoint {} was skipped: {}", checkpoint.name(), cause.message()));
            let broken = BTreeSet::from([checkpoint.name().to_owned()]);
            let again = load_without(&self.table, Some(self.version), broken, warnings).await;
            again.map_err(|e| if matches!(e.code(), Code::LOG_GAP | Code::VERSION) { cause } else { e })
        })
    }
    /// Reads this version to its end as if these checkpoints (by the names of their files) were not there. An error when it cannot be read.
    pub(crate) async fn reads_without(&self, checkpoints: BTreeSet<String>) -> Result<()> {
        let other = load_without(&self.table, Some(self.version), checkpoints, Vec::new()).await?;
        if other.segment.checkpoint.is_some() {
            let mut files = other.checkpoint_files(FileQuery::default());
            while files.try_next().await?.is_some() {}
        }
        Ok(())
    }
}
