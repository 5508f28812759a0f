use super::*;
use crate::schema::{DataType, Field};
use datafusion::logical_expr::{col as c, lit as l};

fn pushed(planned: Planned) -> Option<String> {
    let fields = vec![Field::new("A", DataType::Long, true), Field::new("s", DataType::String, true)];
    condition(&planned).map(|e| e.bind(&Struct { fields }).unwrap().to_sql())
}

#[test]
fn what_cannot_be_said_is_left_out_and_never_strengthens() {
    // spec: SQL-3
    let unsaid = || datafusion::functions::expr_fn::abs(c("a")).gt(l(3i64));
    assert_eq!(pushed(unsaid()), None);
    assert_eq!(pushed(c("a").gt(l(3i64)).and(unsaid())), pushed(c("a").gt(l(3i64))));
    assert_eq!(pushed(c("a").gt(l(3i64)).or(unsaid())), None);
    assert_eq!(pushed(Planned::Not(Box::new(c("a").gt(l(3i64)).and(unsaid())))), None);
    assert_eq!(pushed(Planned::Column(datafusion::common::Column::from_name("_metadata.row_id")).eq(l(3i64))), None);
    assert_eq!(pushed(c("s").like(l("a\\%"))), None);
}

#[test]
fn calls_and_conversions_of_ours_are_said() {
    // spec: SQL-3, SQL-13
    let plan = |condition: Planned| {
        let fields = [("a", arrow::datatypes::DataType::Int64), ("s", arrow::datatypes::DataType::Utf8)];
        let fields = fields.map(|(name, of)| arrow::datatypes::Field::new(name, of, true)).to_vec();
        let rows = datafusion::logical_expr::table_scan(None::<&str>, &arrow::datatypes::Schema::new(fields), None).unwrap();
        match library::bound_plan(rows.filter(condition).unwrap().build().unwrap()).unwrap() {
            datafusion::logical_expr::LogicalPlan::Filter(filter) => pushed(filter.predicate),
            other => panic!("{other}"),
        }
    };
    let call = library::call;
    assert_eq!(plan(call("upper", vec![c("s")]).eq(l("X"))).unwrap(), "(upper(s) = 'X')");
    assert_eq!(plan(call("startswith", vec![c("s"), l("x")])).unwrap(), "startswith(s, 'x')");
    assert_eq!(plan(call("substring", vec![c("s"), l(1i64), l(2i64)]).eq(l("ab"))).unwrap(), "(substring(s, 1, 2) = 'ab')");
    let converted = datafusion::logical_expr::cast(c("s"), arrow::datatypes::DataType::Date32);
    assert_eq!(plan(converted.clone().is_null()).unwrap(), "(CAST(trim(s) AS date) IS NULL)");
    assert_eq!(plan(call("year", vec![converted]).gt(l(3i64))).unwrap(), "(year(CAST(trim(s) AS date)) > 3)");
    // What may fail is no matter of the scan.
    let fields = vec![Field::new("s", DataType::String, true)];
    assert_eq!(sure(&c("s").eq(l("5")), &Struct { fields: fields.clone() }).map(|e| e.text()), Some("(s = '5')".to_owned()));
    assert!(sure(&c("s").eq(l(5i64)), &Struct { fields }).is_none());
    // An argument that cannot be said leaves out the call.
    assert_eq!(plan(call("upper", vec![datafusion::functions::expr_fn::md5(c("s"))]).eq(l("X"))), None);
}

#[test]
fn comparisons_lists_and_nulls_are_said() {
    for said in [
        c("a").eq(l(1i64)),
        c("a").in_list(vec![l(1i64), l(2i64)], true),
        c("s").like(l("a%")),
        c("a").is_null(),
        c("s").is_not_null().and(c("a").between(l(1i64), l(2i64))),
    ] {
        assert!(pushed(said.clone()).is_some(), "{said}");
    }
}
