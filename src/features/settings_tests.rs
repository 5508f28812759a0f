use super::super::state::tests::{field, metadata, protocol};
use super::*;

fn table(properties: &[(&str, &str)]) -> TableState {
    let names = ["v2Checkpoint", "columnMapping"];
    TableState::new(protocol(3, 7, &names, &names), metadata(&field("id", r#""long""#, "{}"), properties), Vec::new()).expect("a state")
}

// spec: PRP-5
#[test]
fn a_table_without_properties_has_the_defaults() {
    let state = table(&[]);
    assert_eq!(state.checkpoint_policy().expect("a policy"), CheckpointPolicy::Classic);
    assert_eq!(state.checkpoint_interval().expect("a number"), 10);
    assert!(state.checkpoint_stats_as_json().expect("a flag") && state.checkpoint_stats_as_struct().expect("a flag"));
    assert_eq!(state.deleted_file_retention_ms().expect("a span"), 604_800_000);
    assert_eq!(state.app_version_retention_ms().expect("a span"), None);
    assert_eq!(state.stats_columns().expect("columns"), StatsColumns::First(32));
    assert_eq!(state.stats_string_prefix().expect("a number"), 32);
    assert_eq!(state.compression_codec().expect("a codec"), None);
    assert_eq!(state.target_file_size().expect("a size"), None);
    assert_eq!(state.random_prefix_length().expect("a length"), 2);
    assert!(!state.write_plan().expect("a plan").random_folders);
    assert!(state.writes_partition_columns().expect("a flag"));
}

// spec: PRP-6
#[test]
fn properties_are_found_and_read_in_any_case() {
    let state = table(&[
        ("DELTA.checkpointINTERVAL", " 7 "),
        ("delta.checkpointPolicy", "V2"),
        ("delta.checkpoint.writeStatsAsJson", "FALSE"),
        ("delta.dataSkippingNumIndexedCols", "-1"),
        ("delta.setTransactionRetentionDuration", "1 day"),
        ("delta.parquet.compression.codec", "ZSTD"),
        ("delta.targetFileSize", "1mb"),
        ("delta.randomizeFilePrefixes", "true"),
        ("delta.randomPrefixLength", "4"),
    ]);
    assert_eq!(state.checkpoint_interval().expect("a number"), 7);
    assert_eq!(state.checkpoint_policy().expect("a policy"), CheckpointPolicy::V2);
    assert!(!state.checkpoint_stats_as_json().expect("a flag"));
    assert_eq!(state.stats_columns().expect("columns"), StatsColumns::All);
    assert_eq!(state.app_version_retention_ms().expect("a span"), Some(86_400_000));
    assert_eq!(state.compression_codec().expect("a codec").as_deref(), Some("zstd"));
    assert_eq!(state.target_file_size().expect("a size"), Some(1 << 20));
    assert_eq!(state.random_prefix_length().expect("a length"), 4);
    assert!(state.write_plan().expect("a plan").random_folders);
}

// spec: PRP-6
#[test]
fn statistics_columns_are_paths_with_quoted_names() {
    let state = table(&[("delta.dataSkippingStatsColumns", "a, b.c ,`odd, name`.`d.``e`")]);
    let expected: Vec<FieldPath> = vec![vec!["a".into()], vec!["b".into(), "c".into()], vec!["odd, name".into(), "d.`e".into()]];
    assert_eq!(state.stats_columns().expect("columns"), StatsColumns::Named(expected));
    assert_eq!(table(&[("delta.dataSkippingStatsColumns", "")]).stats_columns().expect("none"), StatsColumns::Named(vec![]));
    for text in ["`a", "a..b", "a,,b", "."] {
        assert_eq!(table(&[("delta.dataSkippingStatsColumns", text)]).stats_columns().expect_err(text).code(), Code::PROPERTY);
    }
}

// spec: PRP-7
#[test]
fn a_broken_value_in_a_table_is_an_error_and_not_the_default() {
    let state = table(&[("delta.deletedFileRetentionDuration", "a while"), ("delta.checkpointInterval", "-1")]);
    assert_eq!(state.deleted_file_retention_ms().expect_err("broken").code(), Code::PROPERTY);
    assert_eq!(state.checkpoint_interval().expect_err("broken").code(), Code::PROPERTY);
}

// spec: CM-5
#[test]
fn mapped_tables_put_files_into_random_folders() {
    let mapped = r#"{"delta.columnMapping.id":1,"delta.columnMapping.physicalName":"col-1"}"#;
    let metadata = metadata(&field("id", r#""long""#, mapped), &[("delta.columnMapping.mode", "name")]);
    let state = TableState::new(protocol(2, 5, &[], &[]), metadata, Vec::new()).expect("a state");
    let plan = state.write_plan().expect("a plan");
    assert!(plan.random_folders);
    assert_eq!(plan.field_id.and_then(|field_id| field_id(&state.physical_schema().fields[0])), Some(1));
}
