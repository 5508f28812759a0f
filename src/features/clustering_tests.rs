use super::super::state::tests::{field, metadata, protocol};
use super::*;

const FIELDS: [(&str, &str); 5] = [
    ("a", r#""integer""#),
    ("b", r#""string""#),
    ("c", r#""boolean""#),
    ("s", r#"{"type":"struct","fields":[{"name":"x","type":"date","nullable":true,"metadata":{}}]}"#),
    ("d", r#""long""#),
];

fn state(configuration: Option<&str>, properties: &[(&str, &str)], partition: &[&str]) -> TableState {
    let fields: Vec<String> = FIELDS.iter().map(|(name, t)| field(name, t, "{}")).collect();
    let mut metadata = metadata(&fields.join(","), properties);
    metadata.partition_columns = partition.iter().map(|name| (*name).to_owned()).collect();
    let domain = configuration.map(|text| DomainMetadata { domain: DOMAIN.into(), configuration: text.into(), removed: false });
    TableState::new(protocol(1, 7, &[], &["clustering", "domainMetadata"]), metadata, domain.into_iter().collect()).expect("a state")
}

fn paths(columns: &[&str]) -> Vec<FieldPath> {
    columns.iter().map(|column| column.split('.').map(str::to_owned).collect()).collect()
}

/// The state of a table that is clustered by these columns.
fn clustered(columns: &[&str], properties: &[(&str, &str)], partition: &[&str]) -> Result<TableState> {
    let domain = domain(state(None, properties, partition).schema(), &paths(columns), MappingMode::None)?;
    let state = state(Some(&domain.configuration), properties, partition);
    check_table(None, &state).map(|()| state)
}

// spec: CLU-1
#[test]
fn columns_stand_in_the_domain_as_paths() {
    let state = clustered(&["A", "s.x"], &[], &[]).expect("clustered");
    assert_eq!(state.domains()[0].configuration, r#"{"clusteringColumns":[["a"],["s","x"]],"domainName":"delta.clustering"}"#);
    assert_eq!(state.clustering_columns().expect("columns"), Some(paths(&["a", "s.x"])));
    state.check_writable().expect("clustered tables are written");
}

// spec: CLU-2
#[test]
fn plain_names_are_read_too_and_a_broken_record_is_named() {
    let read = |text: &str| state(Some(text), &[], &[]).clustering_columns();
    assert_eq!(read(r#"{"clusteringColumns":["a","b"]}"#).expect("columns"), Some(paths(&["a", "b"])));
    assert_eq!(read(r#"{"clusteringColumns":[]}"#).expect("columns"), Some(Vec::new()));
    for broken in ["", "{}", r#"{"clusteringColumns":[1]}"#, r#"{"clusteringColumns":["nosuch"]}"#, r#"{"clusteringColumns":[["s"]]}"#] {
        // A struct is a column of the table, but none that rows can be laid out by.
        let found = read(broken).and_then(|_| check_table(None, &state(Some(broken), &[], &[])));
        assert!(matches!(found.expect_err(broken).code(), Code::LOG_STATE | Code::SCHEMA), "{broken}");
    }
    assert_eq!(state(None, &[], &[]).clustering_columns().expect("none"), None);
}

// spec: CLU-3
#[test]
fn what_cannot_be_skipped_by_is_refused_with_its_column() {
    for (columns, properties, partition) in [
        (&["nosuch"][..], &[][..], &[][..]),
        (&["a", "A"], &[], &[]),
        (&["c"], &[], &[]),
        (&["s"], &[], &[]),
        (&["a", "b", "s.x", "d", "a"], &[], &[]),
        (&["a"], &[], &["d"]),
        (&["a"], &[("delta.dataSkippingNumIndexedCols", "0")], &[]),
        (&["d"], &[("delta.dataSkippingNumIndexedCols", "3")], &[]),
        (&["d"], &[("delta.dataSkippingStatsColumns", "a,s")], &[]),
    ] {
        let error = clustered(columns, properties, partition).expect_err("refused");
        assert_eq!(error.code(), Code::SCHEMA, "{columns:?} {properties:?}: {error}");
    }
    clustered(&["s.x"], &[("delta.dataSkippingStatsColumns", "a,S")], &[]).expect("its struct has statistics");
    clustered(&[], &[], &["d"]).expect("clustered by nothing");
}
