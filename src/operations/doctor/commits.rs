//! What commits say, each for itself and one after the other. Kind: pure. Spec: DOC.
//!
//! Invariant: a rule that needs what came before is asked only while every commit before it was read.

use super::finding::{
    APPEND_ONLY, CKPT_DIFFERS, COMMIT_INFO, COMMIT_TIME, COMMIT_TWICE, CRC_BROKEN, CRC_DIFFERS, DOMAIN, FEATURE_UNLISTED, FIRST_COMMIT,
    Findings, IDENTITY_MARK, Mend, PROTOCOL_LOSS, ROW_MARK, TABLE_ID, TIME_BACK,
};
use super::layout::in_log;
use crate::features::TableState;
use crate::log::checksum::Checksum;
use crate::log::seen::PathForm;
use crate::log::segment::CheckpointFiles;
use crate::log::{Action, CommitInfo, LogFile, SmallFacts, Version};
use std::collections::{BTreeMap, HashSet};

/// Clocks of honest writers differ by less.
const DAY_MS: i64 = 86_400_000;

/// One commit that was read, with its checksum when it has one.
pub(super) struct Commit<'a> {
    pub file: &'a LogFile,
    pub actions: &'a [Action],
    pub crc: Option<Result<Checksum, String>>,
}

/// Looks at commits in the order of their versions.
pub(super) struct CommitCheck {
    paths: PathForm,
    /// The small actions of every checkpoint that reads, with its name.
    checkpoints: BTreeMap<Version, (String, SmallFacts)>,
    /// What the table is after the last commit; `None` while something before it is missing.
    facts: Option<SmallFacts>,
    state: Option<TableState>,
    counted: Option<Checksum>,
    last: Option<Times>,
    /// Checksums whose counts contradict the commits, if those are all there is.
    pub doubted: Vec<(Version, i64, i64)>,
}

struct Times {
    own: Option<i64>,
    told: Option<i64>,
    file: i64,
}

impl CommitCheck {
    pub fn new(paths: PathForm) -> CommitCheck {
        let none = BTreeMap::new();
        CommitCheck { paths, checkpoints: none, facts: None, state: None, counted: None, last: None, doubted: Vec::new() }
    }
    /// What a checkpoint says besides its files.
    pub fn checkpoint(&mut self, checkpoint: &CheckpointFiles, actions: &[Action]) {
        let mut facts = SmallFacts::empty();
        actions.iter().for_each(|action| facts.apply(action));
        self.checkpoints.insert(checkpoint.version, (checkpoint.name().to_owned(), facts));
    }
    /// What the table was after the last commit.
    pub fn facts(&self) -> Option<&SmallFacts> {
        self.facts.as_ref()
    }
    /// The commits that follow begin at this version; what lies before it was not read.
    pub fn begin(&mut self, version: Version) {
        let before = version.0.checked_sub(1).map(Version);
        self.facts = match before {
            None => Some(SmallFacts::empty()),
            Some(before) => self.checkpoints.get(&before).map(|(_, facts)| facts.clone()),
        };
        (self.counted, self.last) = (None, None);
        self.rebuild();
    }

    pub fn on(&mut self, commit: Commit<'_>, findings: &mut Findings) {
        let version = commit.file.version;
        let object = in_log(&commit.file.name);
        self.twice(&object, commit.actions, findings);
        let before = self.state.take();
        self.first_and_identity(version, &object, commit.actions, findings);
        let info = commit.actions.iter().find_map(|a| if let Action::CommitInfo(info) = a { Some(info) } else { None });
        if let Some(facts) = &mut self.facts {
            commit.actions.iter().for_each(|action| facts.apply(action));
            facts.commit_info = info.cloned();
        }
        let changed = commit.actions.iter().any(|a| matches!(a, Action::Protocol(_) | Action::Metadata(_) | Action::DomainMetadata(_)));
        match before {
            Some(same) if !changed => self.state = Some(same),
            before => {
                self.rebuild();
                if let (Some(before), Some(after)) = (before, &self.state) {
                    changes(&object, &before, after, info, findings);
                }
            }
        }
        self.times(&commit, &object, info, findings);
        if let Some(state) = &self.state {
            permitted(&object, state, commit.actions, findings);
        }
        self.checksum(version, commit, info, findings);
        self.against_checkpoint(version, findings);
    }

    fn rebuild(&mut self) {
        let known = self.facts.as_ref().and_then(|f| Some((f.protocol.clone()?, f.metadata.clone()?, f.live_domains())));
        self.state = known.and_then(|(protocol, metadata, domains)| TableState::new(protocol, metadata, domains).ok());
    }

    /// Two actions in one commit that speak of the same thing.
    fn twice(&self, object: &str, actions: &[Action], findings: &mut Findings) {
        let mut seen: HashSet<(u8, Vec<u8>, Option<String>)> = HashSet::new();
        let id = |vector: &Option<crate::log::VectorDescriptor>| vector.as_ref().map(|v| v.unique_id());
        for action in actions {
            let path = |path: &str| self.paths.normalise(path).into_owned();
            let (keys, what) = match action {
                Action::Add(a) => (vec![(0, path(&a.path), None), (2, path(&a.path), id(&a.deletion_vector))], a.path.as_str()),
                Action::Remove(r) => (vec![(1, path(&r.path), None), (2, path(&r.path), id(&r.deletion_vector))], r.path.as_str()),
                Action::Metadata(_) => (vec![(3, Vec::new(), None)], "metaData"),
                Action::Protocol(_) => (vec![(4, Vec::new(), None)], "protocol"),
                Action::CommitInfo(_) => (vec![(5, Vec::new(), None)], "commitInfo"),
                Action::Txn(t) => (vec![(6, t.app_id.clone().into_bytes(), None)], t.app_id.as_str()),
                Action::DomainMetadata(d) => (vec![(7, d.domain.clone().into_bytes(), None)], d.domain.as_str()),
                Action::Cdc(_) | Action::Sidecar(_) | Action::CheckpointMetadata(_) => continue,
            };
            // Every key is noted, also after one that was there.
            let twice = keys.into_iter().filter(|key| !seen.insert(key.clone())).count();
            if twice > 0 {
                findings.add(COMMIT_TWICE, object, format!("the commit speaks twice of `{what}`"));
            }
        }
    }

    fn first_and_identity(&self, version: Version, object: &str, actions: &[Action], findings: &mut Findings) {
        if version.0 == 0 {
            for (what, is_there) in [
                ("protocol", actions.iter().any(|a| matches!(a, Action::Protocol(_)))),
                ("metaData", actions.iter().any(|a| matches!(a, Action::Metadata(_)))),
            ] {
                if !is_there {
                    findings.add(FIRST_COMMIT, object, format!("the first commit has no {what} action"));
                }
            }
        }
        let id = self.facts.as_ref().and_then(|f| f.metadata.as_ref()).map(|m| &m.id);
        for action in actions {
            if let (Action::Metadata(new), Some(old)) = (action, id)
                && new.id != *old
            {
                findings.add(TABLE_ID, object, format!("the identity of the table changes from {old} to {}", new.id));
            }
        }
    }

    fn times(&mut self, commit: &Commit<'_>, object: &str, info: Option<&CommitInfo>, findings: &mut Findings) {
        let own = info.and_then(CommitInfo::in_commit_timestamp);
        let told = info.and_then(|i| i.0.get("timestamp")?.as_i64());
        let wanted = self.state.as_ref().is_some_and(|state| state.wants_commit_time(commit.file.version));
        let last = self.last.take();
        if wanted {
            if !matches!(commit.actions.first(), Some(Action::CommitInfo(_))) {
                findings.add(COMMIT_INFO, object, "commits must carry their own time, but `commitInfo` is not the first action");
            }
            match (last.as_ref().and_then(|l| l.own), own) {
                (_, None) => findings.add(COMMIT_TIME, object, "commits must carry their own time, and this one has none"),
                (Some(before), Some(now)) if now <= before => {
                    findings.add(COMMIT_TIME, object, format!("the time of the commit is {now}, that of the commit before is {before}"));
                }
                _ => {}
            }
        } else if let Some(last) = &last {
            let back = |before: Option<i64>, now: Option<i64>| Some((before?, now?)).filter(|(b, n)| b.saturating_sub(*n) > DAY_MS);
            if let Some((before, now)) = back(last.told, told).or(back(Some(last.file), Some(commit.file.modified))) {
                findings.add(TIME_BACK, object, format!("the commit is of {now}, the one before of {before}: more than a day later"));
            }
        }
        self.last = Some(Times { own, told, file: commit.file.modified });
    }

    fn checksum(&mut self, version: Version, commit: Commit<'_>, info: Option<&CommitInfo>, findings: &mut Findings) {
        let first = || {
            let facts = self.facts.as_ref().filter(|_| version.0 == 0)?;
            Some(Checksum::before_first(facts.protocol.clone()?, facts.metadata.clone()?))
        };
        self.counted = self.counted.take().or_else(first).and_then(|counted| counted.advance(commit.actions));
        let object = in_log(&Checksum::file_name(version));
        let crc = match commit.crc {
            None => return,
            Some(Err(why)) => return findings.mend(CRC_BROKEN, object, format!("the checksum does not read: {why}"), Mend::Quarantine),
            Some(Ok(crc)) => crc,
        };
        let (protocol, metadata) = self.facts.as_ref().map_or((None, None), |f| (f.protocol.as_ref(), f.metadata.as_ref()));
        let other_time = match (info.and_then(CommitInfo::in_commit_timestamp), crc.in_commit_timestamp_opt) {
            (Some(a), Some(b)) if a != b => Some("it says another time of the commit"),
            _ => None,
        };
        if let Some(why) = crc.contradicts(protocol, metadata, info.and_then(|i| i.txn_id())).or(other_time) {
            findings.mend(CRC_DIFFERS, object, format!("the checksum does not fit the log: {why}"), Mend::Quarantine);
        }
        match &self.counted {
            Some(counted) if (counted.num_files, counted.table_size_bytes) != (crc.num_files, crc.table_size_bytes) => {
                self.doubted.push((version, crc.num_files, crc.table_size_bytes));
            }
            Some(_) => {}
            None => self.counted = Some(crc),
        }
    }

    fn against_checkpoint(&mut self, version: Version, findings: &mut Findings) {
        let Some((name, checkpoint)) = self.checkpoints.get(&version) else { return };
        let Some(facts) = &self.facts else {
            // The commits before it are gone; from here on it speaks for them.
            self.facts = Some(checkpoint.clone());
            return self.rebuild();
        };
        let same = |a: bool, what: &'static str| (!a).then_some(what);
        let protocol = facts.protocol.as_ref().zip(checkpoint.protocol.as_ref()).is_none_or(|(a, b)| a.says_the_same(b));
        let metadata = facts.metadata.as_ref().zip(checkpoint.metadata.as_ref()).is_none_or(|(a, b)| a.says_the_same(b));
        // Applications may have been forgotten, but not invented.
        let apps = checkpoint.txns.values().all(|t| facts.txns.get(&t.app_id).is_some_and(|known| known.version == t.version));
        let domains = facts.live_domains() == checkpoint.live_domains();
        let differs = same(protocol, "protocol").or(same(metadata, "metadata")).or(same(apps, "application versions"));
        if let Some(what) = differs.or(same(domains, "domains")) {
            findings.mend(CKPT_DIFFERS, in_log(name), format!("the checkpoint has other {what} than the commits"), Mend::Quarantine);
        }
    }
}

/// What a commit must not take back.
fn changes(object: &str, before: &TableState, after: &TableState, info: Option<&CommitInfo>, findings: &mut Findings) {
    let operation = info.and_then(|i| i.0.get("operation")?.as_str()).unwrap_or_default();
    if let Some(loss) = before.protocol_loss(after).filter(|_| operation != "DROP FEATURE") {
        findings.add(PROTOCOL_LOSS, object, format!("the commit takes back what the protocol promised: {loss}"));
    }
    for (is_row_id, name, what) in before.marks_taken_back(after) {
        findings.add(if is_row_id { ROW_MARK } else { IDENTITY_MARK }, object, format!("{name}: {what}"));
    }
}

/// What the table's protocol does not allow in a commit.
fn permitted(object: &str, state: &TableState, actions: &[Action], findings: &mut Findings) {
    for action in actions {
        match action {
            Action::Remove(remove) if remove.data_change => {
                if let Err(e) = state.check_remove(remove) {
                    findings.add(APPEND_ONLY, object, format!("{} ({})", e.message(), remove.path));
                }
            }
            Action::Add(add) => {
                if let Err(e) = state.check_add(add) {
                    findings.add(FEATURE_UNLISTED, object, format!("{} ({})", e.message(), add.path));
                }
            }
            Action::DomainMetadata(domain) => {
                if let Err(e) = state.check_domain(domain) {
                    findings.add(DOMAIN, object, format!("{} ({})", e.message(), domain.domain));
                }
            }
            _ => {}
        }
    }
}
