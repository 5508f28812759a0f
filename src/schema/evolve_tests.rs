use super::*;

fn table() -> Struct {
    Struct {
        fields: vec![
            Field::new("Id", DataType::Long, false),
            Field::new("price", DataType::Decimal { precision: 12, scale: 2 }, true),
            Field::new("at", DataType::Struct(Struct { fields: vec![Field::new("x", DataType::Double, true)] }), true),
        ],
    }
}

fn rows(fields: Vec<(&str, DataType)>) -> Struct {
    Struct { fields: fields.into_iter().map(|(n, t)| Field::new(n, t, true)).collect() }
}

fn at(fields: Vec<(&str, DataType)>) -> DataType {
    DataType::Struct(rows(fields))
}

#[test]
fn narrower_types_and_other_case_fit() {
    // spec: SCH-30, SCH-31
    let r = rows(vec![("ID", DataType::Short), ("Price", DataType::Integer), ("at", at(vec![("X", DataType::Float)]))]);
    check_fits(&table(), &r).unwrap();
}

#[test]
fn every_column_that_does_not_fit_is_named() {
    // spec: SCH-31
    let r =
        rows(vec![("id", DataType::String), ("price", DataType::Long), ("at", at(vec![("y", DataType::Long)])), ("new", DataType::Date)]);
    let e = check_fits(&table(), &r).unwrap_err();
    assert_eq!(e.code(), Code::SCHEMA);
    for part in ["\"id\": the table has bigint, the rows have string", "\"price\"", "\"at.y\"", "\"new\"", "merge-schema"] {
        assert!(format!("{e} {:?}", e.next_step()).contains(part), "{part}: {e}");
    }
}

#[test]
fn a_missing_required_column_is_a_broken_constraint() {
    // spec: SCH-32
    let e = check_fits(&table(), &rows(vec![("price", DataType::Void)])).unwrap_err();
    assert_eq!(e.code(), Code::CONSTRAINT);
    assert!(e.message().contains("Id"));
}

#[test]
fn a_column_that_comes_twice_is_refused() {
    let r = rows(vec![("id", DataType::Long), ("ID", DataType::Long)]);
    assert_eq!(check_fits(&table(), &r).unwrap_err().code(), Code::SCHEMA);
}

#[test]
fn merging_appends_nullable_columns_at_the_end_of_their_struct() {
    // spec: SCH-33
    let mut required = Field::new("tag", at(vec![("a", DataType::Long)]), false);
    if let DataType::Struct(s) = &mut required.data_type {
        s.fields[0].nullable = false;
    }
    let mut r = rows(vec![("at", at(vec![("z", DataType::String), ("x", DataType::Double)])), ("id", DataType::Long)]);
    r.fields.push(required);
    let mut t = table();
    t.fields[0].metadata.insert("comment".into(), "kept".into());
    let merged = merge(&t, &r, Widening::Off).unwrap();
    assert_eq!(merged.fields[0], t.fields[0], "what was there stays as it was");
    let expected = at(vec![("x", DataType::Double), ("z", DataType::String)]);
    assert_eq!(merged.fields[2].data_type, expected);
    assert_eq!(merged.fields[3], Field::new("tag", at(vec![("a", DataType::Long)]), true));
    assert_eq!(merge(&merged, &r, Widening::Off).unwrap(), merged, "merging again changes nothing");
}

#[test]
fn a_void_column_takes_the_type_of_the_rows() {
    // spec: SCH-33
    let t = rows(vec![("v", DataType::Void)]);
    assert_eq!(merge(&t, &rows(vec![("v", DataType::Date)]), Widening::Off).unwrap().fields[0].data_type, DataType::Date);
    assert!(check_fits(&t, &rows(vec![("v", DataType::Date)])).is_err());
}

#[test]
fn decimals_fit_only_with_room_on_both_sides_of_the_point() {
    let d = |precision, scale| DataType::Decimal { precision, scale };
    assert!(fits(&d(12, 2), &d(10, 2)) && fits(&d(12, 4), &d(10, 2)));
    assert!(!fits(&d(12, 4), &d(11, 2)) && !fits(&d(12, 1), &d(10, 2)) && !fits(&d(20, 2), &DataType::Long));
}

// spec: TW-4
#[test]
fn rows_of_wider_types_widen_a_table_only_where_it_may() {
    let t = Struct::from_sql("i INT, f FLOAT, d DECIMAL(5,2), at DATE, s STRUCT<x: BYTE>, l ARRAY<SHORT>").unwrap();
    let r = Struct::from_sql("i BIGINT, f DOUBLE, d DECIMAL(7,3), at TIMESTAMP_NTZ, s STRUCT<x: INT>, l ARRAY<INT>").unwrap();
    assert!(merge(&t, &r, Widening::Off).is_err());
    assert_eq!(merge(&t, &r, Widening::On).unwrap(), r);
    assert_eq!(merge(&r, &t, Widening::On).unwrap(), r, "narrow rows fit as they are");
    for (table, rows) in [("c INT", "c DOUBLE"), ("c INT", "c DECIMAL(12,0)"), ("c DECIMAL(5,2)", "c DECIMAL(6,4)"), ("c STRING", "c INT")]
    {
        let (t, r) = (Struct::from_sql(table).unwrap(), Struct::from_sql(rows).unwrap());
        assert!(merge(&t, &r, Widening::On).is_err(), "{table} and {rows}");
    }
}
