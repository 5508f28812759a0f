use super::*;
use crate::log::{Format, Metadata, Protocol, StringMap};
use arrow::array::{ArrayRef, Int64Array, StructArray};
use arrow::datatypes::{DataType as ArrowType, Fields};
use std::sync::Arc;

/// A table of `x BIGINT, s STRUCT<y: BIGINT>` whose column x carries an invariant; with `mapped` its files use other names.
fn table(invariant: &str, mapped: bool) -> TableState {
    let field = |name: &str, t: &str, id: i64, more: &str| {
        let ids = format!(r#""delta.columnMapping.id":{id},"delta.columnMapping.physicalName":"col-{id}""#);
        format!(r#"{{"name":"{name}","type":{t},"nullable":true,"metadata":{{{ids}{more}}}}}"#)
    };
    let text = serde_json::Value::from(serde_json::json!({"expression": {"expression": invariant}}).to_string());
    let inner = format!(r#"{{"type":"struct","fields":[{}]}}"#, field("y", r#""long""#, 3, ""));
    let fields = [field("x", r#""long""#, 1, &format!(r#","delta.invariants":{text}"#)), field("s", &inner, 2, "")].join(",");
    let protocol = Protocol {
        min_reader_version: if mapped { 2 } else { 1 },
        min_writer_version: if mapped { 5 } else { 2 },
        reader_features: None,
        writer_features: None,
    };
    let mode = if mapped { "name" } else { "none" };
    let metadata = Metadata {
        id: "id".into(),
        name: None,
        description: None,
        format: Format { provider: "parquet".into(), options: StringMap::new() },
        schema_string: format!(r#"{{"type":"struct","fields":[{fields}]}}"#),
        partition_columns: vec![],
        configuration: StringMap::from([("delta.columnMapping.mode".to_owned(), mode.to_owned())]),
        created_time: None,
    };
    TableState::new(protocol, metadata, vec![]).unwrap()
}

fn rows(x: Vec<Option<i64>>, y: Vec<Option<i64>>) -> RecordBatch {
    let fields = Fields::from(vec![ArrowField::new("Y", ArrowType::Int64, true)]);
    let s: ArrayRef = Arc::new(StructArray::new(fields, vec![Arc::new(Int64Array::from(y)) as ArrayRef], None));
    RecordBatch::try_from_iter([("S", s), ("X", Arc::new(Int64Array::from(x)) as ArrayRef)]).unwrap()
}

fn check(state: &TableState, batch: &RecordBatch, first_row: u64) -> Result<()> {
    let checks = Checks::new(&state.write_plan()?.checks, state)?;
    let conform = Conform::new(batch.schema(), state.schema())?;
    checks.check(&conform, batch, &[], state, &[], first_row)
}

#[test]
fn rows_for_which_an_invariant_is_not_true_are_named() {
    // spec: FEA-20
    for mapped in [false, true] {
        let state = table("x > 3 AND s.y < 100", mapped);
        check(&state, &rows(vec![Some(4), Some(9)], vec![Some(1), Some(99)]), 0).unwrap();
        for (bad, offending) in [
            (rows(vec![Some(4), Some(3)], vec![Some(1), Some(1)]), "12"),
            (rows(vec![None, Some(4)], vec![Some(1), Some(1)]), "11"),
            (rows(vec![Some(4), Some(4)], vec![Some(100), None]), "11, 12"),
        ] {
            let e = check(&state, &bad, 10).unwrap_err();
            assert_eq!(e.code(), Code::CONSTRAINT);
            assert!(e.message().contains("invariant of column x: x > 3"), "{e}");
            assert!(e.context().contains(&("rows", offending.to_owned())), "{e}");
            assert!(e.context().iter().any(|(key, values)| *key == "values" && values.contains("x = ")), "{e}");
        }
    }
}

#[test]
fn an_invariant_over_columns_that_are_not_there_refuses_writes() {
    // spec: FEA-20
    for invariant in ["z > 3", "x + 1", "nonsense(x)"] {
        let state = table(invariant, false);
        let e = check(&state, &rows(vec![Some(4)], vec![None]), 0).unwrap_err();
        assert_eq!(e.code(), Code::FEATURE_WRITE, "{e}");
    }
}
