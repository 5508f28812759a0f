use super::*;
use crate::env::Env;
use crate::features::{NewTable, new_table};

fn made(columns: &str, partition: &[&str]) -> Result<TableState> {
    let partition_columns = partition.iter().map(|name| (*name).to_owned()).collect();
    let new = NewTable { schema: Struct::from_sql(columns)?, partition_columns, ..NewTable::default() };
    new_table(new, &Env::system())
}

// spec: VAL-4
#[test]
fn a_generated_column_is_filled_and_checked() {
    let state = made("at TIMESTAMP, day DATE GENERATED ALWAYS AS (CAST(at AS DATE))", &["day"]).expect("a table");
    let plan = state.write_plan().expect("a plan");
    assert_eq!(plan.made(), ["day"]);
    assert_eq!(plan.checks[0].given.as_deref(), Some("day"));
    assert!(plan.checks[0].name.contains("CAST(at AS DATE)"));
    let features = state.protocol().writer_features.clone().unwrap_or_default();
    assert!(features.contains(&"generatedColumns".to_owned()) && state.protocol().min_writer_version == 7, "as Spark does it");
}

// spec: VAL-5
#[test]
fn expressions_that_cannot_define_a_column_make_no_table() {
    for (columns, code) in [
        ("a INT, b INT GENERATED ALWAYS AS (a + 1), c INT GENERATED ALWAYS AS (b + 1)", Code::EXPR),
        ("a INT GENERATED ALWAYS AS (a + 1)", Code::EXPR),
        ("a INT, b BIGINT GENERATED ALWAYS AS (a + 1)", Code::SCHEMA),
        ("a INT, b DOUBLE GENERATED ALWAYS AS (rand())", Code::EXPR),
        ("a INT, b TIMESTAMP GENERATED ALWAYS AS (current_timestamp())", Code::EXPR),
        ("a INT, b INT GENERATED ALWAYS AS (c)", Code::EXPR),
        ("a INT, b INT GENERATED ALWAYS AS (a +)", Code::EXPR),
    ] {
        let error = made(columns, &[]).expect_err(columns);
        assert_eq!(error.code(), code, "{columns}: {error}");
    }
}

fn implied_by(columns: &str, partition: &[&str], filter: &str) -> Option<String> {
    let state = made(columns, partition).expect("a table");
    let bound = Expr::sql(filter).and_then(|e| e.bind(state.schema())).expect("a filter");
    implied_filter(&state, &bound).map(|e| e.bind_rule(state.schema()).expect("binds").to_sql())
}

// spec: SKIP-8
#[test]
fn filters_say_what_follows_for_partition_columns() {
    let by_day = "at TIMESTAMP_NTZ, v INT, day DATE GENERATED ALWAYS AS (CAST(at AS DATE))";
    for (filter, expected) in [
        ("at < TIMESTAMP_NTZ'2024-03-05 10:00:00'", "2024-03-05"),
        ("at >= TIMESTAMP_NTZ'2024-03-05 10:00:00' AND v > 3", "2024-03-05"),
        ("at = TIMESTAMP_NTZ'2024-03-05 10:00:00'", "2024-03-05"),
        ("at IN (TIMESTAMP_NTZ'2024-03-05 10:00:00')", "2024-03-05"),
    ] {
        let implied = implied_by(by_day, &["day"], filter).unwrap_or_else(|| panic!("{filter} says something"));
        assert!(implied.contains("day") && implied.contains(expected), "{filter}: {implied}");
    }
    for filter in ["v > 3", "at <> TIMESTAMP_NTZ'2024-03-05 10:00:00'", "at < TIMESTAMP_NTZ'2024-03-05 10:00:00' OR v = 3"] {
        assert_eq!(implied_by(by_day, &["day"], filter), None, "{filter}");
    }
    // Not a partition column: its statistics know it themselves.
    assert_eq!(implied_by(by_day, &[], "at < TIMESTAMP_NTZ'2024-03-05 10:00:00'"), None);
}
