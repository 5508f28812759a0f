//! Version checksums, `N.crc`: read, checked, advanced over commits. Kind: pure. Spec: CRC.
//!
//! Invariant: a checksum that was advanced equals the one counted from scratch, or there is none.

use super::histogram::{DeletedRecordCounts, FileSizeHistogram};
use super::json::unencodable;
use super::{Action, Add, DomainMetadata, Metadata, Protocol, Remove, SmallFacts, Txn, Version};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// With more files than this a checksum lists none of them.
const MAX_ALL_FILES: usize = 50;

/// What `N.crc` says about version N.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Checksum {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub txn_id: Option<String>,
    pub table_size_bytes: i64,
    pub num_files: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub num_deleted_records_opt: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub num_deletion_vectors_opt: Option<i64>,
    pub num_metadata: i64,
    pub num_protocol: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_commit_timestamp_opt: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set_transactions: Option<Vec<Txn>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain_metadata: Option<Vec<DomainMetadata>>,
    pub metadata: Metadata,
    pub protocol: Protocol,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_size_histogram: Option<FileSizeHistogram>,
    /// The key of older Spark releases; read, never written.
    #[serde(default, skip_serializing)]
    histogram_opt: Option<FileSizeHistogram>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_record_counts_histogram_opt: Option<DeletedRecordCounts>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub all_files: Option<Vec<Add>>,
}

impl Checksum {
    /// The checksum of a table without files, to be filled by `add`.
    pub fn of(facts: &SmallFacts, protocol: Protocol, metadata: Metadata) -> Checksum {
        let info = facts.commit_info.as_ref();
        Checksum {
            txn_id: info.and_then(|i| i.txn_id()).map(str::to_owned),
            table_size_bytes: 0,
            num_files: 0,
            num_deleted_records_opt: Some(0),
            num_deletion_vectors_opt: Some(0),
            num_metadata: 1,
            num_protocol: 1,
            in_commit_timestamp_opt: info.and_then(|i| i.in_commit_timestamp()),
            set_transactions: facts.txns_known.then(|| facts.txns.values().cloned().collect()),
            domain_metadata: Some(facts.live_domains()),
            metadata,
            protocol,
            file_size_histogram: Some(FileSizeHistogram::default()),
            histogram_opt: None,
            deleted_record_counts_histogram_opt: Some(DeletedRecordCounts::default()),
            all_files: None,
        }
    }
    /// Reads a checksum file; the reason when it is not to be trusted.
    pub fn parse(body: &[u8]) -> Result<Checksum, String> {
        let mut crc: Checksum = serde_json::from_slice(body).map_err(|e| e.to_string())?;
        crc.file_size_histogram = crc.file_size_histogram.take().or(crc.histogram_opt.take()).filter(FileSizeHistogram::is_valid);
        crc.deleted_record_counts_histogram_opt = crc.deleted_record_counts_histogram_opt.take().filter(DeletedRecordCounts::is_valid);
        if crc.num_metadata != 1 || crc.num_protocol != 1 {
            return Err("it does not count one protocol and one metadata".to_owned());
        }
        crc.sound().then_some(crc).ok_or_else(|| "its counts are negative or disagree".to_owned())
    }
    /// Why this cannot be the checksum of a version with that protocol, metadata and transaction, as far as they are known.
    pub fn contradicts(&self, protocol: Option<&Protocol>, metadata: Option<&Metadata>, txn_id: Option<&str>) -> Option<&'static str> {
        if protocol.is_some_and(|p| !p.says_the_same(&self.protocol)) {
            return Some("a commit that it covers sets another protocol");
        }
        if metadata.is_some_and(|m| !m.says_the_same(&self.metadata)) {
            return Some("a commit that it covers sets other metadata");
        }
        match (txn_id, self.txn_id.as_deref()) {
            (Some(a), Some(b)) if a != b => Some("it belongs to another commit"),
            _ => None,
        }
    }
    /// The checksum of a table before its first commit, to be advanced over all of them; it knows every file while they are few.
    pub fn before_first(protocol: Protocol, metadata: Metadata) -> Checksum {
        Checksum { all_files: Some(Vec::new()), ..Checksum::of(&SmallFacts::empty(), protocol, metadata) }
    }
    /// The body to write.
    pub fn encode(&self) -> crate::error::Result<Bytes> {
        Ok(serde_json::to_vec(self).map_err(|e| unencodable("a checksum", &e))?.into())
    }
    /// The name inside `_delta_log`.
    pub fn file_name(version: Version) -> String {
        format!("{:020}.crc", version.0)
    }
    /// Counts one active file.
    pub fn add(&mut self, size: i64, deleted: Option<i64>) {
        self.count(size, deleted, 1);
    }
    /// This checksum after one more commit; `None` when the commit does not say enough (a removed file without its size, files
    /// added again without new data) or contradicts it.
    pub fn advance(mut self, commit: &[Action]) -> Option<Checksum> {
        let adds = || commit.iter().filter_map(|a| if let Action::Add(add) = a { Some(add) } else { None });
        let removes = || commit.iter().filter_map(|a| if let Action::Remove(remove) = a { Some(remove) } else { None });
        let rearranges = adds().any(|a| !a.data_change);
        match self.all_files.take() {
            Some(files) => self.recount(files, adds(), removes()),
            // An add without new data either comes with the removes that it replaces, or repeats a file that is counted.
            None if rearranges && removes().all(|r| r.data_change) => return None,
            None => {
                for remove in removes() {
                    self.count(remove.size?, remove.deletion_vector.as_ref().map(|v| v.cardinality), -1);
                }
                for add in adds() {
                    self.count(add.size, add.deletion_vector.as_ref().map(|v| v.cardinality), 1);
                }
            }
        }
        let mut facts = SmallFacts {
            txns: by_key(self.set_transactions.iter().flatten(), |t| &t.app_id),
            domains: by_key(self.domain_metadata.iter().flatten(), |d| &d.domain),
            ..SmallFacts::default()
        };
        let mut info = None;
        for action in commit {
            facts.apply(action);
            if let Action::CommitInfo(i) = action {
                info = Some(i);
            }
        }
        self.txn_id = info.and_then(|i| i.txn_id()).map(str::to_owned);
        self.in_commit_timestamp_opt = info.and_then(|i| i.in_commit_timestamp());
        self.set_transactions = self.set_transactions.map(|_| facts.txns.values().cloned().collect());
        self.domain_metadata = self.domain_metadata.map(|_| facts.live_domains());
        self.metadata = facts.metadata.unwrap_or(self.metadata);
        self.protocol = facts.protocol.unwrap_or(self.protocol);
        self.sound().then_some(self)
    }
    fn count(&mut self, size: i64, deleted: Option<i64>, sign: i64) {
        self.num_files = self.num_files.saturating_add(sign);
        self.table_size_bytes = self.table_size_bytes.saturating_add(sign.saturating_mul(size));
        if let Some(histogram) = &mut self.file_size_histogram {
            histogram.count(size, sign);
        }
        if let Some(histogram) = &mut self.deleted_record_counts_histogram_opt {
            histogram.count(deleted.unwrap_or(0), sign);
        }
        if let Some(deleted) = deleted {
            self.num_deletion_vectors_opt = self.num_deletion_vectors_opt.map(|n| n.saturating_add(sign));
            self.num_deleted_records_opt = self.num_deleted_records_opt.map(|n| n.saturating_add(sign.saturating_mul(deleted)));
        }
    }
    /// Counts from the list of all files, which stays while it is short.
    fn recount<'a>(&mut self, mut files: Vec<Add>, adds: impl Iterator<Item = &'a Add>, removes: impl Iterator<Item = &'a Remove>) {
        let vector = |a: &Add| a.deletion_vector.as_ref().map(|v| v.unique_id());
        for remove in removes {
            let gone = remove.deletion_vector.as_ref().map(|v| v.unique_id());
            files.retain(|f| f.path != remove.path || vector(f) != gone);
        }
        for add in adds {
            files.retain(|f| f.path != add.path || vector(f) != vector(add));
            files.push(add.clone());
        }
        (self.num_files, self.table_size_bytes) = (0, 0);
        (self.num_deleted_records_opt, self.num_deletion_vectors_opt) = (Some(0), Some(0));
        self.file_size_histogram = Some(FileSizeHistogram::default());
        self.deleted_record_counts_histogram_opt = Some(DeletedRecordCounts::default());
        for file in &files {
            self.count(file.size, file.deletion_vector.as_ref().map(|v| v.cardinality), 1);
        }
        self.all_files = (files.len() <= MAX_ALL_FILES).then_some(files);
    }
    fn sound(&self) -> bool {
        let totals = [Some(self.num_files), Some(self.table_size_bytes), self.num_deleted_records_opt, self.num_deletion_vectors_opt];
        totals.into_iter().flatten().all(|n| n >= 0)
            && self.file_size_histogram.as_ref().is_none_or(FileSizeHistogram::is_valid)
            && self.deleted_record_counts_histogram_opt.as_ref().is_none_or(DeletedRecordCounts::is_valid)
            && self.all_files.as_ref().is_none_or(|f| i64::try_from(f.len()) == Ok(self.num_files))
    }
}

fn by_key<'a, T: Clone + 'a>(items: impl Iterator<Item = &'a T>, key: fn(&T) -> &String) -> std::collections::BTreeMap<String, T> {
    items.map(|item| (key(item).clone(), item.clone())).collect()
}

#[cfg(test)]
#[path = "checksum_tests.rs"]
mod tests;
