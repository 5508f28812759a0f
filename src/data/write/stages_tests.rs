use super::*;
use arrow::array::{
    Decimal128Array, DictionaryArray, Int8Array, Int32Array, Int64Array, LargeListArray, LargeStringArray, StringArray, StringViewArray,
    TimestampNanosecondArray, UInt16Array,
};
use arrow::datatypes::{Int32Type, Int64Type, TimestampMicrosecondType};

fn table(fields: Vec<(&str, DataType)>) -> Struct {
    Struct { fields: fields.into_iter().map(|(n, t)| Field::new(n, t, true)).collect() }
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter(columns).unwrap()
}

fn apply(table: &Struct, batch: &RecordBatch) -> Result<Vec<ArrayRef>> {
    let targets = file_fields(table, &|_| None)?;
    Conform::new(batch.schema(), table)?.apply(batch, table, &targets, &[], 0)
}

fn one(t: DataType, array: ArrayRef) -> ArrayRef {
    apply(&table(vec![("c", t)]), &batch(vec![("C", array)])).unwrap().remove(0)
}

#[test]
fn every_form_of_text_becomes_plain_text() {
    // spec: DAT-W1
    let plain = StringArray::from(vec![Some("a"), None]);
    let dictionary: DictionaryArray<Int32Type> = vec![Some("a"), None].into_iter().collect();
    for array in [
        Arc::new(LargeStringArray::from(vec![Some("a"), None])) as ArrayRef,
        Arc::new(StringViewArray::from(vec![Some("a"), None])),
        Arc::new(dictionary),
    ] {
        assert_eq!(one(DataType::String, array).as_string::<i32>(), &plain);
    }
}

#[test]
fn numbers_widen_and_keep_their_value() {
    // spec: DAT-W1
    let narrow: ArrayRef = Arc::new(Int8Array::from(vec![-128, 127]));
    assert_eq!(one(DataType::Long, narrow.clone()).as_primitive::<Int64Type>(), &Int64Array::from(vec![-128, 127]));
    let money = one(DataType::Decimal { precision: 10, scale: 2 }, narrow);
    assert_eq!(money.as_primitive::<arrow::datatypes::Decimal128Type>().values(), &[-12800, 12700]);
    let unsigned = one(DataType::Long, Arc::new(UInt16Array::from(vec![65535])));
    assert_eq!(unsigned.as_primitive::<Int64Type>().value(0), 65535);
    let decimal = Decimal128Array::from(vec![123]).with_precision_and_scale(5, 1).unwrap();
    let wider = one(DataType::Decimal { precision: 20, scale: 4 }, Arc::new(decimal));
    assert_eq!(wider.as_primitive::<arrow::datatypes::Decimal128Type>().value(0), 123_000);
}

#[test]
fn nanoseconds_are_floored_and_other_zones_keep_the_instant() {
    // spec: DAT-W2
    let nanos = TimestampNanosecondArray::from(vec![-1, 1_999]).with_timezone("+05:00");
    let micros = one(DataType::Timestamp, Arc::new(nanos));
    assert_eq!(micros.as_primitive::<TimestampMicrosecondType>().values(), &[-1, 1]);
    assert_eq!(micros.data_type(), &DataType::Timestamp.to_arrow().unwrap());
    let local = one(DataType::TimestampNtz, Arc::new(TimestampNanosecondArray::from(vec![-1])));
    assert_eq!(local.as_primitive::<TimestampMicrosecondType>().values(), &[-1]);
}

#[test]
fn nested_values_are_found_by_name_filled_and_cast() {
    // spec: DAT-W1
    let inner = table(vec![("x", DataType::Long), ("y", DataType::String), ("gone", DataType::Void)]);
    let t = table(vec![
        ("s", DataType::Struct(inner)),
        ("l", DataType::Array { element: Box::new(DataType::Long), contains_null: true }),
        ("missing", DataType::Date),
    ]);
    let rows = batch(vec![
        ("l", Arc::new(LargeListArray::from_iter_primitive::<Int32Type, _, _>(vec![Some(vec![Some(1), None])])) as ArrayRef),
        (
            "S",
            Arc::new(StructArray::from(vec![(
                Arc::new(ArrowField::new("X", ArrowType::Int32, true)),
                Arc::new(Int32Array::from(vec![9])) as ArrayRef,
            )])),
        ),
    ]);
    let out = apply(&t, &rows).unwrap();
    let types: Vec<_> = out.iter().map(|a| a.data_type().clone()).collect();
    let expected: Vec<_> = file_fields(&t, &|_| None).unwrap().iter().map(|f| f.data_type().clone()).collect();
    assert_eq!(types, expected);
    assert_eq!(out[0].as_struct().num_columns(), 2, "void fields are not stored");
    assert_eq!(out[0].as_struct().column(0).as_primitive::<Int64Type>().value(0), 9);
    assert!(out[0].as_struct().column(1).is_null(0) && out[2].is_null(0));
}

#[test]
fn text_fits_only_text() {
    // spec: OPS-8
    for t in [DataType::Decimal { precision: 5, scale: 2 }, DataType::Long, DataType::Date, DataType::Boolean] {
        let text = batch(vec![("c", Arc::new(StringArray::from(vec!["1"])) as ArrayRef)]);
        let e = apply(&table(vec![("c", t)]), &text).unwrap_err();
        assert!(e.code() == Code::SCHEMA && e.to_string().contains("\"c\""), "{e}");
    }
}

#[test]
fn nulls_in_required_columns_name_the_column_and_the_first_rows() {
    // spec: OPS-6
    let mut t = table(vec![("c", DataType::Long)]);
    t.fields[0].nullable = false;
    let mut values = vec![Some(1); 100];
    for row in [3, 50, 51, 52, 53, 54] {
        values[row] = None;
    }
    let rows = batch(vec![("c", Arc::new(Int64Array::from(values)) as ArrayRef)]);
    let plan = Conform::new(rows.schema(), &t).unwrap();
    let e = plan.apply(&rows, &t, &file_fields(&t, &|_| None).unwrap(), &[], 1000).unwrap_err();
    assert_eq!(e.code(), Code::CONSTRAINT);
    assert_eq!(e.context(), [("column", "c".to_owned()), ("rows", "1004, 1051, 1052, 1053, 1054, …".to_owned())]);
}

#[test]
fn a_required_nested_field_counts_only_where_its_struct_is_there() {
    // spec: OPS-6
    let mut inner = table(vec![("x", DataType::Long)]);
    inner.fields[0].nullable = false;
    let t = table(vec![("s", DataType::Struct(inner))]);
    let rows = |valid: Vec<bool>| {
        let x: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None]));
        let fields = Fields::from(vec![ArrowField::new("x", ArrowType::Int64, true)]);
        batch(vec![("s", Arc::new(StructArray::new(fields, vec![x], Some(NullBuffer::from(valid)))) as ArrayRef)])
    };
    apply(&t, &rows(vec![true, false])).unwrap();
    let e = apply(&t, &rows(vec![true, true])).unwrap_err();
    assert!(e.code() == Code::CONSTRAINT && e.to_string().contains("s.x"), "{e}");
}

#[test]
fn what_parquet_cannot_store_is_refused() {
    let void_list = DataType::Array { element: Box::new(DataType::Void), contains_null: true };
    for t in [void_list, DataType::Struct(table(vec![("v", DataType::Void)]))] {
        assert_eq!(file_fields(&table(vec![("c", t)]), &|_| None).unwrap_err().code(), Code::SCHEMA);
    }
}
