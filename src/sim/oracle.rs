//! A table as a plain sequential program sees it: the meaning of each commit, replayed in log order.

use crate::log::Metadata;
use crate::transaction::Footprint;
use std::collections::{BTreeMap, BTreeSet};

/// What a commit was meant to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    /// Makes the table.
    Create,
    /// Adds a file, having read nothing.
    Append,
    /// The same, once per version of an application.
    AppendFor { app: String, version: i64 },
    /// Replaces all rows.
    Overwrite,
    /// Replaces one file by another with the same rows.
    Compact { path: String },
    /// Removes all rows.
    Truncate,
    /// Adds the rows of one file once more.
    Copy { path: String },
    /// Adds a row that says how many files hold rows: reads everything, removes nothing.
    CountFiles { files: usize },
    /// Sets a property, keeping all others.
    SetProperty { key: String },
}

/// The table after some commits.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    pub files: BTreeSet<String>,
    /// Which file each row came from at first; a compaction keeps that.
    pub rows: BTreeMap<String, BTreeSet<String>>,
    /// The same for every file that was ever there.
    pub origins: BTreeMap<String, BTreeSet<String>>,
    pub apps: BTreeMap<String, i64>,
    pub metadata: Option<Metadata>,
    pub timestamp: Option<i64>,
}

impl Model {
    /// Takes the next commit; `op` is what its writer meant, when it is one of ours. `drafted_under` is the metadata that the writer
    /// had seen. Says what is wrong, if anything is.
    pub(crate) fn apply(&mut self, commit: &Footprint, op: Option<&Op>, drafted_under: Option<&Metadata>) -> Result<(), String> {
        let before = self.clone();
        self.apply_actions(commit)?;
        let Some(op) = op else { return Ok(()) };
        let adds: BTreeSet<String> = commit.adds.iter().map(|a| a.path.clone()).collect();
        if let (Some(seen), Some(there)) = (drafted_under, &before.metadata)
            && *op != Op::Create
            && (&seen.schema_string, &seen.configuration) != (&there.schema_string, &there.configuration)
        {
            return Err("the commit was drafted under other metadata than it landed on".to_owned());
        }
        match op {
            Op::Create if before.metadata.is_some() => Err("the table was made twice".to_owned()),
            Op::Create => Ok(()),
            Op::Append if self.files != &before.files | &adds => Err("an append did more than append".to_owned()),
            Op::AppendFor { app, version } if before.apps.get(app).is_some_and(|v| v >= version) => {
                Err(format!("version {version} of application {app} was written again"))
            }
            Op::Append | Op::AppendFor { .. } => Ok(()),
            Op::Overwrite if self.files != adds => Err("an overwrite left files that it did not write".to_owned()),
            Op::Overwrite => Ok(()),
            Op::Compact { path } if !before.files.contains(path) => Err(format!("{path} was compacted after it was gone")),
            Op::Compact { .. } => Ok(()),
            Op::Truncate if !self.files.is_empty() => Err("a truncated table has files".to_owned()),
            Op::Truncate => Ok(()),
            Op::Copy { path } if !before.holds_rows_of(path) => Err(format!("{path} was copied after it was gone")),
            Op::Copy { .. } => Ok(()),
            Op::CountFiles { files } if before.files.len() != *files => {
                Err(format!("{files} files were counted where there were {}", before.files.len()))
            }
            Op::CountFiles { .. } => Ok(()),
            Op::SetProperty { key } => {
                let properties = |m: &Option<Metadata>| m.as_ref().map(|m| m.configuration.clone()).unwrap_or_default();
                let mut expected = properties(&before.metadata);
                expected.insert(key.clone(), "true".to_owned());
                if properties(&self.metadata) == expected { Ok(()) } else { Err(format!("setting {key} changed other properties")) }
            }
        }
    }

    /// Whether the rows that once were in this file are in some file.
    fn holds_rows_of(&self, path: &str) -> bool {
        let living: BTreeSet<_> = self.rows.values().flatten().collect();
        self.origins.get(path).is_some_and(|origins| origins.iter().all(|o| living.contains(o)))
    }

    fn apply_actions(&mut self, commit: &Footprint) -> Result<(), String> {
        let mut moved = BTreeSet::new();
        for remove in &commit.removes {
            let rows = self.rows.remove(&remove.path).unwrap_or_default();
            if !remove.data_change {
                moved.extend(rows);
            }
            if !self.files.remove(&remove.path) {
                return Err(format!("{} was removed but is not there", remove.path));
            }
        }
        for add in &commit.adds {
            let own = || [add.path.clone()].into();
            let origins = if add.data_change { own() } else { moved.clone() };
            self.origins.insert(add.path.clone(), origins.clone());
            self.rows.insert(add.path.clone(), origins);
            if !self.files.insert(add.path.clone()) {
                return Err(format!("{} was added twice", add.path));
            }
        }
        for app in &commit.apps {
            self.apps.insert(app.app_id.clone(), app.version);
        }
        if let Some(metadata) = &commit.metadata {
            self.metadata = Some(metadata.clone());
        }
        if let Some(time) = commit.in_commit_timestamp.map(|t| t.millis()) {
            if self.timestamp.is_some_and(|before| time <= before) {
                return Err(format!("the in-commit timestamp {time} does not rise"));
            }
            self.timestamp = Some(time);
        } else if self.timestamp.is_some() {
            return Err("a commit lacks its in-commit timestamp".to_owned());
        }
        Ok(())
    }
}
