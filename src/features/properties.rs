//! Every table property that engines share: key, default, allowed values. Kind: shape. Spec: PRP.
//!
//! The list is closed: a `delta.` key that is not in it is a mistake of whoever sets it, and is kept when it is found in a table.

use super::TableFeature;
use super::spec::Support;
use super::versions::AskedVersions;
use crate::error::{Code, Error, Result};
use crate::log::StringMap;
use crate::schema::paths::column_list;

/// What values a property takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Boolean,
    /// A whole number from the first to the second.
    Number(i64, i64),
    /// A span of time: `interval 7 days`.
    Interval,
    /// Bytes: `134217728`, `128mb`.
    Size,
    /// One of these words, in any case.
    Words(&'static [&'static str]),
    /// Paths of columns: `a, b.c`.
    Columns,
    /// A version of the Parquet format: `1.0.0`.
    ParquetVersion,
    Text,
    /// Written by engines, never by users.
    Internal,
}

/// One known property.
#[derive(Debug)]
pub(super) struct Property {
    pub(super) key: &'static str,
    pub(super) default: Option<&'static str>,
    pub(super) kind: Kind,
}

const fn property(key: &'static str, default: &'static str, kind: Kind) -> Property {
    Property { key, default: Some(default), kind }
}
const fn optional(key: &'static str, kind: Kind) -> Property {
    Property { key, default: None, kind }
}

use Kind::{Boolean, Columns, Internal, Interval, Number, ParquetVersion, Size, Text, Words};

const MAX: i64 = i64::MAX;

pub(super) static ALL: &[Property] = &[
    property("delta.appendOnly", "false", Boolean),
    optional("delta.autoOptimize", Boolean),
    optional("delta.autoOptimize.autoCompact", Words(&["true", "false", "auto", "legacy"])),
    optional("delta.autoOptimize.optimizeWrite", Boolean),
    property("delta.castIcebergTimeType", "false", Boolean),
    property("delta.checkpoint.writeStatsAsJson", "true", Boolean),
    property("delta.checkpoint.writeStatsAsStruct", "true", Boolean),
    property("delta.checkpointInterval", "10", Number(1, MAX)),
    property("delta.checkpointPolicy", "classic", Words(&["classic", "v2"])),
    property("delta.checkpointRetentionDuration", "interval 2 days", Interval),
    property("delta.columnMapping.maxColumnId", "0", Internal),
    property("delta.columnMapping.mode", "none", Words(&["none", "id", "name"])),
    property("delta.compatibility.symlinkFormatManifest.enabled", "false", Boolean),
    optional("delta.coordinatedCommits.commitCoordinator-preview", Text),
    optional("delta.coordinatedCommits.commitCoordinatorConf-preview", Text),
    optional("delta.coordinatedCommits.tableConf-preview", Text),
    property("delta.dataSkippingNumIndexedCols", "32", Number(-1, MAX)),
    optional("delta.dataSkippingStatsColumns", Columns),
    property("delta.dataSkippingStringPrefixLength", "32", Number(0, MAX)),
    property("delta.deletedFileRetentionDuration", "interval 1 week", Interval),
    property("delta.dropFeatureTruncateHistory.retentionDuration", "interval 24 hours", Interval),
    property("delta.enableChangeDataFeed", "false", Boolean),
    property("delta.enableDeletionVectors", "false", Boolean),
    property("delta.enableExpiredLogCleanup", "true", Boolean),
    property("delta.enableFullRetentionRollback", "true", Boolean),
    optional("delta.enableIcebergCompatV1", Boolean),
    optional("delta.enableIcebergCompatV2", Boolean),
    optional("delta.enableIcebergCompatV3", Boolean),
    optional("delta.enableIcebergWriterCompatV1", Boolean),
    optional("delta.enableIcebergWriterCompatV3", Boolean),
    property("delta.enableInCommitTimestamps", "false", Boolean),
    optional("delta.enableMaterializePartitionColumnsFeature", Boolean),
    property("delta.enableRowTracking", "false", Boolean),
    property("delta.enableTypeWidening", "false", Boolean),
    property("delta.enableVariantShredding", "false", Boolean),
    property("delta.ignoreIcebergBucketPartition", "false", Boolean),
    optional("delta.inCommitTimestampEnablementTimestamp", Internal),
    optional("delta.inCommitTimestampEnablementVersion", Internal),
    property("delta.isolationLevel", "Serializable", Words(&["Serializable"])),
    optional("delta.lastCommitTimestamp", Internal),
    optional("delta.lastUpdateVersion", Internal),
    property("delta.logRetentionDuration", "interval 30 days", Interval),
    optional("delta.parquet.compression.codec", Words(&["uncompressed", "none", "snappy", "gzip", "lz4", "lz4_raw", "zstd"])),
    property("delta.parquet.format.version", "1.0.0", ParquetVersion),
    property("delta.randomPrefixLength", "2", Number(1, 32)),
    property("delta.randomizeFilePrefixes", "false", Boolean),
    optional("delta.redirectReaderWriter-preview", Text),
    optional("delta.redirectWriterOnly-preview", Text),
    property("delta.requireCheckpointProtectionBeforeVersion", "0", Number(0, MAX)),
    optional("delta.rowTracking.materializedRowCommitVersionColumnName", Internal),
    optional("delta.rowTracking.materializedRowIdColumnName", Internal),
    property("delta.rowTrackingSuspended", "false", Boolean),
    property("delta.sampleRetentionDuration", "interval 7 days", Interval),
    optional("delta.setTransactionRetentionDuration", Interval),
    optional("delta.targetFileSize", Size),
    optional("delta.tuneFileSizesForRewrites", Boolean),
    property("delta.universalFormat.enabledFormats", "", Text),
    property("delta.universalFormat.iceberg.atomicConversion.supported", "false", Boolean),
    property("delta.writePartitionColumnsToParquet", "true", Boolean),
];

/// Old spellings of a key.
const ALIASES: &[(&str, &str)] = &[("delta.enableChangeDataCapture", "delta.enableChangeDataFeed")];
/// Keys that begin so are free; the rest of the key is kept, in lower case for the first.
const FAMILIES: &[&str] = &["delta.constraints.", "delta.universalformat.config."];
/// Keys that ask for a protocol and are never stored.
const FEATURE: &str = "delta.feature.";
const MIN_READER: &str = "delta.minReaderVersion";
const MIN_WRITER: &str = "delta.minWriterVersion";
const IGNORE_DEFAULTS: &str = "delta.ignoreProtocolDefaults";

/// What a user's properties ask for.
#[derive(Debug, Default)]
pub(super) struct Requested {
    /// Properties to store, keys in their canonical spelling.
    pub(super) properties: StringMap,
    pub(super) features: Vec<TableFeature>,
    pub(super) versions: AskedVersions,
}

/// The known property of this key, in any case.
pub(super) fn find(key: &str) -> Option<&'static Property> {
    let key = ALIASES.iter().find(|(old, _)| old.eq_ignore_ascii_case(key)).map_or(key, |(_, new)| new);
    ALL.iter().find(|property| property.key.eq_ignore_ascii_case(key))
}

/// The key as it is stored; one that is not known stays as it is.
pub(crate) fn canonical_key(key: &str) -> String {
    match find(key) {
        Some(property) => property.key.to_owned(),
        None if has_prefix(key, FEATURE) => key.to_ascii_lowercase(),
        None => key.to_owned(),
    }
}

/// Whether only engines may set or drop the property.
pub(crate) fn is_internal(key: &str) -> bool {
    find(key).is_some_and(|property| property.kind == Internal)
}

/// Checks what a user sets. `LB-PROPERTY` for a key or value that no engine understands, `LB-FEATURE-WRITE` for an unknown feature.
pub(super) fn request(given: &StringMap) -> Result<Requested> {
    let mut requested = Requested::default();
    for (key, value) in given {
        if !has_prefix(key, "delta.") {
            requested.properties.insert(key.clone(), value.clone());
        } else if has_prefix(key, FEATURE) {
            requested.features.push(requested_feature(&key[FEATURE.len()..], value)?);
        } else if key.eq_ignore_ascii_case(MIN_READER) {
            requested.versions.reader = Some(version(key, value, 3)?);
        } else if key.eq_ignore_ascii_case(MIN_WRITER) {
            requested.versions.writer = Some(version(key, value, 7)?);
        } else if key.eq_ignore_ascii_case(IGNORE_DEFAULTS) {
            check(&optional(IGNORE_DEFAULTS, Boolean), value)?;
        } else if let Some(family) = FAMILIES.iter().find(|family| has_prefix(key, family)) {
            let name = &key[family.len()..];
            let name = if *family == FAMILIES[0] { name.to_lowercase() } else { name.to_owned() };
            requested.properties.insert(format!("{family}{name}"), value.clone());
        } else {
            let property = find(key).ok_or_else(|| unknown(key))?;
            if property.kind == Internal {
                return Err(Error::new(Code::PROPERTY, format!("`{}` is set by engines only", property.key)));
            }
            check(property, value)?;
            if requested.properties.insert(property.key.to_owned(), value.clone()).is_some() {
                return Err(Error::new(Code::PROPERTY, format!("`{}` is set twice, in different spellings", property.key)));
            }
        }
    }
    Ok(requested)
}

/// Refuses a value that the property does not take.
pub(super) fn check(property: &Property, value: &str) -> Result<()> {
    let (fits, wanted) = match property.kind {
        Boolean => (boolean(value).is_some(), "true or false".to_owned()),
        Number(min, max) => (value.trim().parse::<i64>().is_ok_and(|n| (min..=max).contains(&n)), whole_number(min, max)),
        Columns => (column_list(value).is_some(), "columns, such as ``a, b.c, `odd name` ``".to_owned()),
        ParquetVersion => (is_parquet_version(value), "a version of Parquet, 1 or 2, such as `1.0.0`".to_owned()),
        Interval => {
            (interval_ms(value).is_some(), "a span of weeks, days, hours, minutes or seconds, such as `interval 7 days`".to_owned())
        }
        Size => (size_bytes(value).is_some(), "a number of bytes, such as `134217728` or `128mb`".to_owned()),
        Words(words) => (words.iter().any(|word| word.eq_ignore_ascii_case(value.trim())), format!("one of {}", words.join(", "))),
        Text | Internal => (true, String::new()),
    };
    if fits { Ok(()) } else { Err(Error::new(Code::PROPERTY, format!("`{}` must be {wanted}, found `{value}`", property.key))) }
}

fn whole_number(min: i64, max: i64) -> String {
    if max == MAX { format!("a whole number, at least {min}") } else { format!("a whole number from {min} to {max}") }
}

fn is_parquet_version(value: &str) -> bool {
    let mut parts = value.trim().split('.');
    matches!(parts.next(), Some("1" | "2")) && parts.all(|part| part.parse::<u32>().is_ok())
}

pub(super) fn boolean(value: &str) -> Option<bool> {
    let value = value.trim();
    if value.eq_ignore_ascii_case("true") {
        Some(true)
    } else if value.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

/// Milliseconds of `interval 1 week 2 days`; months and years have no fixed length and are refused.
pub(super) fn interval_ms(text: &str) -> Option<i64> {
    let lower = text.trim().to_ascii_lowercase();
    let mut words = lower.strip_prefix("interval").unwrap_or(&lower).split_whitespace().peekable();
    words.peek()?;
    let mut micros = 0i64;
    while let Some(number) = words.next() {
        let number: i64 = number.parse().ok().filter(|n| *n >= 0)?;
        let unit = match words.next()?.trim_end_matches('s') {
            "week" => 604_800_000_000,
            "day" => 86_400_000_000,
            "hour" => 3_600_000_000,
            "minute" => 60_000_000,
            "second" => 1_000_000,
            "millisecond" => 1_000,
            "microsecond" => 1,
            _ => return None,
        };
        micros = micros.checked_add(number.checked_mul(unit)?)?;
    }
    Some(micros / 1000)
}

/// Bytes of `134217728`, `128mb`, `1g`.
pub(super) fn size_bytes(text: &str) -> Option<u64> {
    let lower = text.trim().to_ascii_lowercase();
    let at = lower.find(|c: char| !c.is_ascii_digit()).unwrap_or(lower.len());
    let (number, unit) = lower.split_at(at);
    let shift = match unit.trim().trim_end_matches('b') {
        "" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        "t" => 40,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(1 << shift).filter(|bytes| *bytes > 0)
}

fn has_prefix(key: &str, prefix: &str) -> bool {
    key.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// The feature of this name, in any case. `LB-FEATURE-WRITE` when this build does not know it.
pub(super) fn feature_named(name: &str) -> Result<TableFeature> {
    TableFeature::named_in_any_case(name).ok_or_else(|| unknown_feature(name))
}

/// The feature that a user wants to add, by its name in any case. `LB-FEATURE-WRITE` when this build does not carry it out.
pub(crate) fn feature_to_add(name: &str) -> Result<TableFeature> {
    let feature = feature_named(name)?;
    match feature.spec().support {
        Support::Full => Ok(feature),
        Support::Recognised => {
            let what = "this build recognises the table feature that is asked for, and does not carry it out: nothing was changed";
            Err(Error::new(Code::FEATURE_WRITE, what)
                .with("features", feature.spec().name)
                .help("add it with an engine that does; every writer that does not know it is shut out for good"))
        }
    }
}

fn unknown_feature(name: &str) -> Error {
    Error::new(Code::FEATURE_WRITE, "this build does not know the table feature that is asked for").with("features", name)
}

fn requested_feature(name: &str, value: &str) -> Result<TableFeature> {
    if !["supported", "enabled"].iter().any(|word| word.eq_ignore_ascii_case(value.trim())) {
        return Err(Error::new(Code::PROPERTY, format!("`{FEATURE}{name}` must be `supported`, found `{value}`")));
    }
    feature_to_add(name)
}

fn version(key: &str, value: &str, max: i32) -> Result<i32> {
    let number = value.trim().parse::<i32>().ok().filter(|n| (1..=max).contains(n));
    number.ok_or_else(|| Error::new(Code::PROPERTY, format!("`{key}` must be a number from 1 to {max}, found `{value}`")))
}

fn unknown(key: &str) -> Error {
    let error = Error::new(Code::PROPERTY, format!("no engine knows the table property `{key}`"));
    let lower = key.to_ascii_lowercase();
    let near = ALL.iter().filter(|property| property.kind != Internal).map(|property| {
        let candidate = property.key.to_ascii_lowercase();
        (distance(lower.as_bytes(), candidate.as_bytes()), property.key)
    });
    match near.min() {
        Some((steps, name)) if steps <= lower.len().min(name.len()) / 4 => error.help(format!("did you mean `{name}`?")),
        _ => error.help("own properties need a key that does not begin with `delta.`"),
    }
}

/// How many bytes must be inserted, deleted or replaced to make one of the other.
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
#[path = "properties_tests.rs"]
mod tests;
