use super::super::state::tests::{field, metadata, protocol};
use super::*;
use crate::env::Env;
use crate::log::{Add, Metadata, NullableMap, Protocol};

fn draft<'a>(fields: &str, properties: &[(&str, &str)], env: &'a Env) -> TableDraft<'a> {
    let Metadata { schema_string, configuration, .. } = metadata(fields, properties);
    let schema = Struct::from_json(&schema_string).expect("a schema");
    TableDraft {
        schema,
        partition_columns: Vec::new(),
        properties: configuration,
        cluster_by: None,
        domains: Vec::new(),
        is_new: true,
        replaces_rows: false,
        before: None,
        env,
    }
}

/// A new table with these properties, shaped by every feature.
fn shaped(compat: &Compat, fields: &str, properties: &[(&str, &str)], features: &[&str]) -> TableState {
    let env = Env::system();
    let mut all = vec![(compat.property, "true")];
    all.extend(properties);
    let mut draft = draft(fields, &all, &env);
    column_mapping::shape_table(&mut draft).expect("mapped");
    row_tracking::shape_table(&mut draft).expect("tracked");
    compat.shape(&mut draft).expect("shaped");
    let mut names = vec!["columnMapping", "rowTracking", "domainMetadata", "icebergCompatV1", "icebergCompatV2", "icebergCompatV3"];
    names.extend(features);
    let base = metadata(fields, &[]);
    let metadata = Metadata { schema_string: draft.schema.to_json(), configuration: draft.properties, ..base };
    TableState::new(listed(&names), metadata, Vec::new()).expect("a state")
}

fn listed(names: &[&str]) -> Protocol {
    let readers: Vec<&str> =
        names.iter().copied().filter(|name| ["columnMapping", "deletionVectors", "variantType"].contains(name)).collect();
    protocol(3, 7, &readers, names)
}

fn plain() -> String {
    field("id", r#""long""#, "{}")
}

const LIST: &str = r#"{"type":"array","elementType":"integer","containsNull":true}"#;
const DEEP: &str = r#"{"type":"map","keyType":"string","valueType":{"type":"array","elementType":{"type":"struct","fields":[{"name":"x","type":{"type":"array","elementType":"integer","containsNull":true},"nullable":true,"metadata":{}}]},"containsNull":true},"valueContainsNull":true}"#;

// spec: ICE-1
#[test]
fn a_new_table_gets_what_it_needs() {
    let state = shaped(V2, &plain(), &[], &[]);
    assert_eq!(state.property(MAPPING_MODE), Some("name"));
    V2.check(None, &state).expect("all rules hold");
    let state = shaped(V3, &plain(), &[(MAPPING_MODE, "id")], &[]);
    assert_eq!((state.property(MAPPING_MODE), state.property(ROW_TRACKING)), (Some("id"), Some("true")));
    V3.check(None, &state).expect("all rules hold");
    V1.check(None, &shaped(V1, &plain(), &[], &[])).expect("all rules hold");
}

// spec: ICE-2
#[test]
fn elements_keys_and_values_get_ids_above_those_of_columns() {
    let state = shaped(V2, &[plain(), field("m", DEEP, "{}"), field("l", LIST, "{}")].join(","), &[], &[]);
    let ids = |field: &Field| -> Vec<(String, i64)> {
        let name = column_mapping::physical_name(field, column_mapping::MappingMode::Name).to_owned();
        let ids = field.metadata[metadata_key::MAPPING_NESTED_IDS].as_object().expect("ids");
        ids.iter().map(|(path, id)| (path.replace(&name, ""), id.as_i64().expect("an id"))).collect()
    };
    // Columns have 1 to 4, the one inside the map's values among them.
    assert_eq!(ids(&state.schema().fields[0]), []);
    let mut of_map = ids(&state.schema().fields[1]);
    of_map.sort();
    assert_eq!(of_map, [(".key".to_owned(), 5), (".value".to_owned(), 6), (".value.element".to_owned(), 7)]);
    assert_eq!(ids(&state.schema().fields[2]), [(".element".to_owned(), 9)]);
    assert_eq!(state.property("delta.columnMapping.maxColumnId"), Some("9"));
    V2.check(None, &state).expect("all rules hold");
    // Once given, an id stays.
    let env = Env::system();
    let properties = state.metadata().configuration.clone();
    let mut again = TableDraft {
        schema: state.schema().clone(),
        partition_columns: Vec::new(),
        properties,
        cluster_by: None,
        domains: Vec::new(),
        is_new: false,
        replaces_rows: false,
        before: Some(&state),
        env: &env,
    };
    V2.shape(&mut again).expect("shaped");
    assert_eq!(again.schema, *state.schema());
}

// spec: ICE-3, ICE-4
#[test]
fn what_iceberg_cannot_follow_is_refused() {
    let check = |compat: &Compat, fields: &str, properties: &[(&str, &str)], features: &[&str]| {
        compat.check(None, &shaped(compat, fields, properties, features)).err().map(|e| e.code())
    };
    let variant = field("v", r#""variant""#, "{}");
    let void = field("v", r#""void""#, "{}");
    let default = |sql: &str| field("d", r#""integer""#, &format!(r#"{{"CURRENT_DEFAULT":"{sql}"}}"#));
    let widened = |from: &str, to: &str| {
        field("w", &format!("\"{to}\""), &format!(r#"{{"delta.typeChanges":[{{"toType":"{to}","fromType":"{from}"}}]}}"#))
    };
    let vectors = [(DELETION_VECTORS, "true")];
    let cases: [(&Compat, &str, &[(&str, &str)], &[&str], Option<Code>); 16] = [
        (V1, &field("l", LIST, "{}"), &[], &[], Some(Code::SCHEMA)),
        (V2, &field("l", LIST, "{}"), &[], &[], None),
        (V2, &variant, &[], &["variantType"], Some(Code::SCHEMA)),
        (V3, &variant, &[], &["variantType"], None),
        (V2, &void, &[], &[], Some(Code::SCHEMA)),
        (V1, &plain(), &[], &["deletionVectors"], Some(Code::PROPERTY)),
        (V2, &plain(), &[], &["deletionVectors"], None),
        (V2, &plain(), &vectors, &["deletionVectors"], Some(Code::PROPERTY)),
        (V3, &plain(), &vectors, &["deletionVectors"], None),
        (V2, &plain(), &[("delta.enableIcebergCompatV1", "true")], &[], Some(Code::PROPERTY)),
        (V2, &plain(), &[(MAPPING_MODE, "none")], &[], Some(Code::PROPERTY)),
        (V3, &plain(), &[(ROW_TRACKING, "false")], &[], Some(Code::PROPERTY)),
        (V3, &default("-1"), &[], &[], None),
        (V3, &default("1 + 1"), &[], &[], Some(Code::SCHEMA)),
        (V2, &widened("integer", "long"), &[], &[], None),
        (V2, &widened("integer", "double"), &[], &[], Some(Code::SCHEMA)),
    ];
    for (i, (compat, fields, properties, features, expected)) in cases.into_iter().enumerate() {
        assert_eq!(check(compat, fields, properties, features), expected, "case {i}: {fields} {properties:?}");
    }
}

// spec: ICE-4
#[test]
fn partition_columns_may_get_other_names_but_not_become_others() {
    let with = |names: &[&str]| {
        let mut state = shaped(V2, &[plain(), field("p", r#""string""#, "{}")].join(","), &[], &[]);
        let mut metadata = state.metadata().clone();
        metadata.schema_string = state.schema().to_json().replace("col-", "");
        metadata.partition_columns = names.iter().map(|name| (*name).to_owned()).collect();
        state = TableState::new(state.protocol().clone(), metadata, Vec::new()).expect("a state");
        state
    };
    let by_p = with(&["p"]);
    let renamed = {
        let mut metadata = by_p.metadata().clone();
        metadata.schema_string = metadata.schema_string.replace(r#""name":"p""#, r#""name":"q""#);
        metadata.partition_columns = vec!["q".into()];
        TableState::new(by_p.protocol().clone(), metadata, Vec::new()).expect("a state")
    };
    V2.check(Some(&by_p), &renamed).expect("the same column");
    assert_eq!(V2.check(Some(&by_p), &with(&["id"])).expect_err("refused").code(), Code::SCHEMA);
}

// spec: ICE-5
#[test]
fn files_say_their_count_and_which_rules_they_keep() {
    let add = |stats: Option<&str>| Add {
        path: "a".into(),
        partition_values: NullableMap::new(),
        size: 1,
        modification_time: 0,
        data_change: true,
        stats: stats.map(str::to_owned),
        tags: None,
        deletion_vector: None,
        base_row_id: None,
        default_row_commit_version: None,
        clustering_provider: None,
    };
    let stamped = |compat: &Compat, add: Add| {
        let mut draft = CommitDraft { adds: vec![add], ..CommitDraft::default() };
        compat.stamp(&mut draft).map(|()| draft.adds.remove(0).tags)
    };
    let tag = |version: &str| Some(NullableMap::from([(TAG.to_owned(), Some(version.to_owned()))]));
    let counted = || add(Some(r#"{"numRecords":1}"#));
    assert_eq!(stamped(V1, counted()).expect("stamped"), None);
    assert_eq!(stamped(V2, counted()).expect("stamped"), tag("2"));
    assert_eq!(stamped(V3, counted()).expect("stamped"), tag("3"));
    assert_eq!(stamped(V1, add(None)).expect_err("refused").code(), Code::INPUT);
    assert_eq!(stamped(V2, add(Some("{}"))).expect_err("refused").code(), Code::INPUT);
}

// spec: ICE-6
#[test]
fn files_hold_partition_columns_and_ids_of_moved_rows() {
    let plan = shaped(V2, &plain(), &[], &[]).write_plan().expect("a plan");
    assert!(plan.partition_columns && plan.moved.is_empty());
    let ids: Vec<Option<i32>> =
        shaped(V3, &plain(), &[], &[]).write_plan().expect("a plan").moved.iter().map(|column| column.field_id).collect();
    assert_eq!(ids, [Some(2_147_483_540), Some(2_147_483_539)]);
}

// spec: ICE-7
#[test]
fn the_format_iceberg_needs_compatibility_and_others_are_unknown() {
    let of = |properties: &[(&str, &str)]| {
        let metadata = metadata(&plain(), properties);
        TableState::new(listed(&["columnMapping", "icebergCompatV2"]), metadata, Vec::new()).expect("a state")
    };
    let check = |before: Option<&TableState>, properties: &[(&str, &str)]| check_formats(before, &of(properties)).map_err(|e| e.code());
    assert_eq!(check(None, &[(FORMATS, "iceberg")]), Err(Code::PROPERTY));
    assert_eq!(check(None, &[(FORMATS, "hudi, iceberg"), (V2.property, "false")]), Err(Code::PROPERTY));
    assert_eq!(check(None, &[(FORMATS, "iceberg"), (V2.property, "true")]), Ok(()));
    assert_eq!(check(None, &[(FORMATS, "paimon")]), Err(Code::PROPERTY));
    assert_eq!(check(None, &[(FORMATS, "hudi")]), Ok(()));
    assert_eq!(check(None, &[]), Ok(()));
    let with = of(&[(FORMATS, "iceberg"), (V2.property, "true")]);
    assert_eq!(check(Some(&with), &[(FORMATS, "iceberg")]), Err(Code::PROPERTY), "compatibility may not go alone");
    let foreign = of(&[(FORMATS, "iceberg,paimon")]);
    assert_eq!(check(Some(&foreign), &[(FORMATS, "iceberg,paimon"), ("mine", "1")]), Ok(()), "as it came");
    let hook = SPEC_V1.hooks.check_table.expect("a rule");
    assert_eq!(hook(None, &of(&[(FORMATS, "iceberg")])).map_err(|e| e.code()), Err(Code::PROPERTY));
}
