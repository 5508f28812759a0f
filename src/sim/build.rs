//! Small actions for simulated tables.

use crate::log::{Add, Format, Metadata, Protocol, Remove};

/// Where the table of the rules lies.
pub(crate) fn root() -> url::Url {
    url::Url::parse("file:///t/").expect("a URL")
}

/// A protocol that knows in-commit timestamps.
pub(crate) fn protocol() -> Protocol {
    Protocol {
        min_reader_version: 1,
        min_writer_version: 7,
        reader_features: None,
        writer_features: Some(vec!["inCommitTimestamp".into()]),
    }
}

/// A table of one column whose commits carry their time, with a checkpoint at every third version.
pub(crate) fn metadata() -> Metadata {
    Metadata {
        id: "t".into(),
        name: None,
        description: None,
        format: Format { provider: "parquet".into(), options: Default::default() },
        schema_string: r#"{"type":"struct","fields":[{"name":"id","type":"long","nullable":true,"metadata":{}}]}"#.into(),
        partition_columns: Vec::new(),
        configuration: [("delta.enableInCommitTimestamps", "true"), ("delta.checkpointInterval", "3")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into(),
        created_time: None,
    }
}

pub(crate) fn add(path: &str, data_change: bool) -> Add {
    Add {
        path: path.into(),
        partition_values: Default::default(),
        size: 1,
        modification_time: 0,
        data_change,
        stats: None,
        tags: None,
        deletion_vector: None,
        base_row_id: None,
        default_row_commit_version: None,
        clustering_provider: None,
    }
}

pub(crate) fn remove(path: &str, data_change: bool) -> Remove {
    Remove {
        path: path.into(),
        deletion_timestamp: Some(0),
        data_change,
        extended_file_metadata: None,
        partition_values: None,
        size: None,
        stats: None,
        tags: None,
        deletion_vector: None,
        base_row_id: None,
        default_row_commit_version: None,
    }
}
