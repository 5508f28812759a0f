//! Tables of a few rows whose files and vectors tell their content by their names, so that nothing has to be stored.

use super::build::{add, metadata, protocol};
use crate::features::TableState;
use crate::log::{Add, DomainMetadata, Metadata, Protocol, VectorDescriptor, Version};
use crate::transaction::{Base, Footprint};
use roaring::RoaringTreemap;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A key and a value.
pub(super) type Row = (i64, i64);

/// A vector whose descriptor names its rows.
pub(super) fn vector(rows: &RoaringTreemap) -> VectorDescriptor {
    let names: Vec<String> = rows.iter().map(|row| row.to_string()).collect();
    VectorDescriptor {
        storage_type: "u".into(),
        path_or_inline_dv: names.join(","),
        offset: Some(1),
        size_in_bytes: 1,
        cardinality: rows.len() as i64,
    }
}

/// The rows that such a descriptor names.
pub(super) fn rows_of_vector(vector: Option<&VectorDescriptor>) -> RoaringTreemap {
    let text = vector.map_or("", |v| v.path_or_inline_dv.as_str());
    text.split(',').filter(|t| !t.is_empty()).map(|t| t.parse::<u64>().expect("a row")).collect()
}

/// A file of these rows, with statistics.
pub(super) fn file(name: &str, rows: &[Row], data_change: bool) -> Add {
    let names: Vec<String> = rows.iter().map(|(k, v)| format!("_{k}.{v}")).collect();
    let bound = |of: fn(&Row) -> i64, least: bool| {
        let values = rows.iter().map(of);
        if least { values.min() } else { values.max() }.unwrap_or(0)
    };
    let bounds = |least| serde_json::json!({"k": bound(|r| r.0, least), "v": bound(|r| r.1, least)});
    let stats = serde_json::json!({
        "numRecords": rows.len(), "minValues": bounds(true), "maxValues": bounds(false), "nullCount": {"k": 0, "v": 0},
    });
    Add { stats: Some(stats.to_string()), ..add(&format!("{name}{}", names.concat()), data_change) }
}

fn rows_of_file(path: &str) -> Vec<Row> {
    let row = |text: &str| {
        let (k, v) = text.split_once('.').expect("a row");
        (k.parse().expect("a key"), v.parse().expect("a value"))
    };
    path.split('_').skip(1).map(row).collect()
}

/// A row, where it lies.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    pub at: u64,
    pub row: Row,
}

/// The table after some commits.
#[derive(Clone, Debug)]
pub(super) struct Tiny {
    pub version: u64,
    pub files: BTreeMap<String, Add>,
    pub metadata: Metadata,
    pub domains: BTreeMap<String, String>,
    pub apps: BTreeMap<String, i64>,
}

impl Tiny {
    /// Two files and five rows, one of which no transaction names by its key; a sixth is deleted already.
    pub(super) fn new(level: &str) -> Tiny {
        let mut metadata = metadata();
        let field = |name: &str| format!(r#"{{"name":"{name}","type":"long","nullable":true,"metadata":{{}}}}"#);
        metadata.schema_string = format!(r#"{{"type":"struct","fields":[{},{}]}}"#, field("k"), field("v"));
        metadata.configuration = [("delta.isolationLevel".to_owned(), level.to_owned())].into();
        let mut files = [file("a", &[(1, 1), (2, 2), (8, 8)], true), file("b", &[(3, 3), (4, 4), (9, 9)], true)];
        files[1].deletion_vector = Some(vector(&[2u64].into_iter().collect()));
        let files = files.into_iter().map(|f| (f.path.clone(), f)).collect();
        Tiny { version: 0, files, metadata, domains: BTreeMap::new(), apps: BTreeMap::new() }
    }

    pub(super) fn state(&self) -> Arc<TableState> {
        let protocol = Protocol {
            min_reader_version: 3,
            reader_features: Some(["deletionVectors", "columnMapping"].map(str::to_owned).into()),
            writer_features: Some(["deletionVectors", "columnMapping", "domainMetadata"].map(str::to_owned).into()),
            ..protocol()
        };
        let domain =
            |(name, text): (&String, &String)| DomainMetadata { domain: name.clone(), configuration: text.clone(), removed: false };
        let domains = self.domains.iter().map(domain).collect();
        Arc::new(TableState::new(protocol, self.metadata.clone(), domains).expect("a state"))
    }

    pub(super) fn base(&self) -> Base {
        Base { version: Some(Version(self.version)), state: self.state(), timestamp: None }
    }

    /// The living rows of a file.
    pub(super) fn living(&self, file: &Add) -> Vec<Placed> {
        let deleted = rows_of_vector(file.deletion_vector.as_ref());
        let all = rows_of_file(&file.path).into_iter().enumerate();
        all.map(|(at, row)| Placed { at: at as u64, row }).filter(|p| !deleted.contains(p.at)).collect()
    }

    pub(super) fn rows(&self) -> Vec<Row> {
        let mut rows: Vec<Row> = self.files.values().flat_map(|f| self.living(f)).map(|p| p.row).collect();
        rows.sort_unstable();
        rows
    }

    /// What a reader can see, to compare two tables by.
    pub(super) fn seen(&self) -> String {
        format!("{:?} {:?} {:?} {:?}", self.rows(), self.metadata.configuration, self.domains, self.apps)
    }

    /// Takes a commit; says what a replay would find odd.
    pub(super) fn apply(&mut self, commit: &Footprint) -> Result<(), String> {
        for remove in &commit.removes {
            let gone = self.files.remove(&remove.path).ok_or_else(|| format!("{} was removed but is not there", remove.path))?;
            if gone.deletion_vector != remove.deletion_vector {
                return Err(format!("{} was removed with another vector than it has", remove.path));
            }
        }
        for lost in &commit.lost_rows {
            let gone = self.files.insert(lost.file.path.clone(), lost.file.clone());
            let gone = gone.ok_or_else(|| format!("{} lost rows but is not there", lost.file.path))?;
            if gone.deletion_vector != lost.before {
                return Err(format!("{} lost rows from another vector than it has", lost.file.path));
            }
        }
        for add in &commit.adds {
            if self.files.insert(add.path.clone(), add.clone()).is_some_and(|old| old.deletion_vector != add.deletion_vector) {
                return Err(format!("{} was added while it was there", add.path));
            }
        }
        if let Some(metadata) = &commit.metadata {
            self.metadata = metadata.clone();
        }
        self.domains.extend(commit.domains.iter().map(|d| (d.domain.clone(), d.configuration.clone())));
        self.apps.extend(commit.apps.iter().map(|a| (a.app_id.clone(), a.version)));
        self.version += 1;
        Ok(())
    }
}
