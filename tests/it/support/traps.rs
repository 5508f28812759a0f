//! Tables whose statistics, as loosely as the format allows, are traps for skipping.
//!
//! Bounds are cut short or widened, null counts and whole statistics are missing, zeros have the wrong sign, NaN is left out or not,
//! times are cut to milliseconds either way, vectors make bounds loose, columns have other names and narrower types in files, and
//! partition values are odd text. All of it is legal: a reader that concludes more than it may loses rows.

use super::random::Random;
use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, StructArray, make_comparator};
use arrow::compute::SortOptions;
use arrow::datatypes::{DataType as ArrowType, Field, Fields, Schema};
use lakebed::{DataType, Scalar};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use serde_json::{Map, Value, json};
use std::cmp::Ordering;
use std::path::Path;
use std::sync::Arc;

/// Columns of files: name, type in the table.
fn columns() -> Vec<(&'static str, DataType)> {
    use DataType::*;
    vec![
        ("i", Integer),
        ("l", Long),
        ("f", Float),
        ("d", Double),
        ("s", String),
        ("x", Decimal { precision: 12, scale: 4 }),
        ("at", Timestamp),
        ("n", TimestampNtz),
        ("day", Date),
        ("b", Boolean),
        ("y", Binary),
        ("k", Integer),
        ("t", String),
    ]
}

/// `k` and `t` are the fields of the struct `o`.
const NESTED: [&str; 2] = ["k", "t"];

/// What a file may hold instead of the table's type.
fn narrower(random: &mut Random, data_type: &DataType) -> DataType {
    match data_type {
        DataType::Integer => DataType::Short,
        DataType::Long => DataType::Integer,
        DataType::Double => random.pick(&[DataType::Float, DataType::Integer]),
        DataType::TimestampNtz => DataType::Date,
        DataType::Decimal { .. } => DataType::Decimal { precision: 7, scale: 2 },
        other => other.clone(),
    }
}

fn value(random: &mut Random, data_type: &DataType) -> Scalar {
    if random.below(6) == 0 {
        return Scalar::Null;
    }
    match data_type {
        DataType::Short => Scalar::Short(random.pick(&[-300, -1, 0, 1, 7, i16::MAX])),
        DataType::Integer => Scalar::Integer(random.pick(&[-40_000, -1, 0, 1, 7, 100_000, i32::MAX])),
        DataType::Long => Scalar::Long(random.pick(&[i64::MIN, -1, 0, 1, 1 << 53, (1 << 53) + 1, i64::MAX])),
        DataType::Float => Scalar::Float(random.pick(&[-1.5, -0.0, 0.0, 0.1, f32::NAN, f32::INFINITY, f32::MAX])),
        DataType::Double => Scalar::Double(random.pick(&[-1.5, -0.0, 0.0, 0.1, f64::NAN, f64::NEG_INFINITY, 1e300])),
        DataType::String => {
            let texts = [
                "",
                "a",
                "abcde",
                "abcdf",
                "abcd\u{10ffff}",
                "abcd\u{10ffff}\u{10ffff}z",
                "\u{ffff}xxxx",
                "😀😀😀😀😀",
                "é",
                "zzzzzzz",
                "%_\\",
            ];
            Scalar::String(random.pick(&texts).to_owned())
        }
        DataType::Decimal { precision, scale } => {
            let unit = 10i128.pow(u32::from(*scale));
            let value = random.pick(&[-99_999 * unit, -unit, -1, 0, 1, unit / 2, unit, 99_999 * unit]);
            Scalar::Decimal { value, precision: *precision, scale: *scale }
        }
        DataType::Timestamp => Scalar::Timestamp(time(random)),
        DataType::TimestampNtz => Scalar::TimestampNtz(time(random)),
        DataType::Date => Scalar::Date(random.pick(&[-719_162, -1, 0, 1, 19_782, 2_932_896])),
        DataType::Boolean => Scalar::Boolean(random.below(2) == 0),
        _ => Scalar::Binary(random.pick(&[&[][..], &[0], &[0x7f], &[0x80], &[0xff, 0]]).to_vec()),
    }
}

fn time(random: &mut Random) -> i64 {
    random.pick(&[-62_135_596_800_000_000, -1, -999, -1_001, 0, 1, 999, 1_000, 1_001, 1_577_836_800_000_999, 253_402_300_799_999_999])
}

fn array(values: &[Scalar], data_type: &DataType) -> ArrayRef {
    let ones: Vec<ArrayRef> = values.iter().map(|v| v.to_array(data_type, 1).unwrap()).collect();
    arrow::compute::concat(&ones.iter().map(|a| a.as_ref()).collect::<Vec<_>>()).unwrap()
}

/// One bound as a careless but legal writer puts it; `None` leaves it out.
fn bound(random: &mut Random, value: &Scalar, greatest: bool) -> Option<Value> {
    let sloppy = random.below(3) == 0;
    Some(match value {
        Scalar::Short(v) => json!(v),
        Scalar::Integer(v) => json!(v),
        Scalar::Long(v) => json!(v),
        Scalar::Float(v) if !v.is_finite() => json!(if *v > 0.0 { "Infinity" } else { "-Infinity" }),
        Scalar::Double(v) if !v.is_finite() => json!(if *v > 0.0 { "Infinity" } else { "-Infinity" }),
        Scalar::Float(v) if *v == 0.0 => json!(if sloppy { -0.0 } else { 0.0 }),
        Scalar::Double(v) if *v == 0.0 => json!(if sloppy { -0.0 } else { 0.0 }),
        Scalar::Float(v) => serde_json::from_str(&format!("{v:?}")).unwrap(),
        Scalar::Double(v) => json!(v),
        // Only whole code points may be cut, and only if the greatest can be raised.
        Scalar::String(v) if v.chars().count() > 4 && sloppy => {
            let cut: String = v.chars().take(4).collect();
            json!(if greatest { cut + "\u{10ffff}\u{10ffff}\u{10ffff}" } else { cut })
        }
        Scalar::String(v) => json!(v),
        Scalar::Decimal { value, scale, .. } => {
            let unit = 10i128.pow(u32::from(*scale));
            let sign = if *value < 0 { "-" } else { "" };
            let (whole, fraction) = (value.abs() / unit, value.abs() % unit);
            let text = format!("{sign}{whole}.{fraction:0width$}", width = usize::from(*scale));
            serde_json::from_str(&text).unwrap()
        }
        Scalar::Timestamp(v) => json!(format!("{}Z", cut(*v, sloppy))),
        Scalar::TimestampNtz(v) => json!(cut(*v, sloppy)),
        Scalar::Date(v) => {
            let day = chrono::NaiveDate::from_num_days_from_ce_opt(v + 719_163).unwrap();
            json!(day.format("%Y-%m-%d").to_string())
        }
        _ => return None,
    })
}

/// A time cut to milliseconds: downwards, or towards 1970.
fn cut(micros: i64, towards_zero: bool) -> String {
    let millis = if towards_zero { micros / 1000 } else { micros.div_euclid(1000) };
    chrono::DateTime::from_timestamp_millis(millis).unwrap().format("%Y-%m-%dT%H:%M:%S%.3f").to_string()
}

fn order(a: &Scalar, b: &Scalar, data_type: &DataType) -> Ordering {
    let [a, b] = [a, b].map(|value| value.to_array(data_type, 1).unwrap());
    make_comparator(&a, &b, SortOptions::default()).unwrap()(0, 0)
}

/// The statistics of one column: least, greatest, nulls.
fn column_stats(random: &mut Random, values: &[Scalar], data_type: &DataType) -> [Option<Value>; 3] {
    let nan = |v: &Scalar| matches!(v, Scalar::Double(d) if d.is_nan()) || matches!(v, Scalar::Float(d) if d.is_nan());
    let seen = || values.iter().filter(|v| **v != Scalar::Null && !nan(v));
    let least = seen().min_by(|a, b| order(a, b, data_type));
    let most = seen().max_by(|a, b| order(a, b, data_type));
    let mut low = least.filter(|_| random.below(8) > 0).and_then(|v| bound(random, v, false));
    let mut high = most.filter(|_| random.below(8) > 0).and_then(|v| bound(random, v, true));
    if values.iter().any(nan) && random.below(3) == 0 {
        high = Some(json!("NaN"));
    }
    if seen().next().is_none() && values.iter().any(nan) && random.below(2) == 0 {
        low = Some(json!("NaN"));
    }
    let nulls = values.iter().filter(|v| **v == Scalar::Null).count();
    [low, high, (random.below(8) > 0).then(|| json!(nulls))]
}

fn z85(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 85] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";
    let mut text = String::new();
    for chunk in bytes.chunks(4) {
        let mut padded = [0u8; 4];
        padded[..chunk.len()].copy_from_slice(chunk);
        let value = u32::from_be_bytes(padded) as usize;
        text.extend([4u32, 3, 2, 1, 0].map(|power| char::from(ALPHABET[value / 85usize.pow(power) % 85])));
    }
    text
}

fn vector(rows: &roaring::RoaringTreemap) -> Value {
    let mut bytes = 1_681_511_377u32.to_le_bytes().to_vec();
    rows.serialize_into(&mut bytes).unwrap();
    json!({"storageType": "i", "pathOrInlineDv": z85(&bytes), "sizeInBytes": bytes.len(), "cardinality": rows.len()})
}

/// Writes a table of a few files at version 0.
pub fn table(folder: &Path, random: &mut Random) {
    let mapped = random.below(2) == 0;
    let physical = |name: &str| if mapped { format!("col-{name}") } else { name.to_owned() };
    let mut id = 0;
    let mut field = |name: &str, data_type: Value| {
        id += 1;
        let metadata = json!({"delta.columnMapping.id": id, "delta.columnMapping.physicalName": physical(name)});
        json!({"name": name, "type": data_type, "nullable": true, "metadata": if mapped { metadata } else { json!({}) }})
    };
    let mut fields = Vec::new();
    let mut nested = Vec::new();
    for (name, data_type) in columns() {
        let fields = if NESTED.contains(&name) { &mut nested } else { &mut fields };
        let text = match data_type {
            DataType::Integer => "integer".to_owned(),
            DataType::Long => "long".to_owned(),
            other => other.to_string(),
        };
        fields.push(field(name, json!(text)));
    }
    fields.push(field("o", json!({"type": "struct", "fields": nested})));
    for (name, data_type) in [("p", "string"), ("q", "timestamp"), ("r", "double")] {
        fields.push(field(name, json!(data_type)));
    }
    let schema = json!({"type": "struct", "fields": fields}).to_string();
    let mode = if mapped { "name" } else { "none" };
    let features = ["columnMapping", "deletionVectors", "timestampNtz"];
    let mut lines = vec![
        json!({"protocol": {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": features, "writerFeatures": features}}),
        json!({"metaData": {"id": "traps", "format": {"provider": "parquet", "options": {}}, "schemaString": schema, "partitionColumns": ["p", "q", "r"],
            "configuration": {"delta.columnMapping.mode": mode, "delta.columnMapping.maxColumnId": "99", "delta.checkpoint.writeStatsAsStruct": "true"}}}),
    ];
    for file in 0..3 + random.below(5) {
        lines.push(add(folder, random, &physical, file));
    }
    let log = folder.join("_delta_log");
    std::fs::create_dir_all(&log).unwrap();
    let body: String = lines.iter().map(|line| format!("{line}\n")).collect();
    std::fs::write(log.join("00000000000000000000.json"), body).unwrap();
}

/// Writes one data file and gives its action.
fn add(folder: &Path, random: &mut Random, physical: &dyn Fn(&str) -> String, file: u64) -> Value {
    let rows = 1 + random.below(40) as usize;
    // Most files hold few different values, so that bounds are narrow enough to rule them out.
    let variety = random.pick(&[1, 2, 40]);
    let (mut arrays, mut inner) = (Vec::new(), Vec::new());
    let stats: [Value; 3] = [json!({}), json!({}), json!({})];
    let [mut lows, mut highs, mut nulls] = stats;
    for (name, data_type) in columns() {
        let narrow = random.below(3) == 0;
        let data_type = if narrow { narrower(random, &data_type) } else { data_type };
        let missing = random.below(12) == 0;
        let pool: Vec<Scalar> = (0..variety).map(|_| value(random, &data_type)).collect();
        let values: Vec<Scalar> = (0..rows).map(|_| if missing { Scalar::Null } else { random.pick(&pool) }).collect();
        let found = column_stats(random, &values, &data_type);
        for (into, found) in [&mut lows, &mut highs, &mut nulls].into_iter().zip(found) {
            let Some(found) = found else { continue };
            let name = physical(name);
            if NESTED.iter().any(|nested| physical(nested) == name) { into[physical("o")][name] = found } else { into[name] = found }
        }
        if missing {
            continue;
        }
        let values = array(&values, &data_type);
        let field = Arc::new(Field::new(physical(name), values.data_type().clone(), true));
        if NESTED.contains(&name) { inner.push((field, values)) } else { arrays.push((field, values)) }
    }
    if !inner.is_empty() {
        let (fields, children): (Vec<_>, Vec<_>) = inner.into_iter().unzip();
        let whole = StructArray::new(Fields::from(fields), children, None);
        arrays.push((Arc::new(Field::new(physical("o"), ArrowType::Struct(whole.fields().clone()), true)), Arc::new(whole)));
    }
    if random.below(2) == 0 {
        arrays.reverse();
    }
    let (fields, arrays): (Vec<_>, Vec<_>) = arrays.into_iter().unzip();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    let batch = RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options).unwrap();
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(random.pick(&[5, 16, 1000])))
        .set_data_page_row_count_limit(3)
        .set_write_batch_size(3)
        .set_dictionary_enabled(random.below(2) == 0)
        .set_bloom_filter_enabled(random.below(2) == 0)
        .set_statistics_enabled(random.pick(&[EnabledStatistics::None, EnabledStatistics::Chunk, EnabledStatistics::Page]))
        .set_statistics_truncate_length(random.pick(&[None, Some(2)]))
        .set_column_index_truncate_length(random.pick(&[None, Some(2)]))
        .build();
    let path = format!("part-{file}.parquet");
    let mut writer = ArrowWriter::try_new(std::fs::File::create(folder.join(&path)).unwrap(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();

    let mut stats = Map::new();
    stats.insert("numRecords".into(), json!(rows));
    for (name, found) in [("minValues", lows), ("maxValues", highs), ("nullCount", nulls)] {
        if random.below(10) > 0 {
            stats.insert(name.into(), found);
        }
    }
    let mut add =
        json!({"path": path, "size": std::fs::metadata(folder.join(&path)).unwrap().len(), "modificationTime": 0, "dataChange": true});
    let deleted: roaring::RoaringTreemap = (0..rows as u64).filter(|_| random.below(4) == 0).collect();
    if random.below(3) == 0 && !deleted.is_empty() {
        add["deletionVector"] = vector(&deleted);
        stats.insert("tightBounds".into(), json!(false));
    } else if random.below(3) == 0 {
        stats.insert("tightBounds".into(), json!(true));
    }
    let stats = Value::Object(stats).to_string();
    match random.below(8) {
        0 if add["deletionVector"].is_null() => {}
        1 if add["deletionVector"].is_null() => add["stats"] = json!(""),
        _ => add["stats"] = json!(stats),
    }
    let text = |random: &mut Random, of: &[&str]| match random.below(6) {
        0 => Value::Null,
        _ => json!(random.pick(of)),
    };
    let p = text(random, &["a b", "", "é/%", "x=y", "__HIVE_DEFAULT_PARTITION__", "null", "A", "😀"]);
    let q = text(random, &["2020-01-01 00:00:00", "1969-12-31T23:59:59.999999Z", "0001-01-01 00:00:00.5", "1970-01-01T01:00:00+01:00"]);
    let r = text(random, &["1.5", "-0.0", "0.0", "NaN", "Infinity", "1.0E10", "1e-3"]);
    add["partitionValues"] = json!({physical("p"): p, physical("q"): q, physical("r"): r});
    json!({"add": add})
}
