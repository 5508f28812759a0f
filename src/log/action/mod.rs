//! The actions of the log, each declared once. Kind: shape. Spec: ACT.

mod lenient;
mod map;

pub use map::NullableMap;

use lenient::{no_columns, null_as_default, text_map, text_map_option, without_nulls, yes};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// String map of the log (`configuration`, `tags`, `options`).
pub type StringMap = BTreeMap<String, String>;

/// The protocol that readers and writers must speak.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Protocol {
    pub min_reader_version: i32,
    pub min_writer_version: i32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reader_features: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writer_features: Option<Vec<String>>,
}

impl Protocol {
    /// Whether it asks the same of readers and writers, in whatever order it lists features.
    pub(crate) fn says_the_same(&self, other: &Protocol) -> bool {
        let sorted = |list: &Option<Vec<String>>| list.iter().flatten().cloned().collect::<BTreeSet<_>>();
        let all = |p: &Protocol| (p.min_reader_version, p.min_writer_version, sorted(&p.reader_features), sorted(&p.writer_features));
        all(self) == all(other)
    }
}

/// The storage format of data files; always Parquet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Format {
    pub provider: String,
    #[serde(default, deserialize_with = "without_nulls")]
    pub options: StringMap,
}

impl Default for Format {
    fn default() -> Self {
        Format { provider: "parquet".to_owned(), options: StringMap::new() }
    }
}

/// Schema, partitioning and properties of the table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    pub id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(default, deserialize_with = "null_as_default")]
    pub format: Format,
    #[serde(default = "no_columns")]
    pub schema_string: String,
    #[serde(default, deserialize_with = "null_as_default")]
    pub partition_columns: Vec<String>,
    #[serde(default, deserialize_with = "without_nulls")]
    pub configuration: StringMap,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_time: Option<i64>,
}

impl Metadata {
    /// Whether it describes the same table: identity, schema, partitioning and properties.
    pub(crate) fn says_the_same(&self, other: &Metadata) -> bool {
        (&self.id, &self.schema_string, &self.partition_columns, &self.configuration)
            == (&other.id, &other.schema_string, &other.partition_columns, &other.configuration)
    }
}

/// Where the deleted rows of a file are listed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VectorDescriptor {
    pub storage_type: String,
    pub path_or_inline_dv: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<i32>,
    pub size_in_bytes: i32,
    pub cardinality: i64,
}

impl VectorDescriptor {
    /// The identity of the vector in reconciliation.
    pub fn unique_id(&self) -> String {
        match self.offset {
            Some(offset) => format!("{}{}@{offset}", self.storage_type, self.path_or_inline_dv),
            None => format!("{}{}", self.storage_type, self.path_or_inline_dv),
        }
    }
}

/// A file that belongs to the table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Add {
    /// Percent-encoded, as it stands in the log.
    pub path: String,
    /// Keys are physical names.
    #[serde(default, deserialize_with = "text_map")]
    pub partition_values: NullableMap,
    pub size: i64,
    #[serde(default, deserialize_with = "null_as_default")]
    pub modification_time: i64,
    #[serde(default, deserialize_with = "null_as_default")]
    pub data_change: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stats: Option<String>,
    #[serde(default, deserialize_with = "text_map_option", skip_serializing_if = "Option::is_none")]
    pub tags: Option<NullableMap>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_vector: Option<VectorDescriptor>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_row_id: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_row_commit_version: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clustering_provider: Option<String>,
}

impl Add {
    /// Physical rows, when the statistics say so.
    pub(crate) fn num_records(&self) -> Option<i64> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Count {
            num_records: Option<i64>,
        }
        serde_json::from_str::<Count>(self.stats.as_deref()?).ok()?.num_records
    }
    /// Whether the statistics say that they also hold for deleted rows.
    pub(crate) fn has_wide_bounds(&self) -> bool {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Bounds {
            tight_bounds: Option<bool>,
        }
        let bounds = self.stats.as_deref().and_then(|stats| serde_json::from_str::<Bounds>(stats).ok());
        bounds.is_some_and(|bounds| bounds.tight_bounds == Some(false))
    }
}

/// A file that no longer belongs to the table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Remove {
    pub path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_timestamp: Option<i64>,
    #[serde(default = "yes")]
    pub data_change: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extended_file_metadata: Option<bool>,
    #[serde(default, deserialize_with = "text_map_option", skip_serializing_if = "Option::is_none")]
    pub partition_values: Option<NullableMap>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stats: Option<String>,
    #[serde(default, deserialize_with = "text_map_option", skip_serializing_if = "Option::is_none")]
    pub tags: Option<NullableMap>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_vector: Option<VectorDescriptor>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_row_id: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_row_commit_version: Option<i64>,
}

/// A change data file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cdc {
    pub path: String,
    #[serde(default, deserialize_with = "text_map")]
    pub partition_values: NullableMap,
    pub size: i64,
    #[serde(default, deserialize_with = "null_as_default")]
    pub data_change: bool,
    #[serde(default, deserialize_with = "text_map_option", skip_serializing_if = "Option::is_none")]
    pub tags: Option<NullableMap>,
}

/// The newest version that an application has written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Txn {
    pub app_id: String,
    pub version: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_updated: Option<i64>,
}

/// Named configuration outside the metadata.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainMetadata {
    pub domain: String,
    #[serde(default, deserialize_with = "null_as_default")]
    pub configuration: String,
    #[serde(default, deserialize_with = "null_as_default")]
    pub removed: bool,
}

/// A file of a V2 checkpoint that holds file actions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sidecar {
    pub path: String,
    pub size_in_bytes: i64,
    pub modification_time: i64,
    #[serde(default, deserialize_with = "text_map_option", skip_serializing_if = "Option::is_none")]
    pub tags: Option<NullableMap>,
}

/// The mark of a V2 checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointMetadata {
    pub version: i64,
    #[serde(default, deserialize_with = "text_map_option", skip_serializing_if = "Option::is_none")]
    pub tags: Option<NullableMap>,
}

/// Who committed what and why. Free-form: kept as JSON, with typed access to what we use.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CommitInfo(pub Map<String, Value>);

impl CommitInfo {
    /// The in-commit timestamp, milliseconds.
    pub fn in_commit_timestamp(&self) -> Option<i64> {
        self.0.get("inCommitTimestamp")?.as_i64()
    }
    /// The writer's own name of this commit attempt.
    pub fn txn_id(&self) -> Option<&str> {
        self.0.get("txnId")?.as_str()
    }
    /// Whether the writer read nothing of the table. Missing means no.
    pub fn is_blind_append(&self) -> bool {
        self.0.get("isBlindAppend").and_then(Value::as_bool).unwrap_or(false)
    }
}

/// One line of a commit. In JSON an object with exactly one known key; lines with only unknown keys are not actions.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    CommitInfo(CommitInfo),
    Protocol(Protocol),
    #[serde(rename = "metaData")]
    Metadata(Metadata),
    Add(Add),
    Remove(Remove),
    Cdc(Cdc),
    Txn(Txn),
    DomainMetadata(DomainMetadata),
    Sidecar(Sidecar),
    CheckpointMetadata(CheckpointMetadata),
}
