use super::*;
use crate::data::variant::parsed;
use crate::schema::{DataType, Field as TableField};
use arrow::array::{Int64Array, StringArray};

fn texts(texts: &[Option<&str>]) -> ArrayRef {
    parsed(&(Arc::new(StringArray::from(texts.to_vec())) as ArrayRef)).unwrap()
}

fn variant(name: &str) -> Field {
    TableField::new(name, DataType::Variant, true).to_arrow().unwrap()
}

// spec: VAR-5
#[test]
fn variants_at_the_top_and_in_structs_are_kept_in_pieces_and_other_columns_as_they_are() {
    let ids: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
    let plain = texts(&[Some("[1]"), None]);
    let object = texts(&[Some(r#"{"a":1}"#), Some(r#"{"a":2,"b":"x"}"#)]);
    let inside = Fields::from(vec![Field::new("n", ArrowType::Int64, true), variant("y")]);
    let around = StructArray::try_new(inside.clone(), vec![Arc::clone(&ids), Arc::clone(&object)], Some(vec![true, false].into())).unwrap();
    let fields = vec![
        Field::new("id", ArrowType::Int64, true),
        variant("whole"),
        variant("x"),
        Field::new("s", ArrowType::Struct(inside), true),
        Field::new("last", ArrowType::Int64, true),
    ];
    let columns: Vec<ArrayRef> = vec![Arc::clone(&ids), plain, object, Arc::new(around), ids];
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap();
    assert!(has_variants(batch.schema().fields()));
    let shredding = Shredding::of(&batch).unwrap().unwrap();
    let rows = shredding.apply(&batch).unwrap();
    assert_eq!(rows.schema(), *shredding.schema());
    let kept: Vec<bool> = rows.schema().fields().iter().zip(batch.schema().fields()).map(|(a, b)| a == b).collect();
    assert_eq!(kept, [true, true, false, false, true]);
    assert!(is_variant(rows.schema().field(2)), "the file still says that it is a variant");
    // x begins behind id and whole; y behind x and n. `{a, b}`: two values, two typed ones; y has only `a`, for its other row is null.
    assert_eq!(shredding.extra_columns(), [(3, 4), (6, 2)]);
    let parquet = parquet::arrow::ArrowSchemaConverter::new().convert(&rows.schema()).unwrap();
    assert_eq!(parquet.num_columns(), 9 + 6);
}

// spec: VAR-6
#[test]
fn rows_without_a_common_shape_stay_whole() {
    let fields = vec![variant("x")];
    for rows in [vec![None, None], vec![Some("1"), Some("\"x\"")], vec![Some("{}"), Some("null")], vec![]] {
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields.clone())), vec![texts(&rows)]).unwrap();
        assert!(Shredding::of(&batch).unwrap().is_none(), "{rows:?}");
    }
}
