use super::*;
use crate::data::write::options::Encoding;
use crate::data::write::stats::StatsPlan;
use crate::features::{HiddenColumn, StatsColumns};
use crate::schema::Struct;
use arrow::array::{Array, AsArray, Int64Array};
use arrow::datatypes::{Int64Type, Schema};

fn moved() -> Moved {
    let plan = FilePlan {
        schema: Arc::new(Schema::new(vec![Field::new("id", ArrowType::Int64, true)])),
        properties: Encoding::from_properties(None, None).unwrap().writer_properties(),
        stats: StatsPlan::new(&Struct::default(), &Struct::default(), &StatsColumns::All, 32),
        shreds: false,
    };
    let column = |column, name: &str, field_id| MovedColumn { column, name: name.into(), field_id };
    Moved::new(vec![column(HiddenColumn::RowId, "_id", Some(7)), column(HiddenColumn::RowCommitVersion, "_version", None)], &plan)
}

fn batch(columns: &[&str]) -> RecordBatch {
    RecordBatch::try_from_iter(columns.iter().map(|name| (*name, Arc::new(Int64Array::from(vec![1, 2])) as ArrayRef))).unwrap()
}

// spec: RID-5
#[test]
fn rows_with_ids_keep_them_and_new_rows_have_none() {
    let moved = moved();
    let names: Vec<&str> = moved.schema.fields().iter().map(|f| f.name().as_str()).collect();
    assert_eq!(names, ["id", "_id", "_version"]);
    assert_eq!(moved.schema.field(1).metadata()[PARQUET_FIELD_ID_META_KEY], "7");
    let (rest, ids) = moved.take(batch(&["_metadata.row_id", "id"])).unwrap();
    assert_eq!(rest.schema().fields().len(), 1);
    let ids = ids.unwrap();
    assert_eq!((ids[0].as_primitive::<Int64Type>().values().as_ref(), ids[1].null_count()), ([1, 2].as_slice(), 2));
    let (rest, ids) = moved.take(batch(&["id"])).unwrap();
    assert!(ids.is_none());
    let wide = moved.widen(rest).unwrap();
    assert_eq!((wide.num_columns(), wide.column(1).null_count(), wide.column(2).null_count()), (3, 2, 2));
}
