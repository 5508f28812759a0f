use super::{Amount, Plan};
use crate::error::Code;
use crate::log::Version;
use crate::operations::Prices;
use crate::storage::{Requests, Spent};

fn plan() -> Plan {
    let mut plan = Plan::new("VACUUM", Some(Version(7)));
    for n in 0..1_500_u64 {
        plan.act("delete_orphan", n);
        plan.item(&format!("{n}"), n, "no version names it");
    }
    plan
}

// spec: PLN-1
#[test]
fn a_plan_counts_everything_and_names_the_first_thousand() {
    let plan = plan();
    assert_eq!(plan.amount("delete_orphan"), Amount { count: 1_500, bytes: 1_500 * 1_499 / 2 });
    assert_eq!((plan.items.len(), plan.items[999].path.as_str()), (1_000, "999"));
    assert_eq!(plan.amount("copy"), Amount::default());
    let text = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), plan);
    assert!(text.starts_with(r#"{"operation":"VACUUM","read_version":7,"actions":{"delete_orphan":{"count":1500,"#), "{text}");
}

// spec: PLN-3
#[test]
fn requests_and_bytes_become_money_by_the_price_list() {
    let requests = Requests { list: 1_000, get: 2_000, head: 0, put: 3_000, copy: 0, delete: 5_000 };
    let done = plan().metered(Spent { requests, bytes_read: 3 << 30, bytes_written: 1 << 30 });
    let cost = Prices::of("aws").unwrap().cost(&done);
    assert!((cost.total - (0.005 + 0.0008 + 0.015)).abs() < 1e-12, "{cost:?}");
    let own = r#"{"source":"ours","currency":"EUR","per_1000":{"list":0,"get":1,"head":0,"put":0,"copy":0,"delete":0},
        "per_gib":{"read":0.5,"written":0.25}}"#;
    let cost = Prices::parse(own).unwrap().cost(&done);
    assert_eq!((cost.currency.as_str(), cost.requests, cost.transfer, cost.total), ("EUR", 2.0, 1.75, 3.75));
}

#[test]
fn every_price_list_that_comes_along_reads_and_bad_ones_are_refused() {
    assert!(["aws", "azure", "gcp"].into_iter().all(|name| Prices::of(name).is_some()));
    assert!(Prices::of("other").is_none());
    for bad in [
        "{}",
        "[]",
        r#"{"source":"","currency":"","per_1000":{"list":-1,"get":1,"head":0,"put":0,"copy":0,"delete":0},"per_gib":{"read":0,"written":0}}"#,
    ] {
        assert_eq!(Prices::parse(bad).unwrap_err().code(), Code::INPUT, "{bad}");
    }
}
