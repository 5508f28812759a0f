use super::*;

// spec: ICV-1
#[test]
fn metadata_files_are_numbered_in_both_ways() {
    let of = |name: &str| number_of(name);
    assert_eq!((of("v3.metadata.json"), of("v12.gz.metadata.json"), of("v4.metadata.json.gz")), (Some(3), Some(12), Some(4)));
    assert_eq!((of("00007-0a1b-c.metadata.json"), of("00008-0a1b.gz.metadata.json")), (Some(7), Some(8)));
    for name in
        ["metadata.json", "x.metadata.json", "v.metadata.json", "12.metadata.json", "snap-1.avro", "v99999999999999999999.metadata.json"]
    {
        assert_eq!(of(name), None, "{name}");
    }
}

// spec: ICV-4
#[test]
fn partition_values_are_those_of_the_columns_type_or_none() {
    let decimal = DataType::Decimal { precision: 7, scale: 1 };
    let of = |bytes: &[u8]| scalar(&Value::Bytes(bytes.to_vec()), &decimal).and_then(|s| s.to_partition_text().unwrap());
    assert_eq!((of(&[0xf1]), of(&[0, 0, 7, 0xd0]), of(&[0; 17]), of(&[])), (Some("-1.5".to_owned()), Some("200.0".to_owned()), None, None));
    assert_eq!(scalar(&Value::Long(-1), &DataType::Date), Some(Scalar::Date(-1)));
    assert_eq!((scalar(&Value::Long(i64::MAX), &DataType::Integer), scalar(&Value::Boolean(true), &DataType::Long)), (None, None));
    assert_eq!(scalar(&Value::Null, &decimal), Some(Scalar::Null));
}
