//! Iceberg tables: which data files the newest snapshot has, and what the table over them is. Kind: edge. Spec: ICV.
//!
//! Invariant: the rows of the new table are those of the snapshot, or nothing is committed: what Delta cannot say is refused by name.

mod avro;
mod columns;
mod manifest;
mod metadata;

use super::folder::Found;
use super::{Convert, Converted};
use crate::data::write::{footer_stats, log_path};
use crate::error::{Code, Error, Result};
use crate::features::{NewTable, TableState, new_table};
use crate::log::{Add, NullableMap};
use crate::schema::{DataType, Field, Scalar, Struct, can_widen};
use crate::storage::{failure, get_at_most};
use crate::table::Table;
use avro::Value;
use bytes::Bytes;
use columns::FileColumns;
use flate2::read::GzDecoder;
use futures::{StreamExt, TryStreamExt, stream};
use manifest::{DataFile, Manifest};
use metadata::{Metadata, PartitionField, id_of};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io::Read;
use std::sync::Arc;

/// The largest metadata file, list and manifest that is read.
const FILE_MAX: u64 = 256 << 20;
const FOLDER: &str = "metadata/";
const HINT: &str = "version-hint.text";

/// What stands in the way of a conversion, by name.
fn refused(what: &str, help: &str) -> Error {
    Error::new(Code::FEATURE_READ, format!("the Iceberg table has what a Delta table over its files cannot have: {what}"))
        .with("features", format!("iceberg {what}"))
        .help(help)
}

/// The number of a metadata file: `v3.metadata.json`, `00003-….metadata.json`, and both compressed.
fn number_of(name: &str) -> Option<u64> {
    let stem = name.strip_suffix(".metadata.json").or_else(|| name.strip_suffix(".metadata.json.gz"))?;
    let stem = stem.strip_suffix(".gz").unwrap_or(stem);
    let digits = stem.strip_prefix('v').unwrap_or_else(|| stem.split_once('-').map_or("", |(number, _)| number));
    digits.parse().ok()
}

/// The newest metadata file of an Iceberg table, relative to the folder; `None` when the folder holds none. One listing.
pub(super) async fn newest(table: &Table) -> Result<Option<String>> {
    let (root, prefix) = (table.root(), table.root().key(FOLDER.trim_end_matches('/')));
    let mut objects = root.store().list(Some(&prefix)).map_err(|e| failure(e, "listing the folder", prefix.as_ref()));
    let (mut newest, mut hinted): (Option<(u64, Vec<String>)>, bool) = (None, false);
    while let Some(object) = objects.try_next().await? {
        let Some(name) = object.location.as_ref().strip_prefix(prefix.as_ref()).map(|name| name.trim_start_matches('/')) else { continue };
        hinted |= name == HINT;
        let Some(number) = number_of(name).filter(|_| !name.contains('/')) else { continue };
        match &mut newest {
            Some((highest, names)) if *highest == number => names.push(name.to_owned()),
            Some((highest, _)) if *highest > number => {}
            _ => newest = Some((number, vec![name.to_owned()])),
        }
    }
    drop(objects);
    let hint = match hinted {
        true => {
            let text = read(table, &format!("{FOLDER}{HINT}")).await?;
            std::str::from_utf8(&text).ok().and_then(|text| text.trim().parse::<u64>().ok())
        }
        false => None,
    };
    match newest {
        Some((number, names)) if hint.is_none_or(|hint| hint <= number) => match names.as_slice() {
            [name] => Ok(Some(format!("{FOLDER}{name}"))),
            _ => Err(Error::new(Code::INPUT, "two metadata files of the Iceberg table claim to be the newest")
                .with("path", names.join(", "))
                .help("move those away that the table's catalog does not name")),
        },
        None if hint.is_none() => Ok(None),
        _ => Err(Error::new(Code::FILE, "the metadata file of the Iceberg table that its hint names is missing")
            .with("path", format!("{FOLDER}{HINT}"))
            .help("restore the file from a copy")),
    }
}

/// The bytes of a file that a log path names.
async fn read(table: &Table, path: &str) -> Result<Bytes> {
    let (store, key) = table.root().resolve(path)?;
    let found = get_at_most(&*store, &key, FILE_MAX).await?;
    found.ok_or_else(|| {
        Error::new(Code::FILE, "a file of the Iceberg table's metadata is missing").with("path", path).help("restore the file from a copy")
    })
}

/// The table that the newest snapshot becomes.
pub(super) async fn plan(asked: &Convert, newest: &str) -> Result<Converted> {
    let table = &asked.table;
    if !asked.partitions.fields.is_empty() {
        return Err(
            Error::new(Code::INPUT, "an Iceberg table says itself what its partition columns are").help("leave the partition schema out")
        );
    }
    let text = read(table, &log_path(newest)).await?;
    let text = if newest.ends_with(".gz") || newest.ends_with(".gz.metadata.json") { inflated(&text)? } else { text };
    let metadata = Metadata::parse(&text).map_err(|e| e.with("path", newest))?;
    let manifests = manifests(table, &metadata).await?;
    let (partitions, notes) = partitions(&metadata, &manifests)?;
    let files = files(table, &metadata, manifests).await?;
    let state = Arc::new(new_table(
        NewTable {
            schema: metadata.columns.clone(),
            partition_columns: partitions.iter().map(|column| column.name.clone()).collect(),
            properties: asked.properties.clone(),
            ids_of_files: Some(metadata.highest_id),
            ..NewTable::default()
        },
        table.env(),
    )?);
    let modified = metadata.snapshot.as_ref().map_or(0, |snapshot| snapshot.timestamp_ms.max(0));
    let (adds, narrower) = adds(asked, &metadata, &state, &partitions, files, modified).await?;
    let state = if narrower.is_empty() { state } else { widened(&state, &metadata, &narrower, asked, &partitions)? };
    Ok(Converted { state, adds, warnings: notes, format: "iceberg" })
}

fn inflated(text: &[u8]) -> Result<Bytes> {
    let mut out = Vec::new();
    let damaged = |e| {
        Error::new(Code::FILE, format!("the metadata of the Iceberg table cannot be unpacked: {e}")).help("restore the file from a copy")
    };
    GzDecoder::new(text).take(FILE_MAX + 1).read_to_end(&mut out).map_err(damaged)?;
    if out.len() as u64 > FILE_MAX {
        return Err(Error::new(Code::LIMIT, format!("the metadata of the Iceberg table has more than {FILE_MAX} bytes")));
    }
    Ok(out.into())
}

/// The path of the log for a path of the metadata: relative where it lies in the folder, as it does when the table was moved.
fn placed(table: &Table, metadata: &Metadata, path: &str) -> Result<String> {
    if let Some(inside) = path.strip_prefix(&metadata.location).and_then(|rest| rest.strip_prefix('/')) {
        return Ok(log_path(inside));
    }
    let escaped = match path.split_once("://") {
        Some((scheme, rest)) => format!("{scheme}://{}", log_path(rest)),
        None if path.starts_with('/') => log_path(path),
        None => return Err(Error::new(Code::PATH, "a path of the Iceberg table is not absolute").with("path", path)),
    };
    Ok(table.root().relative(&escaped)?.unwrap_or(escaped))
}

/// The manifests of the newest snapshot that may have live entries. `LB-FEATURE-READ` where it has files of deletes.
async fn manifests(table: &Table, metadata: &Metadata) -> Result<Vec<Manifest>> {
    let Some(snapshot) = &metadata.snapshot else { return Ok(Vec::new()) };
    let list = snapshot.manifest_list.as_deref();
    let list = list.ok_or_else(|| refused("snapshots without a manifest list", "write a new snapshot with a newer version of Iceberg"))?;
    let list = placed(table, metadata, list)?;
    let mut found = manifest::manifests(&read(table, &list).await?).map_err(|e| e.with("path", &list))?;
    found.iter_mut().try_for_each(|manifest| {
        manifest.path = placed(table, metadata, &manifest.path)?;
        Ok::<_, Error>(())
    })?;
    // Refused before any other manifest is read.
    found.sort_by_key(|manifest| !manifest.deletes);
    Ok(found)
}

/// The live data files of the manifests, in the order of their paths, each with the spec of its partition.
async fn files(table: &Table, metadata: &Metadata, manifests: Vec<Manifest>) -> Result<Vec<(DataFile, i64)>> {
    let reads = stream::iter(manifests).map(|manifest| async move {
        let found = manifest::data_files(&read(table, &manifest.path).await?).map_err(|e| e.with("manifest", &manifest.path))?;
        Ok::<_, Error>((found, manifest.spec))
    });
    // Few at once: each is held whole.
    let mut reads = reads.buffered(table.env().threads().clamp(1, 8));
    let (mut out, mut seen) = (Vec::new(), HashSet::new());
    while let Some((found, spec)) = reads.try_next().await? {
        for mut file in found {
            file.path = placed(table, metadata, &file.path)?;
            if !seen.insert(file.path.clone()) {
                return Err(Error::new(Code::FILE, "the Iceberg table names a data file twice").with("path", file.path));
            }
            out.push((file, spec));
        }
    }
    out.sort_by(|(a, _), (b, _)| a.path.cmp(&b.path));
    Ok(out)
}

/// The columns by whose values every manifest divides its files, and what of the partitioning is left behind: rows have all columns, so files
/// that are divided by anything else are found by their statistics.
fn partitions(metadata: &Metadata, manifests: &[Manifest]) -> Result<(Vec<Field>, Vec<String>)> {
    let ids: BTreeSet<i64> = manifests.iter().filter(|manifest| !manifest.deletes).map(|manifest| manifest.spec).collect();
    let specs = ids.iter().map(|id| metadata.spec(*id)).collect::<Result<Vec<_>>>()?;
    let identity = |field: &PartitionField| {
        let column = metadata.columns.fields.iter().find(|column| id_of(column) == Some(field.source_id))?;
        let is_plain = !matches!(column.data_type, DataType::Struct(_) | DataType::Array { .. } | DataType::Map { .. } | DataType::Binary);
        (field.transform == "identity" && is_plain).then_some(column)
    };
    let everywhere =
        |column: &Field| specs.iter().all(|spec| spec.iter().any(|field| identity(field).is_some_and(|known| known == column)));
    let mut columns: Vec<Field> = Vec::new();
    let mut left = BTreeSet::new();
    for field in specs.iter().flat_map(|spec| spec.iter()).filter(|field| field.transform != "void") {
        match identity(field) {
            Some(column) if everywhere(column) => {
                if !columns.contains(column) {
                    columns.push(column.clone());
                }
            }
            _ => {
                _ = left.insert(format!(
                    "partitioning by {} ({}) is not carried over: files are found by their statistics",
                    field.name, field.transform
                ))
            }
        }
    }
    Ok((columns, left.into_iter().collect()))
}

/// The partition values of a file.
fn partition_values(metadata: &Metadata, columns: &[Field], file: &DataFile, spec: i64) -> Result<NullableMap> {
    let fields = metadata.spec(spec)?;
    let mut out = NullableMap::new();
    for column in columns {
        let field = fields.iter().find(|field| Some(field.source_id) == id_of(column) && field.transform == "identity");
        let value = field.and_then(|field| file.partition.known_field(field.field_id?));
        let scalar = value.and_then(|value| scalar(value, &column.data_type)).ok_or_else(|| {
            Error::new(Code::FILE, format!("a partition value of the Iceberg table is no {}", column.data_type))
                .with("column", &column.name)
        })?;
        let text = scalar.to_partition_text()?;
        if text.is_none() && scalar != Scalar::Null {
            return Err(refused("partitions of the empty text", "Delta takes it for null: rewrite these rows in Iceberg first")
                .with("column", &column.name));
        }
        out.insert(column.name.clone(), text);
    }
    Ok(out)
}

fn scalar(value: &Value, data_type: &DataType) -> Option<Scalar> {
    Some(match (value, data_type) {
        (Value::Null, _) => Scalar::Null,
        (Value::Boolean(value), DataType::Boolean) => Scalar::Boolean(*value),
        (Value::Long(value), DataType::Integer) => Scalar::Integer(i32::try_from(*value).ok()?),
        (Value::Long(value), DataType::Long) => Scalar::Long(*value),
        (Value::Long(value), DataType::Date) => Scalar::Date(i32::try_from(*value).ok()?),
        (Value::Long(value), DataType::Timestamp) => Scalar::Timestamp(*value),
        (Value::Long(value), DataType::TimestampNtz) => Scalar::TimestampNtz(*value),
        (Value::Float(value), DataType::Float) => Scalar::Float(*value),
        (Value::Float(value), DataType::Double) => Scalar::Double(f64::from(*value)),
        (Value::Double(value), DataType::Double) => Scalar::Double(*value),
        (Value::String(value), DataType::String) => Scalar::String(value.clone()),
        (Value::Bytes(bytes), DataType::Decimal { precision, scale }) if (1..=16).contains(&bytes.len()) => {
            let negative = bytes[0] & 0x80 != 0;
            let mut whole = [if negative { 0xff } else { 0 }; 16];
            whole[16 - bytes.len()..].copy_from_slice(bytes);
            Scalar::Decimal { value: i128::from_be_bytes(whole), precision: *precision, scale: *scale }
        }
        _ => return None,
    })
}

/// The files of the table with their statistics, and the types of columns that are narrower in some of them.
async fn adds(
    asked: &Convert,
    metadata: &Metadata,
    state: &TableState,
    partitions: &[Field],
    files: Vec<(DataFile, i64)>,
    modified: i64,
) -> Result<(Vec<Add>, BTreeMap<i64, DataType>)> {
    let (chosen, prefix) = (state.stats_columns()?, state.stats_string_prefix()?);
    let mut found = Vec::with_capacity(files.len());
    let mut specs = Vec::with_capacity(files.len());
    for (file, spec) in files {
        let values = partition_values(metadata, partitions, &file, spec).map_err(|e| e.with("path", &file.path))?;
        found.push(Found::new(file.path, file.size, modified, values));
        specs.push(spec);
    }
    let mut specs = specs.into_iter();
    let mut narrower: BTreeMap<i64, DataType> = BTreeMap::new();
    let mut out = Vec::with_capacity(found.len());
    let mut footers = asked.footers(&found);
    while let Some((file, footer)) = footers.try_next().await? {
        let spec = metadata.spec(specs.next().unwrap_or_default())?;
        let own = FileColumns::of(&footer, &metadata.columns).map_err(|e| e.with("path", &file.path))?;
        // A file of another engine may leave the columns of its folders out.
        for field in
            spec.iter().filter(|field| field.transform == "identity" && !partitions.iter().any(|c| id_of(c) == Some(field.source_id)))
        {
            let column = metadata.columns.fields.iter().find(|column| id_of(column) == Some(field.source_id));
            if column.is_some_and(|column| own.columns.fields.iter().all(|known| known.name != column.name)) {
                return Err(
                    refused("partition values that data files lack", "rewrite the data files in Iceberg first").with("path", &file.path)
                );
            }
        }
        for (id, data_type) in own.narrower {
            let narrowest = narrower.entry(id).or_insert_with(|| data_type.clone());
            if can_widen(&data_type, narrowest) {
                *narrowest = data_type;
            }
        }
        let left_out: Vec<String> = partitions.iter().map(|column| column.name.clone()).chain(own.foreign).collect();
        let stats = asked.statistics.then(|| footer_stats(&own.columns, &left_out, &chosen, prefix, &footer));
        out.push(file.add(stats));
    }
    Ok((out, narrower))
}

/// The table whose history says that columns became wider.
fn widened(
    state: &TableState,
    metadata: &Metadata,
    narrower: &BTreeMap<i64, DataType>,
    asked: &Convert,
    partitions: &[Field],
) -> Result<Arc<TableState>> {
    let narrow = narrowed(&metadata.columns, narrower);
    let new = NewTable {
        schema: narrow,
        partition_columns: partitions.iter().map(|column| column.name.clone()).collect(),
        properties: asked.properties.clone(),
        ids_of_files: Some(metadata.highest_id),
        ..NewTable::default()
    };
    new_table(new, asked.table.env())?.widened(state.schema().clone(), asked.table.env())
}

/// The columns with the types that files have.
fn narrowed(columns: &Struct, narrower: &BTreeMap<i64, DataType>) -> Struct {
    let of = |field: &Field| {
        let data_type = match (id_of(field).and_then(|id| narrower.get(&id)), &field.data_type) {
            (Some(narrow), _) => narrow.clone(),
            (None, DataType::Struct(inner)) => DataType::Struct(narrowed(inner, narrower)),
            (None, other) => other.clone(),
        };
        Field { data_type, ..field.clone() }
    };
    Struct { fields: columns.fields.iter().map(of).collect() }
}

#[cfg(test)]
#[path = "iceberg_tests.rs"]
mod tests;
