use super::super::state::tests::{field, metadata, protocol};
use super::*;

fn domain(name: &str, configuration: &str, removed: bool) -> DomainMetadata {
    DomainMetadata { domain: name.into(), configuration: configuration.into(), removed }
}

fn state(names: &[&str], live: Vec<DomainMetadata>) -> TableState {
    TableState::new(protocol(1, 7, &[], names), metadata(&field("id", r#""long""#, "{}"), &[]), live).expect("a state")
}

// spec: FEA-24
#[test]
fn users_set_and_drop_domains_of_their_own_only() {
    let table = state(&["domainMetadata"], vec![domain("team.a", "old", false)]);
    table.check_user_domain(&domain("team.b", "{}", false)).expect("a domain of the user's own");
    table.check_user_domain(&domain("team.a", "", true)).expect("one that is there");
    let refused = [domain("delta.rowTracking", "{}", false), domain("Delta.other", "{}", false), domain("team.b", "", true)];
    for refused in refused {
        assert_eq!(table.check_user_domain(&refused).expect_err("refused").code(), Code::INPUT, "{refused:?}");
    }
    assert_eq!(state(&[], vec![]).check_user_domain(&domain("team.b", "{}", false)).expect_err("refused").code(), Code::INPUT);
}

// spec: FEA-24
#[test]
fn a_domain_that_is_dropped_keeps_what_it_said() {
    let table = state(&["domainMetadata"], vec![domain("team.a", "old", false)]);
    let mut draft = CommitDraft { domains: vec![domain("team.a", "", true), domain("team.b", "new", false)], ..CommitDraft::default() };
    table.stamp_commit(&table, &mut draft).expect("stamped");
    assert_eq!(draft.domains, [domain("team.a", "old", true), domain("team.b", "new", false)]);
}
