use super::*;
use crate::env::Env;
use crate::features::{NewTable, new_table};

fn made(columns: &str) -> Result<TableState> {
    let new = NewTable { schema: Struct::from_sql(columns)?, ..NewTable::default() };
    new_table(new, &Env::system())
}

// spec: VAL-6
#[test]
fn defaults_are_constants_of_the_columns_type() {
    let columns = "a INT DEFAULT 5, b STRING DEFAULT 'x', c TIMESTAMP DEFAULT current_timestamp(), d DECIMAL(5,2) DEFAULT 1, \
                   e DATE DEFAULT current_date, g ARRAY<INT> DEFAULT NULL, h BIGINT DEFAULT abs(-3)";
    let state = made(columns).expect("a table");
    assert_eq!(state.write_plan().expect("a plan").made(), ["a", "b", "c", "d", "e", "g", "h"]);
    assert!(state.protocol().writer_features.as_ref().is_some_and(|f| f.contains(&"allowColumnDefaults".to_owned())));
}

// spec: VAL-7
#[test]
fn what_is_no_constant_of_the_type_is_no_default() {
    for columns in ["a INT DEFAULT b, b INT", "a INT DEFAULT 'x'", "a INT DEFAULT rand()", "a INT DEFAULT (1", "a INT DEFAULT 99999999999"]
    {
        assert!(made(columns).is_err(), "{columns}");
    }
}
