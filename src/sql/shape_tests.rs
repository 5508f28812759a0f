use super::*;
use arrow::array::{Int32Array, StringArray};

fn nested(outer: &str, inner: &str) -> Field {
    let fields = Fields::from(vec![Field::new(inner, DataType::Int32, true)]);
    Field::new(outer, DataType::List(Arc::new(Field::new("element", DataType::Struct(fields), true))), true)
}

#[test]
fn names_change_at_every_depth_and_values_stay() {
    let own = Arc::new(Schema::new(vec![nested("Outer", "Inner"), Field::new("S", DataType::Utf8, true)]));
    let structs =
        StructArray::from(vec![(Arc::new(Field::new("Inner", DataType::Int32, true)), Arc::new(Int32Array::from(vec![1, 2])) as ArrayRef)]);
    let DataType::List(element) = own.field(0).data_type() else { panic!() };
    let list = ListArray::new(Arc::clone(element), arrow::buffer::OffsetBuffer::from_lengths([2]), Arc::new(structs), None);
    let batch = RecordBatch::try_new(Arc::clone(&own), vec![Arc::new(list), Arc::new(StringArray::from(vec!["x"]))]).unwrap();
    let lower = Arc::new(Schema::new(lower_case(own.fields())));
    let renamed = reshaped(batch.clone(), &lower).unwrap();
    assert_eq!(lower.field(0), &nested("outer", "inner"));
    assert_eq!(reshaped(renamed.clone(), &own).unwrap(), batch);
    let tables = own.fields().iter().map(|f| (f.name().to_lowercase(), Arc::clone(f))).collect();
    let spelled = HashMap::from([("s".to_owned(), "sS".to_owned())]);
    let shown = Shown::new(&lower, &spelled, &tables);
    assert_eq!(shown.schema.fields().iter().map(|f| f.name().as_str()).collect::<Vec<_>>(), ["Outer", "sS"]);
    assert_eq!(shown.batch(&renamed).unwrap().column(0), batch.column(0));
}

#[test]
fn types_that_no_table_has_become_those_that_one_has() {
    assert_eq!(plain(&DataType::Utf8View), DataType::Utf8);
    assert_eq!(plain(&DataType::UInt64), DataType::Int64);
    assert_eq!(
        plain(&DataType::Timestamp(TimeUnit::Nanosecond, Some("+01:00".into()))),
        DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
    );
}
