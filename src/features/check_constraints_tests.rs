use super::super::state::tests::{field, metadata, protocol};
use super::*;
use crate::env::Env;
use crate::features::{NewTable, new_table};
use crate::log::StringMap;
use crate::schema::Field;

fn columns() -> Struct {
    Struct { fields: vec![Field::new("x", DataType::Integer, true)] }
}

fn made(property: (&str, &str)) -> Result<TableState> {
    let properties = StringMap::from([(property.0.to_owned(), property.1.to_owned())]);
    new_table(NewTable { schema: columns(), properties, ..NewTable::default() }, &Env::system())
}

// spec: VAL-2
#[test]
fn a_constraint_of_a_new_table_is_kept_in_lower_case_and_needs_writer_3() {
    let state = made(("delta.constraints.Positive", "x > 0")).expect("a table");
    assert_eq!(state.property("delta.constraints.positive"), Some("x > 0"));
    assert_eq!((state.protocol().min_reader_version, state.protocol().min_writer_version), (1, 3));
    let plan = state.write_plan().expect("a plan");
    assert_eq!(plan.checks.len(), 1);
    assert_eq!(plan.checks[0].name, "CHECK constraint positive: x > 0");
}

// spec: VAL-2, EXP-22, EXP-24
#[test]
fn text_that_is_no_condition_makes_no_table() {
    for sql in ["x +", "y > 0", "x + 1", "rand() > 0.5", "current_date() > DATE'2020-01-01'", "nonsense(x)", "exp(x) > 1"] {
        let error = made(("delta.constraints.c", sql)).expect_err(sql);
        assert_eq!(error.code(), Code::EXPR, "{sql}: {error}");
    }
}

// spec: VAL-2
#[test]
fn a_constraint_that_cannot_be_evaluated_refuses_writes_with_its_text() {
    let mut metadata = metadata(&field("x", r#""integer""#, "{}"), &[]);
    metadata.configuration.insert("delta.constraints.c".to_owned(), "nonsense(x)".to_owned());
    let state = TableState::new(protocol(1, 3, &[], &[]), metadata, Vec::new()).expect("a state");
    let error = state.write_plan().expect_err("unknown function");
    assert_eq!(error.code(), Code::FEATURE_WRITE);
    assert!(error.to_string().contains("nonsense"), "{error}");
}
