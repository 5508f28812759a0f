use super::*;
use arrow::array::DictionaryArray;

// spec: PV-12
#[test]
fn a_value_repeated_into_an_array_is_found_in_every_row() {
    for (value, data_type) in [
        (Scalar::String("é".into()), DataType::String),
        (Scalar::Long(-5), DataType::Long),
        (Scalar::Integer(5), DataType::Integer),
        (Scalar::Short(5), DataType::Short),
        (Scalar::Byte(5), DataType::Byte),
        (Scalar::Float(1.5), DataType::Float),
        (Scalar::Double(1.5), DataType::Double),
        (Scalar::Boolean(true), DataType::Boolean),
        (Scalar::Boolean(false), DataType::Boolean),
        (Scalar::Binary(vec![0, 255]), DataType::Binary),
        (Scalar::Date(-1), DataType::Date),
        (Scalar::Timestamp(1), DataType::Timestamp),
        (Scalar::TimestampNtz(1), DataType::TimestampNtz),
        (Scalar::Decimal { value: 125, precision: 5, scale: 2 }, DataType::Decimal { precision: 5, scale: 2 }),
        (Scalar::Null, DataType::Array { element: Box::new(DataType::Long), contains_null: true }),
    ] {
        let array = value.to_array(&data_type, 3).expect("an array");
        assert_eq!((array.len(), array.data_type()), (3, &data_type.to_arrow().expect("a type")));
        for row in 0..3 {
            assert_eq!(Scalar::from_array(&array, row).expect("a value"), value);
        }
    }
}

// spec: PV-12
#[test]
fn a_value_of_another_type_makes_no_array() {
    assert_eq!(Scalar::Long(1).to_array(&DataType::String, 1).expect_err("another type").code(), Code::SCHEMA);
    let value = Scalar::String("x".repeat(1 << 20));
    assert_eq!(value.to_array(&DataType::String, 1 << 20).expect_err("too big").code(), Code::LIMIT);
}

// spec: PV-12
#[test]
fn dictionary_values_and_their_nulls_are_resolved() {
    let array: ArrayRef = Arc::new([Some("b"), None, Some("a")].into_iter().collect::<DictionaryArray<Int32Type>>());
    let values: Vec<Scalar> = (0..3).map(|row| Scalar::from_array(&array, row).expect("a value")).collect();
    assert_eq!(values, [Scalar::from("b"), Scalar::Null, Scalar::from("a")]);
}

#[test]
fn an_option_becomes_a_value_or_null() {
    assert_eq!(Scalar::from(Some(1i64)), Scalar::Long(1));
    assert_eq!(Scalar::from(None::<i64>), Scalar::Null);
}
