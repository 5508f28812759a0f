//! What manifest lists and manifests say. Kind: pure. Spec: ICV.
//!
//! Numbers are the field ids of Iceberg's specification.

use super::avro::{Value, damaged, records};
use super::refused;
use crate::error::{Code, Error, Result};

/// A manifest of a snapshot.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Manifest {
    pub path: String,
    pub spec: i64,
    pub deletes: bool,
}

/// A data file that is in the table.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct DataFile {
    pub path: String,
    pub size: u64,
    /// By the ids of partition fields.
    pub partition: Value,
}

/// The manifests that have live entries, as far as the list says it.
pub(super) fn manifests(list: &[u8]) -> Result<Vec<Manifest>> {
    let mut out = Vec::new();
    records(list, |entry| {
        let path = entry.field(500).text().ok_or_else(|| damaged("a manifest has no path"))?.to_owned();
        let (added, existing) = (entry.field(504).long(), entry.field(505).long());
        if added != Some(0) || existing != Some(0) {
            let deletes = entry.field(517).long().unwrap_or(0) != 0;
            out.push(Manifest { path, spec: entry.field(502).long().unwrap_or(0), deletes });
        }
        Ok(())
    })?;
    Ok(out)
}

/// The data files of a manifest that are not deleted. `LB-FEATURE-READ` for a file of deletes, and for one that is not Parquet.
pub(super) fn data_files(manifest: &[u8]) -> Result<Vec<DataFile>> {
    let mut out = Vec::new();
    records(manifest, |entry| {
        match entry.field(0).long() {
            Some(0 | 1) => {}
            Some(2) => return Ok(()),
            _ => return Err(damaged("an entry has no status")),
        }
        let file = entry.field(2);
        let path = file.field(100).text().ok_or_else(|| damaged("a file has no path"))?;
        let format = file.field(101).text().unwrap_or_default().to_uppercase();
        let deletes = match file.field(134).long().unwrap_or(0) {
            0 => None,
            1 if format == "PUFFIN" => Some("deletion vectors"),
            1 => Some("position deletes"),
            2 => Some("equality deletes"),
            _ => return Err(damaged("a file has no known content")),
        };
        if let Some(deletes) = deletes {
            return Err(refused(deletes, "compact the table in Iceberg first, so that its data files hold all rows and no other ones")
                .with("path", path));
        }
        if format != "PARQUET" {
            return Err(refused(&format!("{format} files"), "rewrite the data files as Parquet in Iceberg first").with("path", path));
        }
        let size = file.field(104).long().and_then(|size| u64::try_from(size).ok()).ok_or_else(|| damaged("a file has no size"))?;
        out.push(DataFile { path: path.to_owned(), size, partition: file.field(102).clone() });
        Ok(())
    })
    .map_err(|e: Error| if e.code() == Code::FILE { e.with("entries", "manifest") } else { e })?;
    Ok(out)
}
