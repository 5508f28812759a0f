use super::super::new_table::{NewTable, new_table};
use super::super::state::tests::{field, metadata, protocol};
use super::*;
use crate::env::Env;
use crate::schema::Struct;

fn state(writer: i32, features: &[&str], properties: &[(&str, &str)]) -> TableState {
    let metadata = metadata(&field("id", r#""long""#, "{}"), properties);
    TableState::new(protocol(1, writer, &[], features), metadata, Vec::new()).expect("a state")
}

// spec: CDF-1
#[test]
fn feed_is_on_when_supported_and_switched_on_under_either_name() {
    let on = [("delta.enableChangeDataFeed", "True")];
    assert!(state(4, &[], &on).wants_change_files(), "version 4 implies it");
    assert!(state(7, &["changeDataFeed"], &on).wants_change_files());
    assert!(state(4, &[], &[("delta.enableChangeDataCapture", "true")]).wants_change_files());
    assert!(!state(3, &[], &on).wants_change_files(), "not supported");
    assert!(!state(7, &[], &on).wants_change_files(), "not supported");
    assert!(!state(4, &[], &[]).wants_change_files());
    let both = [("delta.enableChangeDataFeed", "false"), ("delta.enableChangeDataCapture", "true")];
    assert!(!state(4, &[], &both).wants_change_files(), "the new name wins");
    state(4, &[], &on).check_writable().expect("built");
}

fn make(column: &str, properties: &[(&str, &str)]) -> Result<(crate::log::Protocol, crate::log::Metadata)> {
    let schema = format!(r#"{{"type":"struct","fields":[{}]}}"#, field(column, r#""long""#, "{}"));
    let properties = properties.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    new_table(NewTable { schema: Struct::from_json(&schema).expect("a schema"), properties, ..NewTable::default() }, &Env::system())
        .map(|state| (state.protocol().clone(), state.metadata().clone()))
}

// spec: CDF-2
#[test]
fn columns_of_the_feed_are_refused_while_it_is_on() {
    for name in ["_change_type", "_commit_version", "_COMMIT_timestamp"] {
        let error = make(name, &[("delta.enableChangeDataCapture", "true")]).expect_err(name);
        assert_eq!((error.code(), error.context()), (Code::SCHEMA, [("column", name.to_owned())].as_slice()));
        make(name, &[]).expect("without the feed it is a name like others");
    }
    let (protocol, metadata) = make("id", &[("delta.enableChangeDataCapture", "true")]).expect("a table");
    assert_eq!(metadata.configuration["delta.enableChangeDataFeed"], "true");
    assert_eq!(protocol.min_writer_version, 7);
    assert!(protocol.writer_features.expect("a list").contains(&"changeDataFeed".to_owned()));
}
