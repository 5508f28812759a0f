use super::*;
use crate::schema::{DataType, Field, Struct};
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
