//! What a commit did, as far as others must know. Kind: pure. Spec: CON, COM.

use crate::env::Timestamp;
use crate::error::Result;
use crate::log::{Action, Add, DomainMetadata, LogFile, Metadata, Protocol, Remove, Txn, VectorDescriptor, Version, decode_commit};
use std::collections::{HashMap, HashSet};

/// What one commit of the log did.
#[derive(Clone, Debug, Default)]
pub(crate) struct Footprint {
    pub version: Version,
    pub txn_id: Option<String>,
    pub in_commit_timestamp: Option<Timestamp>,
    /// The writer read nothing of the table. Only believed of a commit that removes nothing.
    pub blind_append: bool,
    pub protocol: Option<Protocol>,
    pub metadata: Option<Metadata>,
    pub apps: Vec<Txn>,
    pub domains: Vec<DomainMetadata>,
    /// Without those of `lost_rows`.
    pub removes: Vec<Remove>,
    /// Without those of `lost_rows`.
    pub adds: Vec<Add>,
    pub lost_rows: Vec<LostRows>,
}

/// A file that stays and lost rows: the pair of actions that only lengthens its vector.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LostRows {
    /// The vector that was there.
    pub before: Option<VectorDescriptor>,
    /// As the file stands now, its longer vector included.
    pub file: Add,
}

impl LostRows {
    /// The file as one that still has the rows that went, as far as its new statistics know of them: tight ones may have forgotten them.
    pub(crate) fn file_with_all_rows(&self) -> Add {
        let stats = self.file.stats.clone().filter(|_| self.file.has_wide_bounds());
        Add { stats, ..self.file.clone() }
    }
}

impl Footprint {
    /// Reads the body of a commit; errors as `decode_commit`.
    pub(crate) fn read(version: Version, body: &[u8]) -> Result<Footprint> {
        let mut found = Footprint { version, ..Footprint::default() };
        let mut claims_blind = false;
        for action in decode_commit(&LogFile::commit_name(version), body)? {
            match action {
                Action::CommitInfo(info) => {
                    found.txn_id = info.txn_id().map(str::to_owned);
                    found.in_commit_timestamp = info.in_commit_timestamp().map(Timestamp);
                    claims_blind = info.is_blind_append();
                }
                Action::Protocol(p) => found.protocol = Some(p),
                Action::Metadata(m) => found.metadata = Some(m),
                Action::Txn(t) => found.apps.push(t),
                Action::DomainMetadata(d) => found.domains.push(d),
                Action::Remove(r) => found.removes.push(r),
                Action::Add(a) => found.adds.push(a),
                Action::Cdc(_) | Action::Sidecar(_) | Action::CheckpointMetadata(_) => {}
            }
        }
        found.blind_append = claims_blind && found.removes.is_empty();
        found.pair();
        Ok(found)
    }

    /// Takes the pairs that only lengthen a vector out of the removes and adds. A path that comes in another number than one and one, or
    /// in two spellings, stays what it is: a file that goes and a file that comes.
    fn pair(&mut self) {
        if self.removes.is_empty() || self.adds.iter().all(|a| a.deletion_vector.is_none()) {
            return;
        }
        let mut times: HashMap<&str, (u32, u32)> = HashMap::new();
        self.removes.iter().for_each(|r| times.entry(&r.path).or_default().0 += 1);
        self.adds.iter().for_each(|a| times.entry(&a.path).or_default().1 += 1);
        let twins: HashMap<&str, &Remove> =
            self.removes.iter().filter(|r| times.get(r.path.as_str()) == Some(&(1, 1))).map(|r| (r.path.as_str(), r)).collect();
        let lengthened = |add: &Add| {
            let remove = twins.get(add.path.as_str()).filter(|remove| only_lengthens(remove, add))?;
            Some(LostRows { before: remove.deletion_vector.clone(), file: add.clone() })
        };
        let lost_rows: Vec<LostRows> = self.adds.iter().filter_map(lengthened).collect();
        let paths: HashSet<String> = lost_rows.iter().map(|l| l.file.path.clone()).collect();
        self.removes.retain(|r| !paths.contains(&r.path));
        self.adds.retain(|a| !paths.contains(&a.path));
        self.lost_rows = lost_rows;
    }
}

/// Whether the same file comes back with more rows in its vector. That it holds those of the old one cannot be told from here.
fn only_lengthens(remove: &Remove, add: &Add) -> bool {
    let Some(after) = &add.deletion_vector else { return false };
    let before = remove.deletion_vector.as_ref().map_or(0, |v| v.cardinality);
    let same_file = remove.size.is_none_or(|size| size == add.size)
        && remove.partition_values.as_ref().is_none_or(|values| *values == add.partition_values)
        && remove.base_row_id.is_none_or(|id| add.base_row_id == Some(id));
    remove.data_change && add.data_change && same_file && after.cardinality > before
}

#[cfg(test)]
#[path = "footprint_tests.rs"]
mod tests;
