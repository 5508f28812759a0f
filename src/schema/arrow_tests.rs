use super::*;

fn all_types() -> Struct {
    let leaf = |name: &str, data_type| Field::new(name, data_type, true);
    Struct {
        fields: vec![
            Field::new("required", DataType::Long, false),
            leaf("string", DataType::String),
            leaf("integer", DataType::Integer),
            leaf("short", DataType::Short),
            leaf("byte", DataType::Byte),
            leaf("float", DataType::Float),
            leaf("double", DataType::Double),
            leaf("decimal", DataType::Decimal { precision: 38, scale: 10 }),
            leaf("boolean", DataType::Boolean),
            leaf("binary", DataType::Binary),
            leaf("date", DataType::Date),
            leaf("timestamp", DataType::Timestamp),
            leaf("ntz", DataType::TimestampNtz),
            leaf("void", DataType::Void),
            leaf("variant", DataType::Variant),
            leaf("array", DataType::Array { element: Box::new(DataType::Variant), contains_null: false }),
            leaf(
                "map",
                DataType::Map {
                    key: Box::new(DataType::String),
                    value: Box::new(DataType::Struct(Struct { fields: vec![leaf("a", DataType::Variant)] })),
                    value_contains_null: true,
                },
            ),
        ],
    }
}

// spec: SCH-7
#[test]
fn every_type_round_trips_through_arrow() {
    let schema = all_types();
    assert_eq!(Struct::from_arrow(&schema.to_arrow().expect("an Arrow schema")).expect("a schema"), schema);
}

// spec: SCH-7
#[test]
fn timestamps_are_micros_and_nested_names_are_fixed() {
    let arrow = all_types().to_arrow().expect("an Arrow schema");
    let of = |name: &str| arrow.field_with_name(name).expect("the field").data_type().clone();
    assert_eq!(of("timestamp"), ArrowType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())));
    assert_eq!(of("ntz"), ArrowType::Timestamp(TimeUnit::Microsecond, None));
    let ArrowType::List(element) = of("array") else { panic!("a list") };
    assert_eq!((element.name().as_str(), element.extension_type_name()), ("element", Some(VARIANT_NAME)));
    let ArrowType::Map(entries, false) = of("map") else { panic!("a map") };
    assert_eq!(entries.name(), "key_value");
}

// spec: SCH-8
#[test]
fn foreign_encodings_of_a_type_are_accepted() {
    let dictionary = ArrowType::Dictionary(Box::new(ArrowType::Int32), Box::new(ArrowType::LargeUtf8));
    for (arrow, delta) in [
        (ArrowType::LargeUtf8, DataType::String),
        (ArrowType::Utf8View, DataType::String),
        (dictionary, DataType::String),
        (ArrowType::BinaryView, DataType::Binary),
        (ArrowType::FixedSizeBinary(16), DataType::Binary),
        (ArrowType::UInt32, DataType::Long),
        (ArrowType::UInt64, DataType::Decimal { precision: 20, scale: 0 }),
        (ArrowType::Decimal256(38, 2), DataType::Decimal { precision: 38, scale: 2 }),
        (ArrowType::Timestamp(TimeUnit::Nanosecond, Some("+01:00".into())), DataType::Timestamp),
        (ArrowType::Timestamp(TimeUnit::Second, None), DataType::TimestampNtz),
        (
            ArrowType::LargeList(Arc::new(ArrowField::new("item", ArrowType::Int8, false))),
            DataType::Array { element: Box::new(DataType::Byte), contains_null: false },
        ),
    ] {
        let schema = ArrowSchema::new(vec![ArrowField::new("c", arrow, true)]);
        assert_eq!(Struct::from_arrow(&schema).expect("a schema").fields[0].data_type, delta);
    }
}

// spec: SCH-8
#[test]
fn a_type_without_an_equal_is_refused_with_its_path() {
    for arrow in [
        ArrowType::Duration(TimeUnit::Second),
        ArrowType::Time64(TimeUnit::Microsecond),
        ArrowType::Decimal256(76, 2),
        ArrowType::Decimal128(10, -2),
    ] {
        let inner = ArrowField::new("inner", arrow, true);
        let schema = ArrowSchema::new(vec![ArrowField::new("s", ArrowType::Struct(vec![inner].into()), true)]);
        let e = Struct::from_arrow(&schema).expect_err("no equal");
        assert_eq!((e.code(), e.context()), (Code::SCHEMA, [("column", "s.inner".to_owned())].as_slice()));
    }
}

// spec: SCH-4
#[test]
fn an_unknown_type_has_no_arrow_form() {
    let unknown = DataType::Unknown(Box::new(serde_json::Value::String("interval day".into())));
    let e = Struct { fields: vec![Field::new("c", unknown, true)] }.to_arrow().expect_err("unknown");
    assert_eq!((e.code(), e.context()), (Code::SCHEMA, [("column", "c".to_owned())].as_slice()));
}
