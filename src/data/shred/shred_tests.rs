use super::*;
use crate::data::variant::{json_text, unshredded};
use arrow::array::StringArray;
use chrono::{DateTime, NaiveDate};
use parquet_variant::{Variant, VariantBuilder, VariantDecimal4, VariantDecimal8, VariantDecimal16};
use parquet_variant_compute::VariantArrayBuilder;

fn variants(values: &[Variant<'_, '_>]) -> ArrayRef {
    let mut builder = VariantArrayBuilder::new(values.len());
    values.iter().for_each(|value| builder.append_variant(value.clone()));
    unshredded(&ArrayRef::from(builder.build())).unwrap()
}

fn json(texts: &[Option<&str>]) -> ArrayRef {
    crate::data::variant::parsed(&(Arc::new(StringArray::from(texts.to_vec())) as ArrayRef)).unwrap()
}

fn texts(array: &ArrayRef) -> Vec<Option<String>> {
    (0..array.len()).map(|row| json_text(array, row).unwrap()).collect()
}

fn shape(array: &ArrayRef) -> Shape {
    Shape::of(array, None, &mut Budget::default()).unwrap()
}

/// A value of every type, at the edges of what casts would bend.
fn of_every_type() -> Vec<Variant<'static, 'static>> {
    let day = NaiveDate::from_ymd_opt(1969, 7, 20).unwrap();
    let time = DateTime::from_timestamp_micros(-14_182_940_000_001).unwrap();
    vec![
        Variant::Null,
        Variant::BooleanTrue,
        Variant::BooleanFalse,
        Variant::Int8(1),
        Variant::Int16(-300),
        Variant::Int32(70_000),
        Variant::Int64(i64::MAX),
        Variant::Float(1.5),
        Variant::Double(1.0),
        Variant::Double(-0.75),
        VariantDecimal4::try_new(1250, 2).unwrap().into(),
        VariantDecimal4::try_new(5, 3).unwrap().into(),
        VariantDecimal8::try_new(123_456_789_012, 0).unwrap().into(),
        VariantDecimal16::try_new(10i128.pow(37), 1).unwrap().into(),
        Variant::Date(day),
        Variant::TimestampMicros(time),
        Variant::TimestampNtzMicros(time.naive_utc()),
        Variant::TimestampNanos(time),
        Variant::TimestampNtzNanos(time.naive_utc()),
        Variant::from("true"),
        Variant::from("1"),
        Variant::from("a text that is longer than the sixty-three bytes which a short string may have at most"),
        Variant::Binary(&[0, 255]),
    ]
}

// spec: VAR-5
#[test]
fn every_type_survives_the_typed_column_of_every_other() {
    let values = of_every_type();
    let all = variants(&values);
    let mut columns = 0;
    for (i, one) in values.iter().enumerate() {
        let shape = shape(&variants(&[one.clone(), Variant::Null]));
        let pieces = shape.apply(&all, None).unwrap();
        assert_eq!(pieces.data_type(), &ArrowType::Struct(shape.columns()), "shaped for {one:?}");
        let back = unshredded(&pieces).unwrap();
        assert_eq!(texts(&back), texts(&all), "shaped for {one:?}");
        // Same kind of value, too: text of a number is not the number.
        let kind = |array: &ArrayRef, row: usize| {
            let rows = Rows::new(array, None).unwrap();
            let (metadata, value) = rows.bytes(row).unwrap();
            Leaf::of(&parse(metadata, value).unwrap())
                .map(|leaf| std::mem::discriminant(&if let Leaf::Decimal(..) = leaf { Leaf::Long } else { leaf }))
        };
        (0..values.len()).for_each(|row| assert_eq!(kind(&back, row), kind(&all, row), "row {row} shaped for {one:?}"));
        if shape != Shape::Whole {
            columns += 1;
            let typed = pieces.as_struct().column_by_name("typed_value").unwrap();
            assert!(typed.is_valid(i), "{one:?} is in its own column");
        }
    }
    assert_eq!(columns, 20, "all but null and nanoseconds have columns");
}

// spec: VAR-5, VAR-6
#[test]
fn objects_are_kept_in_pieces_and_what_is_rare_stays_together() {
    let mut rows = vec![
        None,
        Some(r#"{"a":1,"b":"x","d":{"e":1.5,"f":[1,2]},"n":null}"#),
        Some(r#"{"a":-7,"b":"y","d":{"e":2.5,"g":{}},"z":true}"#),
        Some(r#"{"a":"text","b":null,"d":[1]}"#),
        Some("[1,null]"),
        Some("null"),
        Some("{}"),
        Some("17"),
    ];
    rows.extend([Some(r#"{"a":2,"b":"often","rare":"once"}"#); 1]);
    rows.extend([Some(r#"{"a":2,"b":"often"}"#); 40]);
    let all = json(&rows);
    // Of the first rows alone, all of which are objects.
    let some = json(&[rows[1], rows[2]]);
    let shape = shape(&some);
    let Shape::Object(fields) = &shape else { panic!("{shape:?}") };
    assert_eq!(fields.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["a", "b", "d", "n", "z"]);
    assert!(matches!(&fields[2].1, Shape::Object(inner) if inner.len() == 3), "{fields:?}");
    let pieces = shape.apply(&all, None).unwrap();
    assert_eq!(texts(&unshredded(&pieces).unwrap()), texts(&all));
    // Rows that disagree keep the column whole; rare fields have no columns.
    assert_eq!(super::Shape::of(&all, None, &mut Budget::default()).unwrap(), Shape::Whole);
    let objects = json(&rows.iter().copied().filter(|row| row.is_some_and(|text| text.starts_with("{\"a\":2"))).collect::<Vec<_>>());
    let expected = vec![("a".to_owned(), Shape::Leaf(Leaf::Long)), ("b".to_owned(), Shape::Leaf(Leaf::Text))];
    assert_eq!(super::Shape::of(&objects, None, &mut Budget::default()).unwrap(), Shape::Object(expected));
}

// spec: VAR-5
#[test]
fn rows_of_a_struct_that_is_null_are_not_looked_at() {
    let rows = json(&[Some(r#"{"a":1}"#), Some("not null below a null").map(|_| "\"text\""), Some(r#"{"a":2}"#)]);
    let parent = NullBuffer::from(vec![true, false, true]);
    let shape = Shape::of(&rows, Some(&parent), &mut Budget::default()).unwrap();
    assert!(matches!(&shape, Shape::Object(fields) if fields.len() == 1), "{shape:?}");
    let pieces = shape.apply(&rows, Some(&parent)).unwrap();
    assert!(pieces.as_struct().column_by_name("value").unwrap().is_null(1));
}

// spec: VAR-6
#[test]
fn columns_of_one_file_are_bounded_in_number_and_depth() {
    let mut builder = VariantBuilder::new();
    let mut object = builder.new_object();
    (0..2000).for_each(|i| object.insert(&format!("f{i:04}"), i));
    object.finish();
    let (metadata, value) = builder.finish();
    let wide = variants(&[Variant::new(&metadata, &value)]);
    let budget = &mut Budget::default();
    let shape = Shape::of(&wide, None, budget).unwrap();
    assert!((100..=300).contains(&shape.typed_columns()), "{}", shape.typed_columns());
    assert_eq!(texts(&unshredded(&shape.apply(&wide, None).unwrap()).unwrap()), texts(&wide));
    // The next column of the same file has none left.
    assert_eq!(Shape::of(&wide, None, budget).unwrap(), Shape::Whole);
    let deep = format!("{}1{}", r#"{"a":"#.repeat(80), "}".repeat(80));
    let deep = json(&[Some(&deep)]);
    let shape = Shape::of(&deep, None, &mut Budget::default()).unwrap();
    assert!((50..=110).contains(&shape.typed_columns()), "{}", shape.typed_columns());
    assert_eq!(texts(&unshredded(&shape.apply(&deep, None).unwrap()).unwrap()), texts(&deep));
}

// spec: VAR-3
#[test]
fn a_damaged_variant_is_told_instead_of_written() {
    let good = variants(&[Variant::Int64(1)]);
    let columns =
        vec![Arc::clone(good.as_struct().column(0)), Arc::new(arrow::array::BinaryArray::from_vec(vec![&[0x42, 9, 9]])) as ArrayRef];
    let bad: ArrayRef = Arc::new(StructArray::try_new(good.as_struct().fields().clone(), columns, None).unwrap());
    assert_eq!(Shape::Leaf(Leaf::Long).apply(&bad, None).unwrap_err().code(), Code::FILE);
}
