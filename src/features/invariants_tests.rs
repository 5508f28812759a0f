use super::super::state::tests::{field, metadata, protocol};
use super::*;

fn table(protocol: crate::log::Protocol, invariant: &str) -> TableState {
    let text = serde_json::Value::String(invariant.to_owned());
    let column = field("x", r#""long""#, &format!(r#"{{"delta.invariants":{text}}}"#));
    TableState::new(protocol, metadata(&column, &[]), Vec::new()).expect("a state")
}

// spec: FEA-20
#[test]
fn an_invariant_becomes_a_check_of_every_written_row() {
    let state = table(protocol(1, 2, &[], &[]), r#"{"expression":{"expression":"x > 3"}}"#);
    state.check_writable().expect("built");
    let plan = state.write_plan().expect("a plan");
    assert_eq!(plan.checks.len(), 1);
    assert!(plan.checks[0].name.contains('x') && plan.checks[0].name.contains("x > 3"));
    plan.checks[0].condition.bind(state.schema()).expect("the condition fits the table");
}

// spec: FEA-20
#[test]
fn an_invariant_that_cannot_be_understood_refuses_writes() {
    for invariant in ["x > 3", "{}", r#"{"expression":{"expression":"x >"}}"#, r#"{"expression":{"expression":7}}"#] {
        let error = table(protocol(1, 2, &[], &[]), invariant).write_plan().expect_err(invariant);
        assert_eq!(error.code(), Code::FEATURE_WRITE, "{error}");
    }
}

// spec: FEA-20
#[test]
fn an_invariant_means_nothing_where_it_is_not_supported() {
    let state = table(protocol(1, 7, &[], &[]), r#"{"expression":{"expression":"x > 3"}}"#);
    assert!(state.write_plan().expect("a plan").checks.is_empty());
}
