use super::*;
use crate::env::Timestamp;
use crate::expr::Expr;
use crate::log::{Add, DomainMetadata, Metadata, Protocol, Txn, Version};
use crate::sim::build::{add, metadata, protocol, remove, root};
use crate::transaction::{OperationInfo, ReadScope};
use std::sync::Arc;

/// A table partitioned by `day` (a string) with a column `id`.
fn partitioned() -> Metadata {
    let field = |name: &str, kind: &str| format!(r#"{{"name":"{name}","type":"{kind}","nullable":true,"metadata":{{}}}}"#);
    let mut found = metadata();
    found.schema_string = format!(r#"{{"type":"struct","fields":[{},{}]}}"#, field("id", "long"), field("day", "string"));
    found.partition_columns = vec!["day".into()];
    found
}

fn base() -> Base {
    let state = Arc::new(TableState::new(protocol(), partitioned(), Vec::new()).unwrap());
    Base { version: Some(Version(4)), state, timestamp: Some(Timestamp(7)) }
}

fn work(how: impl FnOnce(&mut Work)) -> Work {
    let mut work = Work::new("mine".into(), Some(Version(4)), OperationInfo::default(), &root());
    how(&mut work);
    work
}

fn of_day(path: &str, day: &str) -> Add {
    let mut found = add(path, true);
    found.partition_values = [("day".to_owned(), Some(day.to_owned()))].into();
    found
}

fn winner(how: impl FnOnce(&mut Footprint)) -> Footprint {
    let mut found = Footprint { version: Version(5), ..Footprint::default() };
    how(&mut found);
    found
}

/// The rules that say no at this level.
fn verdict_at(level: Isolation, mine: &Work, theirs: &Footprint) -> Vec<&'static str> {
    let base = base();
    let mine = Mine { level, ..Mine::new(mine, &base) };
    RULES.iter().filter(|r| r.levels.contains(&level) && matches!((r.test)(&mine, theirs), Verdict::Conflict(_))).map(|r| r.id).collect()
}

fn verdict(mine: &Work, theirs: &Footprint) -> Vec<&'static str> {
    verdict_at(Isolation::Serializable, mine, theirs)
}

fn append() -> Work {
    work(|w| w.intent.adds.push(of_day("new", "mon")))
}

// spec: CON-1
#[test]
fn blind_append_passes_appends_removals_and_other_applications() {
    let theirs = winner(|f| {
        f.adds.push(of_day("theirs", "mon"));
        f.removes.push(remove("old", true));
        f.apps.push(Txn { app_id: "other".into(), version: 1, last_updated: None });
    });
    assert!(verdict(&append(), &theirs).is_empty());
}

// spec: C1
#[test]
fn protocol_changed_by_both_conflicts() {
    let theirs = winner(|f| f.protocol = Some(protocol()));
    assert_eq!(verdict(&work(|w| w.intent.protocol = Some(protocol())), &theirs), ["C1"]);
    assert!(verdict(&append(), &theirs).is_empty());
}

// spec: C1
#[test]
fn protocol_that_we_cannot_write_conflicts_and_one_that_joins_quietly_does_not() {
    let with = |names: &[&str]| {
        let mut found = protocol();
        found.writer_features.get_or_insert_default().extend(names.iter().map(|n| (*n).to_owned()));
        winner(|f| f.protocol = Some(found))
    };
    assert_eq!(verdict(&append(), &with(&["featureOfTheFuture"])), ["C1"]);
    assert!(verdict(&append(), &with(&["appendOnly"])).is_empty());
    let lowered = Protocol { min_reader_version: 1, min_writer_version: 2, reader_features: None, writer_features: None };
    assert_eq!(verdict(&append(), &winner(|f| f.protocol = Some(lowered))), ["C1"]);
}

// spec: C2
#[test]
fn metadata_changed_by_both_conflicts() {
    let theirs = winner(|f| f.metadata = Some(partitioned()));
    assert_eq!(verdict(&work(|w| w.intent.metadata = Some(partitioned())), &theirs), ["C2"]);
}

// spec: C2
#[test]
fn harmless_property_of_a_winner_passes_and_any_other_change_conflicts() {
    let set = |key: &str, value: &str| {
        let mut found = partitioned();
        found.configuration.insert(key.into(), value.into());
        winner(|f| f.metadata = Some(found))
    };
    assert!(verdict(&append(), &set("delta.checkpointPolicy", "v2")).is_empty());
    assert_eq!(verdict(&append(), &set("delta.checkpointPolicy", "classic")), ["C2"]);
    assert_eq!(verdict(&append(), &set("delta.appendOnly", "true")), ["C2"]);
    assert_eq!(verdict(&append(), &winner(|f| f.metadata = Some(metadata()))), ["C2"]);
}

/// `partitioned` with mapped columns, whose names in files `physical` tells.
fn mapped(mode: &str, physical: impl Fn(&str) -> String) -> Metadata {
    let mut found = partitioned();
    let column = |(id, (name, kind)): (usize, (&str, &str))| {
        let metadata = format!(r#"{{"delta.columnMapping.id":{},"delta.columnMapping.physicalName":"{}"}}"#, id + 1, physical(name));
        format!(r#"{{"name":"{name}","type":"{kind}","nullable":true,"metadata":{metadata}}}"#)
    };
    let columns: Vec<String> = [("id", "long"), ("day", "string")].into_iter().enumerate().map(column).collect();
    found.schema_string = format!(r#"{{"type":"struct","fields":[{}]}}"#, columns.join(","));
    found.configuration.insert("delta.columnMapping.mode".into(), mode.into());
    found.configuration.insert("delta.columnMapping.maxColumnId".into(), "2".into());
    found
}

// spec: C2
#[test]
fn names_that_are_those_of_the_files_pass_and_other_names_conflict() {
    let mut knows = protocol();
    knows.min_reader_version = 2;
    knows.writer_features.get_or_insert_default().push("columnMapping".to_owned());
    let taken_up = |metadata: Metadata| {
        winner(|f| {
            f.metadata = Some(metadata);
            f.protocol = Some(knows.clone());
        })
    };
    assert!(verdict(&append(), &taken_up(mapped("name", str::to_owned))).is_empty());
    assert_eq!(verdict(&append(), &taken_up(mapped("name", |name| format!("col-{name}")))), ["C2"]);
    assert_eq!(verdict(&append(), &taken_up(mapped("id", str::to_owned))), ["C2"]);
    let mut more = mapped("name", str::to_owned);
    more.configuration.insert("own".into(), "1".into());
    assert_eq!(verdict(&append(), &taken_up(more)), ["C2"]);
    assert_eq!(
        verdict(&append(), &winner(|f| f.metadata = Some(mapped("name", str::to_owned)))),
        ["C2"],
        "without the feature it means nothing"
    );
}

// spec: C2
#[test]
fn row_tracking_that_is_enabled_passes_and_other_columns_for_ids_conflict() {
    let (enabled, id, version) = (
        "delta.enableRowTracking",
        "delta.rowTracking.materializedRowIdColumnName",
        "delta.rowTracking.materializedRowCommitVersionColumnName",
    );
    let with = |pairs: &[(&str, &str)]| {
        let mut found = partitioned();
        found.configuration.extend(pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
        found
    };
    let theirs = winner(|f| f.metadata = Some(with(&[(enabled, "true"), (id, "a"), (version, "b")])));
    assert!(verdict(&append(), &theirs).is_empty());
    assert_eq!(verdict(&append(), &winner(|f| f.metadata = Some(with(&[(enabled, "false")])))), ["C2"]);
    let state = Arc::new(TableState::new(protocol(), with(&[(id, "other"), (version, "b")]), Vec::new()).unwrap());
    assert!(state.metadata_conflict(&TableState::new(protocol(), theirs.metadata.unwrap(), Vec::new()).unwrap()).is_some());
}

fn reader_of(sql: &str) -> Work {
    let schema = base().state.schema().clone();
    let predicate = Expr::sql(sql).unwrap().bind(&schema).unwrap();
    work(|w| w.reads.push(ReadScope::Predicate(predicate)))
}

// spec: C3
#[test]
fn file_added_to_a_partition_we_read_conflicts_and_to_another_does_not() {
    let theirs = winner(|f| f.adds.push(of_day("theirs", "tue")));
    assert_eq!(verdict(&reader_of("day = 'tue'"), &theirs), ["C3"]);
    assert!(verdict(&reader_of("day = 'mon'"), &theirs).is_empty());
}

// spec: C3
#[test]
fn file_whose_statistics_exclude_the_predicate_passes_and_one_without_conflicts() {
    let with = |stats: Option<&str>| {
        let mut file = of_day("theirs", "tue");
        file.stats = stats.map(str::to_owned);
        winner(|f| f.adds.push(file))
    };
    let stats = r#"{"numRecords":2,"minValues":{"id":1},"maxValues":{"id":9},"nullCount":{"id":0}}"#;
    assert!(verdict(&reader_of("id > 10"), &with(Some(stats))).is_empty());
    assert_eq!(verdict(&reader_of("id > 5"), &with(Some(stats))), ["C3"]);
    assert_eq!(verdict(&reader_of("id > 10"), &with(None)), ["C3"]);
    assert_eq!(verdict(&reader_of("id > 10"), &with(Some("not json"))), ["C3"]);
}

// spec: C3
#[test]
fn file_added_to_the_table_we_read_conflicts_unless_it_only_moves_rows() {
    let reader = work(|w| w.reads.push(ReadScope::Table));
    assert_eq!(verdict(&reader, &winner(|f| f.adds.push(add("theirs", true)))), ["C3"]);
    assert!(verdict(&reader, &winner(|f| f.adds.push(add("theirs", false)))).is_empty());
}

// spec: C3
#[test]
fn write_serializable_forgives_blind_appends_unless_we_change_metadata() {
    let mut reader = work(|w| w.reads.push(ReadScope::Table));
    let blind = winner(|f| {
        f.adds.push(add("theirs", true));
        f.blind_append = true;
    });
    let sighted = winner(|f| f.adds.push(add("theirs", true)));
    assert!(verdict_at(Isolation::WriteSerializable, &reader, &blind).is_empty());
    assert_eq!(verdict_at(Isolation::WriteSerializable, &reader, &sighted), ["C3"]);
    reader.intent.metadata = Some(partitioned());
    assert_eq!(verdict_at(Isolation::WriteSerializable, &reader, &blind), ["C3"]);
}

// spec: C4
#[test]
fn removal_of_a_file_we_read_by_path_conflicts_even_when_its_rows_only_moved() {
    let reader = work(|w| w.reads.push(ReadScope::Files(vec!["read".into()])));
    assert_eq!(verdict(&reader, &winner(|f| f.removes.push(remove("read", true)))), ["C4"]);
    // A compaction that passed here let a later removal of the compacted file pass too, and rows that were gone got copied.
    assert_eq!(verdict(&reader, &winner(|f| f.removes.push(remove("read", false)))), ["C4"]);
    assert!(verdict(&reader, &winner(|f| f.removes.push(remove("other", true)))).is_empty());
}

// spec: C4
#[test]
fn removal_of_a_file_that_our_predicate_may_match_conflicts() {
    let mut gone = remove("gone", true);
    assert_eq!(verdict(&reader_of("day = 'mon'"), &winner(|f| f.removes.push(gone.clone()))), ["C4"]);
    gone.partition_values = Some(of_day("gone", "tue").partition_values);
    assert!(verdict(&reader_of("day = 'mon'"), &winner(|f| f.removes.push(gone))).is_empty());
}

// spec: C5
#[test]
fn removal_of_a_file_that_we_remove_conflicts_even_when_only_rows_move() {
    let mine = work(|w| w.intent.removes.push(remove("both", false)));
    let theirs = winner(|f| f.removes.push(remove("both", false)));
    assert_eq!(verdict_at(Isolation::Snapshot, &mine, &theirs), ["C5"]);
    assert!(verdict_at(Isolation::Snapshot, &mine, &winner(|f| f.removes.push(remove("other", true)))).is_empty());
}

// spec: C4, C5
#[test]
fn one_file_is_one_file_however_each_writer_spells_its_path() {
    // Spark and lakebed write the first of each pair, delta-rs the second.
    for (ours, theirs) in [("day=a%20b/é", "day=a b/%C3%A9"), ("x%25y", "x%2525y"), ("x", "/t/x")] {
        let same = ours != "x%25y";
        for (ours, theirs) in [(ours, theirs), (theirs, ours)] {
            let theirs = winner(|f| {
                f.removes.push(remove(theirs, false));
                f.adds.push(add("compacted", false));
            });
            let expected = |id: &'static str| if same { vec![id] } else { vec![] };
            assert_eq!(verdict_at(Isolation::Snapshot, &work(|w| w.intent.removes.push(remove(ours, false))), &theirs), expected("C5"));
            assert_eq!(verdict_at(Isolation::Snapshot, &work(|w| w.intent.adds.push(add(ours, false))), &theirs), expected("C5"));
            assert_eq!(verdict(&work(|w| w.reads.push(ReadScope::Files(vec![ours.into()]))), &theirs), expected("C4"));
        }
    }
}

// spec: C6
#[test]
fn application_that_we_read_or_set_conflicts() {
    let theirs = winner(|f| f.apps.push(Txn { app_id: "etl".into(), version: 3, last_updated: None }));
    assert_eq!(verdict(&work(|w| w.reads.push(ReadScope::App("etl".into()))), &theirs), ["C6"]);
    let set = |id: &str| work(|w| w.intent.apps.push(Txn { app_id: id.into(), version: 3, last_updated: None }));
    assert_eq!(verdict(&set("etl"), &theirs), ["C6"]);
    assert!(verdict(&set("other"), &theirs).is_empty());
}

// spec: C7
#[test]
fn domain_that_we_write_conflicts() {
    let domain = |name: &str| DomainMetadata { domain: name.into(), configuration: "{}".into(), removed: false };
    let mine = work(|w| w.intent.domains.push(domain("a")));
    assert_eq!(verdict(&mine, &winner(|f| f.domains.push(domain("a")))), ["C7"]);
    assert!(verdict(&mine, &winner(|f| f.domains.push(domain("b")))).is_empty());
}

// spec: C8
#[test]
fn removal_from_the_table_we_read_conflicts_unless_rows_only_move() {
    let reader = work(|w| w.reads.push(ReadScope::Table));
    assert_eq!(verdict(&reader, &winner(|f| f.removes.push(remove("any", true)))), ["C8"]);
    assert!(verdict(&reader, &winner(|f| f.removes.push(remove("any", false)))).is_empty());
}

// spec: C8
#[test]
fn rows_that_moved_while_we_remove_the_table_conflict() {
    let replacing = work(|w| {
        w.reads.push(ReadScope::Table);
        w.intent.removes.push(remove("old", true));
    });
    let moved = winner(|f| f.adds.push(add("compacted", false)));
    assert_eq!(verdict(&replacing, &moved), ["C8"]);
    assert!(verdict(&work(|w| w.reads.push(ReadScope::Table)), &moved).is_empty());
}

// spec: C9
#[test]
fn a_row_that_went_counts_although_the_new_statistics_have_forgotten_it() {
    // Our merge read `id > 5`; theirs deleted such a row, and only rows up to 5 are left.
    let state = base().state;
    let read = Expr::sql("id > 5").unwrap().bind(state.schema()).unwrap();
    let reader = work(|w| w.reads.push(ReadScope::Predicate(read)));
    let theirs = |tight: &str| {
        let stats = format!(r#"{{"numRecords":9,"minValues":{{"id":1}},"maxValues":{{"id":5}},"nullCount":{{"id":0}}{tight}}}"#);
        let file = Add { stats: Some(stats), ..of_day("theirs", "mon") };
        winner(|f| f.lost_rows.push(crate::transaction::footprint::LostRows { before: None, file }))
    };
    assert_eq!(verdict(&reader, &theirs("")), ["C9"]);
    assert_eq!(verdict(&reader, &theirs(r#","tightBounds":true"#)), ["C9"]);
    // Wide ones hold for the rows that went, too.
    assert!(verdict(&reader, &theirs(r#","tightBounds":false"#)).is_empty());
}

// spec: C1
#[test]
fn the_first_commit_of_a_table_conflicts_with_any_other() {
    let base = Base { version: None, ..base() };
    let mine = append();
    let mine = Mine { level: Isolation::Serializable, ..Mine::new(&mine, &base) };
    let by = RULES.iter().find(|r| (r.test)(&mine, &winner(|_| {})) != Verdict::Clear).map(|r| r.id);
    assert_eq!(by, Some("C1"));
}

// spec: CON-2
#[test]
fn level_follows_the_table_and_falls_to_snapshot_for_moved_rows() {
    let level = |property: Option<&str>, how: &dyn Fn(&mut Work)| {
        let mut table = metadata();
        table.configuration.extend(property.map(|p| ("delta.isolationLevel".to_owned(), p.to_owned())));
        Isolation::of(&work(how).intent, &TableState::new(protocol(), table, Vec::new()).unwrap())
    };
    let writes = |w: &mut Work| w.intent.adds.push(add("a", true));
    let moves = |w: &mut Work| w.intent.adds.push(add("a", false));
    let moves_and_sets = |w: &mut Work| {
        w.intent.adds.push(add("a", false));
        w.intent.metadata = Some(metadata());
    };
    assert_eq!(level(None, &writes), Isolation::Serializable);
    assert_eq!(level(Some("writeserializable"), &writes), Isolation::WriteSerializable);
    assert_eq!(level(Some("unheard of"), &writes), Isolation::Serializable);
    assert_eq!(level(None, &moves), Isolation::Snapshot);
    assert_eq!(level(None, &moves_and_sets), Isolation::Serializable);
}

// spec: C10
#[test]
fn files_that_are_named_again_conflict_with_a_winner_that_changes_nothing() {
    let theirs = winner(|_| {});
    let again = work(|w| {
        w.intent.adds.push(add("old", true));
        w.intent.names_again = true;
    });
    for level in [Isolation::Serializable, Isolation::WriteSerializable, Isolation::Snapshot] {
        assert_eq!(verdict_at(level, &again, &theirs), ["C10"]);
        // Whoever changes files is no vacuum.
        assert!(!verdict_at(level, &again, &winner(|w| w.adds.push(add("new", true)))).contains(&"C10"));
        assert!(verdict_at(level, &append(), &theirs).is_empty());
    }
}

// spec: CON-3
#[test]
fn every_rule_is_in_the_specification_and_nothing_else_is() {
    let text = include_str!("../../spec/conflicts.md");
    let told: Vec<&str> = text.lines().filter_map(|l| l.strip_prefix("## ")?.split_once(' ')).map(|(id, _)| id).collect();
    let told: Vec<&str> = told.into_iter().filter(|id| id.starts_with('C') && id[1..].parse::<u32>().is_ok()).collect();
    let known: Vec<&str> = RULES.iter().map(|r| r.id).collect();
    assert_eq!(told, known);
}
