use super::*;
use crate::data::write::stages;
use arrow::array::{
    BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int32Array, Int64Array, ListArray, StringArray, StructArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::Int64Type;
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::Arc;

fn schema(fields: Vec<(&str, DataType)>) -> Struct {
    Struct { fields: fields.into_iter().map(|(n, t)| Field::new(n, t, true)).collect() }
}

/// The statistics of a file of these batches, as text.
fn stats_text_of(table: &Struct, chosen: StatsColumns, batches: Vec<Vec<ArrayRef>>) -> String {
    let file_schema = stages::schema_of(stages::file_fields(table, &|_| None).unwrap());
    let plan = StatsPlan::new(table, table, &chosen, 32);
    let mut observer = plan.observer();
    let small_groups = WriterProperties::builder().set_max_row_group_row_count(Some(3)).set_statistics_truncate_length(Some(260)).build();
    let mut writer = ArrowWriter::try_new(Vec::new(), file_schema.clone(), Some(small_groups)).unwrap();
    for columns in batches {
        let batch = RecordBatch::try_new(file_schema.clone(), columns).unwrap();
        observer.watch(&batch);
        writer.write(&batch).unwrap();
    }
    plan.text(&writer.finish().unwrap(), &observer)
}

fn stats_of(table: &Struct, batches: Vec<Vec<ArrayRef>>) -> Value {
    serde_json::from_str(&stats_text_of(table, StatsColumns::First(32), batches)).unwrap()
}

fn one(t: DataType, array: ArrayRef) -> Value {
    stats_of(&schema(vec![("c", t)]), vec![vec![array]])
}

#[test]
fn bounds_and_null_counts_cover_all_row_groups() {
    // spec: STA-1, STA-2
    let t = schema(vec![("i", DataType::Integer), ("d", DataType::Date), ("b", DataType::Boolean)]);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int32Array::from(vec![Some(5), None, Some(-3), Some(8), None, None, None, Some(2)])),
        Arc::new(Date32Array::from(vec![None; 8])),
        Arc::new(BooleanArray::from(vec![Some(true); 8])),
    ];
    assert_eq!(
        stats_of(&t, vec![columns.clone(), columns]),
        json!({"numRecords": 16, "minValues": {"i": -3}, "maxValues": {"i": 8}, "nullCount": {"i": 8, "d": 16, "b": 0}})
    );
}

#[test]
fn a_column_of_nulls_has_no_bounds_and_an_all_null_struct_is_an_empty_object() {
    // spec: STA-2, STA-3
    let inner = schema(vec![("y", DataType::Long)]);
    let t = schema(vec![("st", DataType::Struct(inner)), ("only_flags", DataType::Struct(schema(vec![("f", DataType::Boolean)])))]);
    let fields = stages::file_fields(&t, &|_| None).unwrap();
    let columns: Vec<ArrayRef> = fields.iter().map(|f| arrow::array::new_null_array(f.data_type(), 2)).collect();
    assert_eq!(
        stats_of(&t, vec![columns]),
        json!({"numRecords": 2, "minValues": {"st": {}}, "maxValues": {"st": {}}, "nullCount": {"st": {"y": 2}, "only_flags": {"f": 2}}})
    );
}

#[test]
fn nested_fields_count_the_nulls_of_their_struct() {
    // spec: STA-3
    let t = schema(vec![("st", DataType::Struct(schema(vec![("y", DataType::Long), ("z", DataType::Double)])))]);
    let fields = stages::file_fields(&t, &|_| None).unwrap();
    let arrow::datatypes::DataType::Struct(children) = fields[0].data_type().clone() else { panic!() };
    let y: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), Some(999), None, Some(4)]));
    let z: ArrayRef = Arc::new(Float64Array::from(vec![Some(0.5), Some(1e9), Some(2.0), None]));
    let nulls = NullBuffer::from(vec![true, false, true, true]);
    let column: ArrayRef = Arc::new(StructArray::new(children, vec![y, z], Some(nulls)));
    assert_eq!(
        stats_of(&t, vec![vec![column]]),
        json!({"numRecords": 4, "minValues": {"st": {"y": 1, "z": 0.5}}, "maxValues": {"st": {"y": 4, "z": 2.0}}, "nullCount": {"st": {"y": 2, "z": 2}}})
    );
}

#[test]
fn lists_have_only_a_count_of_their_own_nulls() {
    // spec: STA-4
    let t = schema(vec![("l", DataType::Array { element: Box::new(DataType::Long), contains_null: true }), ("after", DataType::Long)]);
    let lists: ListArray = ListArray::from_iter_primitive::<Int64Type, _, _>(vec![Some(vec![Some(1), None]), None, Some(vec![])]);
    let arrow::datatypes::DataType::List(field) = stages::file_fields(&t, &|_| None).unwrap()[0].data_type().clone() else { panic!() };
    let (_, offsets, values, nulls) = lists.into_parts();
    let column: ArrayRef = Arc::new(ListArray::new(field, offsets, values, nulls));
    assert_eq!(
        stats_of(&t, vec![vec![column, Arc::new(Int64Array::from(vec![7, 8, 9]))]]),
        json!({"numRecords": 3, "minValues": {"after": 7}, "maxValues": {"after": 9}, "nullCount": {"l": 1, "after": 0}})
    );
}

#[test]
fn nan_is_above_every_number_and_alone_it_is_both_bounds() {
    // spec: STA-8
    let of = |values: Vec<Option<f64>>| one(DataType::Double, Arc::new(Float64Array::from(values)));
    let mixed = of(vec![Some(1.5), Some(f64::NAN), None, Some(f64::INFINITY)]);
    assert_eq!((&mixed["minValues"]["c"], &mixed["maxValues"]["c"]), (&json!(1.5), &json!("NaN")));
    let only = of(vec![Some(-f64::NAN), None]);
    assert_eq!((&only["minValues"]["c"], &only["maxValues"]["c"]), (&json!("NaN"), &json!("NaN")));
    let infinite = of(vec![Some(f64::NEG_INFINITY), Some(f64::INFINITY)]);
    assert_eq!((&infinite["minValues"]["c"], &infinite["maxValues"]["c"]), (&json!("-Infinity"), &json!("Infinity")));
}

#[test]
fn negative_zero_is_the_lower_and_zero_the_upper_bound() {
    // spec: STA-8
    let text = |values: Vec<f64>| {
        stats_text_of(&schema(vec![("c", DataType::Double)]), StatsColumns::First(32), vec![vec![Arc::new(Float64Array::from(values))]])
    };
    assert!(text(vec![0.0, -0.0]).contains(r#""minValues":{"c":-0.0},"maxValues":{"c":0.0}"#));
    assert!(text(vec![-0.0, -0.0]).contains(r#""minValues":{"c":-0.0},"maxValues":{"c":-0.0}"#));
}

#[test]
fn decimals_of_every_width_are_exact() {
    // spec: STA-5
    for (precision, value) in [(9u8, 999_999_999i128), (18, 10i128.pow(18) - 1), (19, 10i128.pow(19) - 1), (38, 10i128.pow(38) - 1)] {
        let array = Decimal128Array::from(vec![value, -value]).with_precision_and_scale(precision, 2).unwrap();
        let text = stats_text_of(
            &schema(vec![("c", DataType::Decimal { precision, scale: 2 })]),
            StatsColumns::First(32),
            vec![vec![Arc::new(array)]],
        );
        let nines = "9".repeat(usize::from(precision) - 2);
        assert!(text.contains(&format!(r#""minValues":{{"c":-{nines}.99}},"maxValues":{{"c":{nines}.99}}"#)), "{text}");
    }
}

#[test]
fn only_the_first_leaves_or_the_named_columns_are_collected() {
    // spec: STA-9
    let inner = schema(vec![("x", DataType::Long), ("y.z", DataType::Long)]);
    let t = schema(vec![("a", DataType::Long), ("s", DataType::Struct(inner)), ("b", DataType::Long)]);
    let counted = |chosen: StatsColumns| -> Value {
        let fields = stages::file_fields(&t, &|_| None).unwrap();
        let columns = fields.iter().map(|f| arrow::array::new_null_array(f.data_type(), 1)).collect();
        serde_json::from_str::<Value>(&stats_text_of(&t, chosen, vec![columns])).unwrap()["nullCount"].clone()
    };
    let first = StatsColumns::First;
    assert_eq!(counted(first(2)), json!({"a": 1, "s": {"x": 1}}));
    assert_eq!(counted(first(0)), Value::Null);
    assert_eq!(counted(StatsColumns::All), json!({"a": 1, "s": {"x": 1, "y.z": 1}, "b": 1}));
    let named = |paths: &[&[&str]]| StatsColumns::Named(paths.iter().map(|p| p.iter().map(|n| (*n).to_owned()).collect()).collect());
    assert_eq!(counted(named(&[&["B"], &["s", "y.z"]])), json!({"s": {"y.z": 1}, "b": 1}));
    assert_eq!(counted(named(&[&["s"]])), json!({"s": {"x": 1, "y.z": 1}}));
}

#[test]
fn by_default_thirty_two_leaves_are_collected() {
    // spec: STA-9
    let names: Vec<String> = (0..40).map(|i| format!("c{i}")).collect();
    let t = schema(names.iter().map(|n| (n.as_str(), DataType::Long)).collect());
    let columns = (0..40).map(|i| Arc::new(Int64Array::from(vec![i])) as ArrayRef).collect();
    let stats = stats_of(&t, vec![columns]);
    assert_eq!(stats["nullCount"].as_object().unwrap().len(), 32);
    assert_eq!(stats["maxValues"]["c31"], 31);
}

proptest! {
    #[test]
    fn statistics_equal_a_plain_walk_over_the_rows(
        longs in prop::collection::vec(prop::option::of(any::<i64>()), 1..20),
        floats in prop::collection::vec(prop::option::of(any::<f32>()), 20),
        micros in prop::collection::vec(prop::option::of(-10_000_000_000_000_000i64..10_000_000_000_000_000), 20),
        words in prop::collection::vec(prop::option::of("[a-b\u{7f}é😀\u{10ffff}]{0,70}"), 20),
    ) {
        // spec: STA-1, STA-2, STA-6, STA-7, STA-8
        let n = longs.len();
        let (floats, micros, words) = (&floats[..n], &micros[..n], &words[..n]);
        let t = schema(vec![("l", DataType::Long), ("f", DataType::Float), ("t", DataType::TimestampNtz), ("s", DataType::String)]);
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(longs.clone())),
            Arc::new(Float32Array::from(floats.to_vec())),
            Arc::new(TimestampMicrosecondArray::from(micros.to_vec())),
            Arc::new(StringArray::from(words.to_vec())),
        ];
        let stats = stats_of(&t, vec![columns]);
        let nulls = |count: usize| json!(n - count);
        prop_assert_eq!(&stats["nullCount"]["l"], &nulls(longs.iter().flatten().count()));
        prop_assert_eq!(&stats["nullCount"]["s"], &nulls(words.iter().flatten().count()));
        prop_assert_eq!(stats["minValues"]["l"].as_i64(), longs.iter().flatten().min().copied());
        prop_assert_eq!(stats["maxValues"]["l"].as_i64(), longs.iter().flatten().max().copied());
        let number = |v: &Value| match v.as_str() {
            Some("NaN") => Some(f32::NAN),
            Some("Infinity") => Some(f32::INFINITY),
            Some("-Infinity") => Some(f32::NEG_INFINITY),
            _ => v.to_string().parse().ok(),
        };
        let rank = |v: f32| if v.is_nan() { f32::NAN.abs() } else { v };
        let low = floats.iter().flatten().map(|v| rank(*v)).min_by(f32::total_cmp);
        let high = floats.iter().flatten().map(|v| rank(*v)).max_by(f32::total_cmp);
        prop_assert_eq!(number(&stats["minValues"]["f"]).map(f32::to_bits), low.map(f32::to_bits));
        prop_assert_eq!(number(&stats["maxValues"]["f"]).map(f32::to_bits), high.map(f32::to_bits));
        let time = |m: Option<i64>| m.map(|m| chrono::DateTime::from_timestamp_millis(m.div_euclid(1000)).unwrap().format("%Y-%m-%dT%H:%M:%S%.3f").to_string());
        prop_assert_eq!(stats["minValues"]["t"].as_str().map(str::to_owned), time(micros.iter().flatten().min().copied()));
        prop_assert_eq!(stats["maxValues"]["t"].as_str().map(str::to_owned), time(micros.iter().flatten().max().copied()));
        let least = words.iter().flatten().min().map(|s| s.chars().take(32).collect::<String>());
        prop_assert_eq!(stats["minValues"]["s"].as_str().map(str::to_owned), least);
        if let Some(greatest) = words.iter().flatten().max() {
            match stats["maxValues"]["s"].as_str() {
                Some(high) => prop_assert!(high >= greatest.as_str() && high.chars().count() <= 66),
                None => { let cut = greatest.contains(char::MAX); prop_assert!(cut) }
            }
        }
    }
}
