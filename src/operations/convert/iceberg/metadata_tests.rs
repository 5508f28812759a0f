use super::*;
use serde_json::json;

fn metadata(change: Value) -> Result<Metadata> {
    let mut base = json!({
        "format-version": 2, "location": "s3://lake/t/", "last-column-id": 9, "current-schema-id": 1,
        "schemas": [
            {"schema-id": 0, "type": "struct", "fields": []},
            {"schema-id": 1, "type": "struct", "fields": [
                {"id": 1, "name": "id", "required": true, "type": "long", "doc": "which"},
                {"id": 2, "name": "list", "required": false, "type": {"type": "list", "element-id": 4, "element-required": true, "element":
                    {"type": "struct", "fields": [{"id": 5, "name": "d", "required": true, "type": "decimal(9, 2)"}]}}},
                {"id": 3, "name": "map", "required": false, "type": {"type": "map", "key-id": 6, "key": "string", "value-id": 7, "value": "timestamptz"}}]}],
        "partition-specs": [{"spec-id": 3, "fields": [{"source-id": 1, "field-id": 1000, "transform": "identity", "name": "id"}]}],
        "current-snapshot-id": 7,
        "snapshots": [{"snapshot-id": 7, "timestamp-ms": 5, "manifest-list": "s3://lake/t/metadata/l.avro", "summary": {}}],
    });
    for (key, value) in change.as_object().unwrap() {
        base[key] = value.clone();
    }
    Metadata::parse(base.to_string().as_bytes())
}

// spec: ICV-1, ICV-3
#[test]
fn the_current_schema_comes_with_its_ids_and_the_current_snapshot() {
    let found = metadata(json!({})).unwrap();
    assert_eq!((found.location.as_str(), found.highest_id, found.snapshot.unwrap().timestamp_ms), ("s3://lake/t", 9, 5));
    let ids: Vec<_> = found.columns.fields.iter().map(|f| (f.name.as_str(), id_of(f), f.nullable, f.data_type.to_string())).collect();
    assert_eq!(
        ids,
        [
            ("id", Some(1), false, "bigint".to_owned()),
            ("list", Some(2), true, "array<struct<d:decimal(9,2)>>".to_owned()),
            ("map", Some(3), true, "map<string,timestamp>".to_owned())
        ]
    );
    assert_eq!(found.columns.fields[0].metadata[metadata_key::COMMENT], "which");
    let first = metadata(json!({"format-version": 1, "schemas": [], "current-schema-id": null, "schema": {"type": "struct", "fields": []},
        "partition-specs": [], "partition-spec": [{"source-id": 1, "transform": "identity", "name": "p"}], "current-snapshot-id": -1}));
    let first = first.unwrap();
    assert_eq!((first.spec(0).unwrap()[0].field_id, first.snapshot.is_none()), (Some(1000), true));
}

// spec: ICV-1, ICV-7
#[test]
fn what_is_no_metadata_and_what_delta_has_not_is_refused_by_name() {
    let code = |change: Value| metadata(change).unwrap_err().code();
    let of_type = |name: &str| json!({"current-schema-id": null, "schemas": [{"fields": [{"id": 1, "name": "x", "type": name}]}]});
    for name in ["uuid", "time", "fixed[4]", "timestamp_ns", "variant", "decimal(39,2)", "decimal(5)", "decimal(2,3)"] {
        let e = metadata(of_type(name)).unwrap_err();
        assert!(e.code() == Code::FEATURE_READ && e.to_string().contains(name), "{name}: {e}");
    }
    assert_eq!(code(json!({"format-version": 3})), Code::FEATURE_READ);
    for change in [
        json!({"format-version": "2"}),
        json!({"location": null}),
        json!({"current-schema-id": 9}),
        json!({"current-snapshot-id": 8}),
        json!({"last-column-id": 1u64 << 40}),
        json!({"current-schema-id": null, "schemas": [{"fields": [{"id": -1, "name": "x", "type": "int"}]}]}),
        json!({"current-schema-id": null, "schemas": [{"fields": [{"id": 1, "name": "x", "type": {"type": "odd"}}]}]}),
    ] {
        assert_eq!(code(change.clone()), Code::FILE, "{change}");
    }
    assert!(metadata(json!({})).unwrap().spec(4).is_err());
}
