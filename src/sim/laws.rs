//! What must hold at the end of every schedule.

use super::mutant::Plant;
use super::oracle::{Model, Op};
use crate::log::{Metadata, Version};
use crate::transaction::Footprint;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What one writer was told about one commit.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Verdict {
    /// It landed at this version.
    Committed(Version),
    /// This winner excludes it.
    Conflicted(Version),
    /// An error that says that nothing landed.
    NothingLanded,
    /// An error that says that this is not known; also a crash.
    NotKnown,
}

impl Verdict {
    /// Whether a writer that hears this deletes the data files it has written.
    pub(crate) fn discards(&self, plant: Option<Plant>) -> bool {
        match self {
            Verdict::Committed(_) => false,
            Verdict::Conflicted(_) | Verdict::NothingLanded => true,
            Verdict::NotKnown => plant == Some(Plant::FilesDeletedAfterUnknown),
        }
    }
}

/// One commit that somebody tried.
#[derive(Clone, Debug)]
pub(crate) struct Tried {
    /// The transaction id begins with this.
    pub id: String,
    pub op: Op,
    /// The metadata that the writer had seen.
    pub seen: Option<Metadata>,
    pub verdict: Verdict,
    /// Its writer has deleted the data files.
    pub discarded: bool,
}

/// What a reader saw of one version.
#[derive(Clone, Debug)]
pub(crate) struct Looked {
    pub version: Version,
    pub files: BTreeSet<String>,
    pub apps: BTreeMap<String, i64>,
    pub metadata: Option<Metadata>,
}

/// Judges what readers saw against the table that each version of the log makes.
pub(crate) fn judge_looks(versions: &[Model], looks: &[Looked]) -> Result<(), String> {
    for look in looks {
        let Some(model) = versions.get(look.version.0 as usize) else {
            return Err(format!("a reader saw version {}, which is not in the log", look.version));
        };
        if (&model.files, &model.apps, &model.metadata) != (&look.files, &look.apps, &look.metadata) {
            return Err(format!("a reader saw {look:?} where the log makes {model:?}"));
        }
    }
    Ok(())
}

/// Judges a finished log (its commits from version 0 on) against what the writers were told; gives the table at each version.
pub(crate) fn judge(log: &[Arc<Footprint>], tried: &[Tried]) -> Result<Vec<Model>, String> {
    for t in tried {
        let landed: Vec<Version> = log.iter().filter(|c| is_of(c, t)).map(|c| c.version).collect();
        let holds = match &t.verdict {
            Verdict::Committed(version) => landed == [*version],
            Verdict::Conflicted(winner) => landed.is_empty() && log.iter().any(|c| c.version == *winner),
            Verdict::NothingLanded => landed.is_empty(),
            Verdict::NotKnown => landed.len() <= 1,
        };
        if !holds {
            return Err(format!("{} was told {:?}, but is in the log at {landed:?}", t.id, t.verdict));
        }
    }
    if let Some(t) = tried.iter().find(|t| t.discarded && log.iter().any(|c| is_of(c, t))) {
        return Err(format!("{} is in the log, but its data files were deleted", t.id));
    }
    let mut versions = Vec::with_capacity(log.len());
    let mut model = Model::default();
    for (i, commit) in log.iter().enumerate() {
        if commit.version != Version(i as u64) {
            return Err(format!("version {} follows {} commits", commit.version, i));
        }
        let owner = tried.iter().find(|t| is_of(commit, t));
        model
            .apply(commit, owner.map(|t| &t.op), owner.and_then(|t| t.seen.as_ref()))
            .map_err(|what| format!("version {} ({}): {what}", commit.version, owner.map_or("foreign", |t| t.id.as_str())))?;
        versions.push(model.clone());
    }
    Ok(versions)
}

fn is_of(commit: &Footprint, tried: &Tried) -> bool {
    commit.txn_id.as_ref().is_some_and(|id| id.starts_with(&tried.id))
}
