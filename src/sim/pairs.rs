//! Every pair of tiny transactions, on a table of two files and five rows, at both levels: what the rules let pass must equal a serial
//! order, and what they refuse although both orders agree is listed in `spec/conflicts.md`.

use super::build::{remove, root};
use super::tiny::{Placed, Row, Tiny, file, rows_of_vector, vector};
use crate::env::Timestamp;
use crate::expr::{BoundExpr, Expr};
use crate::log::{Add, DomainMetadata, Remove, Txn, VectorDescriptor, Version};
use crate::storage::PutOutcome;
use crate::transaction::{
    CommitMachine, CommitPolicy, Ending, Event, Footprint, OperationInfo, RULES, ReadScope, RowDelete, Rule, Step, Verdict, Winners, Work,
};
use roaring::RoaringTreemap;
use std::collections::BTreeMap;
use std::sync::Arc;

const NOW: Timestamp = Timestamp(1_000);

/// Which rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Where {
    Key(i64),
    Below(i64),
    Value(i64),
    All,
}

/// How rows go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Vector,
    Rewrite,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    Insert(i64),
    Delete(Where, Way),
    /// Adds ten to the value.
    Update(Where, Way),
    /// Adds one to the key, so that rows move into what others read.
    Shift(Where, Way),
    /// MERGE that updates the row of this key, or inserts it.
    Upsert(i64),
    /// MERGE that leaves the row of this key alone, or inserts it.
    InsertIfAbsent(i64),
    /// INSERT … SELECT of the rows of a key.
    Copy(i64),
    /// Inserts the number of rows.
    Count,
    /// Replaces the rows of a key.
    Replace(i64),
    Overwrite,
    /// Writes the rows of these files into one.
    Compact(usize, usize),
    SetProperty(&'static str, &'static str),
    /// Columns get ids, and the names that they have in files.
    MapColumns,
    SetDomain(&'static str),
    SetApp(&'static str),
    /// The file comes again with other statistics.
    Describe(usize),
}

const OPS: &[Op] = &[
    Op::Insert(1),
    Op::Insert(7),
    Op::Delete(Where::Key(1), Way::Vector),
    Op::Delete(Where::Key(2), Way::Vector),
    Op::Delete(Where::Key(3), Way::Vector),
    Op::Delete(Where::Below(3), Way::Vector),
    Op::Delete(Where::Value(4), Way::Vector),
    Op::Delete(Where::All, Way::Vector),
    Op::Delete(Where::Key(1), Way::Rewrite),
    Op::Delete(Where::Key(4), Way::Rewrite),
    Op::Update(Where::Key(1), Way::Vector),
    Op::Update(Where::Key(2), Way::Vector),
    Op::Update(Where::Key(4), Way::Vector),
    Op::Update(Where::Value(11), Way::Vector),
    Op::Update(Where::Below(4), Way::Vector),
    Op::Update(Where::Key(2), Way::Rewrite),
    Op::Shift(Where::Key(1), Way::Vector),
    Op::Shift(Where::Key(3), Way::Vector),
    Op::Shift(Where::Below(3), Way::Rewrite),
    Op::Upsert(2),
    Op::Upsert(7),
    Op::InsertIfAbsent(1),
    Op::InsertIfAbsent(7),
    Op::Copy(1),
    Op::Copy(7),
    Op::Count,
    Op::Replace(1),
    Op::Replace(7),
    Op::Overwrite,
    Op::Compact(0, 1),
    Op::Compact(1, 2),
    Op::Compact(0, 2),
    Op::SetProperty("delta.enableDeletionVectors", "true"),
    Op::SetProperty("note", "x"),
    Op::MapColumns,
    Op::SetDomain("mine"),
    Op::SetDomain("other"),
    Op::SetApp("etl"),
    Op::Describe(0),
];

impl Op {
    /// What it is called in the list of needless refusals.
    fn kind(&self) -> &'static str {
        match self {
            Op::Insert(_) => "insert",
            Op::Delete(_, Way::Vector) => "delete",
            Op::Delete(_, Way::Rewrite) => "delete by rewriting",
            Op::Update(_, Way::Vector) | Op::Shift(_, Way::Vector) => "update",
            Op::Update(_, Way::Rewrite) | Op::Shift(_, Way::Rewrite) => "update by rewriting",
            Op::Upsert(_) => "upsert",
            Op::InsertIfAbsent(_) => "insert if absent",
            Op::Copy(_) => "insert from select",
            Op::Count => "insert a count",
            Op::Replace(_) => "replace where",
            Op::Overwrite => "overwrite",
            Op::Compact(..) => "compact",
            Op::SetProperty("note", _) => "set a property",
            Op::SetProperty(..) => "turn vectors on",
            Op::MapColumns => "map columns",
            Op::SetDomain(_) => "set a domain",
            Op::SetApp(_) => "record an application",
            Op::Describe(_) => "new statistics",
        }
    }
}

impl Where {
    fn holds(self, (k, v): Row) -> bool {
        match self {
            Where::Key(key) => k == key,
            Where::Below(key) => k < key,
            Where::Value(value) => v == value,
            Where::All => true,
        }
    }
    fn bound(self, table: &Tiny) -> BoundExpr {
        let text = match self {
            Where::Key(key) => format!("k = {key}"),
            Where::Below(key) => format!("k < {key}"),
            Where::Value(value) => format!("v = {value}"),
            Where::All => "true".to_owned(),
        };
        Expr::sql(&text).and_then(|e| e.bind(table.state().schema())).expect("a predicate")
    }
}

fn whole(file: &Add, data_change: bool) -> Remove {
    Remove { deletion_vector: file.deletion_vector.clone(), partition_values: Some(Default::default()), ..remove(&file.path, data_change) }
}

/// What one operation wants on a table; `None` when it finds nothing to do.
fn stage(op: Op, table: &Tiny, who: &str) -> Option<Work> {
    let mut work = Work::new(who.to_owned(), Some(Version(table.version)), OperationInfo::default(), &root());
    let files: Vec<&Add> = table.files.values().collect();
    let all = || files.iter().map(|f| whole(f, true)).collect::<Vec<_>>();
    let read = |which: Where| which.bound(table);
    let (intent, reads) = (&mut work.intent, &mut work.reads);
    let mut change = |which: Where, way: Way, new: &dyn Fn(Row) -> Option<Row>| {
        for file_there in &files {
            let (hit, kept): (Vec<Placed>, Vec<Placed>) = table.living(file_there).into_iter().partition(|p| which.holds(p.row));
            let fresh: Vec<Row> = hit.iter().filter_map(|p| new(p.row)).collect();
            match (way, hit.is_empty()) {
                (_, true) => {}
                (Way::Vector, _) if !kept.is_empty() => {
                    let rows = hit.iter().map(|p| p.at).collect();
                    let vector = vector(&(&rows | &rows_of_vector(file_there.deletion_vector.as_ref())));
                    intent.row_deletes.push(RowDelete { file: (*file_there).clone(), rows: Arc::new(rows), vector });
                    intent.adds.extend((!fresh.is_empty()).then(|| file(&format!("{who}-{}", file_there.path.len()), &fresh, true)));
                }
                _ => {
                    intent.removes.push(whole(file_there, true));
                    let rows: Vec<Row> = kept.iter().map(|p| p.row).chain(fresh).collect();
                    intent.adds.extend((!rows.is_empty()).then(|| file(&format!("{who}-{}", file_there.path.len()), &rows, true)));
                }
            }
        }
    };
    match op {
        Op::Insert(k) => intent.adds.push(file(who, &[(k, k)], true)),
        Op::Delete(which, way) => {
            change(which, way, &|_| None);
            reads.push(ReadScope::Target(read(which)));
        }
        Op::Update(which, way) => {
            change(which, way, &|(k, v)| Some((k, v + 10)));
            reads.push(ReadScope::Target(read(which)));
        }
        Op::Shift(which, way) => {
            change(which, way, &|(k, v)| Some((k + 1, v)));
            reads.push(ReadScope::Target(read(which)));
        }
        Op::Upsert(k) => {
            change(Where::Key(k), Way::Vector, &|(k, v)| Some((k, v + 100)));
            if !table.rows().iter().any(|r| r.0 == k) {
                intent.adds.push(file(who, &[(k, 100)], true));
            }
            reads.push(ReadScope::Target(read(Where::Key(k))));
        }
        Op::InsertIfAbsent(k) => {
            if !table.rows().iter().any(|r| r.0 == k) {
                intent.adds.push(file(who, &[(k, 200)], true));
            }
            reads.push(ReadScope::Predicate(read(Where::Key(k))));
        }
        Op::Copy(k) => {
            let found: Vec<Row> = table.rows().into_iter().filter(|r| r.0 == k).map(|(k, v)| (k + 50, v)).collect();
            intent.adds.extend((!found.is_empty()).then(|| file(who, &found, true)));
            reads.push(ReadScope::Predicate(read(Where::Key(k))));
        }
        Op::Count => {
            intent.adds.push(file(who, &[(99, table.rows().len() as i64)], true));
            reads.push(ReadScope::Table);
        }
        Op::Replace(k) => {
            change(Where::Key(k), Way::Vector, &|_| None);
            intent.adds.push(file(&format!("{who}-new"), &[(k, 300)], true));
            reads.push(ReadScope::Target(read(Where::Key(k))));
        }
        Op::Overwrite => {
            intent.removes = all();
            intent.adds.push(file(who, &[(1, 500)], true));
            reads.push(ReadScope::Table);
        }
        Op::Compact(from, to) => {
            let chosen = files.get(from..to.min(files.len())).unwrap_or_default();
            let rows: Vec<Row> = chosen.iter().flat_map(|f| table.living(f)).map(|p| p.row).collect();
            intent.removes = chosen.iter().map(|f| whole(f, false)).collect();
            intent.adds.extend((!rows.is_empty()).then(|| file(who, &rows, false)));
            reads.push(ReadScope::Files(chosen.iter().map(|f| f.path.clone()).collect()));
        }
        Op::SetProperty(key, value) => {
            let mut metadata = table.metadata.clone();
            metadata.configuration.insert(key.to_owned(), value.to_owned());
            intent.metadata = Some(metadata);
        }
        Op::MapColumns => {
            let mut metadata = table.metadata.clone();
            let mapped = |(id, name): (usize, &str)| {
                let keys = format!(r#""delta.columnMapping.id":{},"delta.columnMapping.physicalName":"{name}""#, id + 1);
                format!(r#"{{"name":"{name}","type":"long","nullable":true,"metadata":{{{keys}}}}}"#)
            };
            let columns: Vec<String> = ["k", "v"].into_iter().enumerate().map(mapped).collect();
            metadata.schema_string = format!(r#"{{"type":"struct","fields":[{}]}}"#, columns.join(","));
            let properties = [("delta.columnMapping.mode", "name"), ("delta.columnMapping.maxColumnId", "2")];
            metadata.configuration.extend(properties.map(|(key, value)| (key.to_owned(), value.to_owned())));
            intent.metadata = Some(metadata);
        }
        Op::SetDomain(name) => {
            intent.domains.push(DomainMetadata { domain: name.to_owned(), configuration: who.to_owned(), removed: false });
        }
        Op::SetApp(app) => {
            let next = table.apps.get(app).map_or(1, |v| v + 1);
            intent.apps.push(Txn { app_id: app.to_owned(), version: next, last_updated: None });
            reads.push(ReadScope::App(app.to_owned()));
        }
        Op::Describe(at) => {
            let again = |f: &&Add| Add { data_change: false, tags: Some(Default::default()), ..(**f).clone() };
            intent.adds.extend(files.get(at).map(again));
        }
    }
    let empty = intent.adds.is_empty() && intent.removes.is_empty() && intent.row_deletes.is_empty();
    (!(empty && intent.metadata.is_none() && intent.domains.is_empty() && intent.apps.is_empty())).then_some(work)
}

/// A planted defect of the commit machine, or of who performs its steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Defect {
    None,
    /// The vector is written without the rows that the winner deleted.
    UnionForgetsTheirs,
    /// The vector is written without our own rows.
    UnionForgetsOurs,
    /// Rows that both deleted are not noticed.
    OverlapNotNoticed,
    /// The vector of the lost attempt is named again.
    LosersVectorReused,
    /// The `remove` does not name the vector that the file had.
    OldVectorNotNamed,
    /// What was read by a predicate is forgotten.
    ReadsForgotten,
    /// A file that only lost rows is not told from one that was read as it is.
    VectorsOfWinnersIgnored,
}

/// How a commit of work that was staged on `base` ends on `there`, where `winners` have landed in between.
fn commit(
    mut work: Work,
    base: &Tiny,
    winners: &[Arc<Footprint>],
    there: &Tiny,
    rules: &'static [Rule],
    defect: Defect,
) -> Result<Tiny, String> {
    let own: RoaringTreemap = work.intent.row_deletes.iter().flat_map(|r| r.rows.iter()).collect();
    let first: Vec<_> = work.intent.row_deletes.iter().map(|r| r.vector.clone()).collect();
    if defect == Defect::ReadsForgotten {
        work.reads = Default::default();
    }
    let mut machine = CommitMachine::new(Arc::new(work), base.base(), CommitPolicy::default(), 1).with_rules(rules);
    let mut event = Event::Start;
    loop {
        event = match machine.on(event, NOW) {
            Step::Put { version, body } if version.0 == there.version + 1 => {
                let mut commit = Footprint::read(version, &body).expect("a commit that we wrote is readable");
                if defect == Defect::OldVectorNotNamed {
                    commit.lost_rows.iter_mut().for_each(|lost| lost.before = None);
                }
                let mut after = there.clone();
                after.apply(&commit).map_err(|what| format!("broken: {what}"))?;
                return Ok(after);
            }
            Step::Put { .. } => Event::Put(PutOutcome::Exists),
            Step::Fetch { from, .. } => {
                let seen = |w: &Arc<Footprint>| match defect {
                    Defect::VectorsOfWinnersIgnored => Arc::new(Footprint { lost_rows: Vec::new(), ..(**w).clone() }),
                    _ => Arc::clone(w),
                };
                let commits = winners.iter().filter(|w| w.version >= from).map(seen).collect();
                Event::Fetched(Ok(Winners { commits, more: false }))
            }
            Step::LoadVectors(wanted) => {
                let load = |d: &_| match defect {
                    Defect::OverlapNotNoticed => rows_of_vector(Some(d)) - &own,
                    _ => rows_of_vector(Some(d)),
                };
                Event::Loaded(Ok(wanted.iter().map(|d| Arc::new(load(d))).collect()))
            }
            Step::StoreVectors(rows) => {
                let store = |rows: &RoaringTreemap| match defect {
                    // A cardinality that no check can find wrong.
                    Defect::UnionForgetsTheirs => named(vector(&own), rows),
                    Defect::UnionForgetsOurs => named(vector(&(rows - &own)), rows),
                    _ => vector(rows),
                };
                let reused = first.iter().zip(&rows).map(|(old, rows)| named(old.clone(), rows)).collect();
                Event::Stored(Ok(if defect == Defect::LosersVectorReused { reused } else { rows.iter().map(store).collect() }))
            }
            Step::Sleep(_) => Event::Woke,
            Step::Done(Ok(Ending::Conflicted { rule, .. })) => return Err(rule.to_owned()),
            Step::Done(other) => return Err(format!("broken: {other:?}")),
        };
    }
}

/// A descriptor that claims to hold as many rows as it should.
fn named(vector: VectorDescriptor, rows: &RoaringTreemap) -> VectorDescriptor {
    VectorDescriptor { cardinality: rows.len() as i64, ..vector }
}

/// The table after the operation, when nobody else is there.
fn alone(op: Op, table: &Tiny, who: &str) -> Tiny {
    let Some(work) = stage(op, table, who) else { return table.clone() };
    commit(work, table, &[], table, RULES, Defect::None).unwrap_or_else(|what| panic!("{op:?} alone: {what}"))
}

/// The commit of an operation on `table`, as others see it.
fn footprint(op: Op, table: &Tiny, who: &str) -> Option<Arc<Footprint>> {
    let mut machine = CommitMachine::new(Arc::new(stage(op, table, who)?), table.base(), CommitPolicy::default(), 1);
    let Step::Put { version, body } = machine.on(Event::Start, NOW) else { panic!("{op:?} puts nothing") };
    Some(Arc::new(Footprint::read(version, &body).expect("readable")))
}

/// How many pairs passed, and the needless refusals by rule and kinds.
#[derive(Debug, Default)]
struct Judged {
    pairs: usize,
    allowed: usize,
    refused: usize,
    needless: BTreeMap<(String, &'static str, &'static str), usize>,
}

/// Judges every pair at a level, or tells the first one that equals no serial order.
fn judge(level: &str, rules: &'static [Rule], defect: Defect) -> Result<Judged, String> {
    let mut judged = Judged::default();
    let table = Tiny::new(level);
    for first in OPS {
        let Some(winner) = footprint(*first, &table, "x") else { continue };
        let after_first = alone(*first, &table, "x");
        for second in OPS {
            let Some(work) = stage(*second, &table, "y") else { continue };
            let in_order = alone(*second, &after_first, "y").seen();
            let reversed = alone(*first, &alone(*second, &table, "y"), "x").seen();
            judged.pairs += 1;
            match commit(work, &table, &[Arc::clone(&winner)], &after_first, rules, defect) {
                Ok(after) => {
                    judged.allowed += 1;
                    let after = after.seen();
                    let serial = after == in_order || (level != "Serializable" && after == reversed);
                    if !serial {
                        return Err(format!(
                            "{level}: {second:?} passed {first:?} and made\n{after}\nnot\n{in_order}\nnor (reversed)\n{reversed}"
                        ));
                    }
                }
                Err(rule) if rule.starts_with("broken") => return Err(format!("{level}: {second:?} after {first:?}: {rule}")),
                Err(rule) => {
                    judged.refused += 1;
                    if in_order == reversed {
                        *judged.needless.entry((rule, first.kind(), second.kind())).or_default() += 1;
                    }
                }
            }
        }
    }
    Ok(judged)
}

const LEVELS: [&str; 2] = ["Serializable", "WriteSerializable"];
const BEGIN: &str = "<!-- needless refusals: begin -->\n";
const END: &str = "<!-- needless refusals: end -->";

/// The list of `spec/conflicts.md`.
fn listed(judged: &[Judged]) -> String {
    let mut text = String::new();
    for (level, judged) in LEVELS.iter().zip(judged) {
        let needless: usize = judged.needless.values().sum();
        let Judged { pairs, allowed, refused, .. } = judged;
        text += &format!("\n{level}: of {pairs} pairs {allowed} pass and {refused} are refused, {needless} of them needlessly:\n\n");
        let mut lines: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
        for ((rule, first, second), times) in &judged.needless {
            lines.entry((rule, first)).or_default().push(format!("{second} ({times})"));
        }
        for ((rule, first), seconds) in lines {
            text += &format!("- {rule}, after {first}: {}\n", seconds.join(", "));
        }
    }
    text
}

// spec: CON-4
#[test]
fn every_pair_that_passes_equals_a_serial_order_and_every_needless_refusal_is_listed() {
    let judged: Vec<Judged> =
        LEVELS.iter().map(|level| judge(level, RULES, Defect::None).unwrap_or_else(|what| panic!("{what}"))).collect();
    println!("{judged:?}");
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("spec/conflicts.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (head, rest) = text.split_once(BEGIN).expect("the list begins");
    let (found, tail) = rest.split_once(END).expect("the list ends");
    let wanted = listed(&judged);
    if std::env::var_os("LAKEBED_BLESS").is_some() {
        std::fs::write(&path, format!("{head}{BEGIN}{wanted}\n{END}{tail}")).unwrap();
        return;
    }
    assert_eq!(found.trim(), wanted.trim(), "the list is out of date: run this test with LAKEBED_BLESS=1");
}

fn without(id: &str) -> &'static [Rule] {
    RULES.iter().copied().filter(|rule| rule.id != id).collect::<Vec<_>>().leak()
}

#[test]
fn every_rule_about_rows_is_needed_by_some_pair() {
    for id in ["C2", "C3", "C4", "C5", "C6", "C8", "C9"] {
        assert!(judge("Serializable", without(id), Defect::None).is_err(), "no pair needs {id}");
    }
}

#[test]
fn every_planted_defect_about_rows_is_found_by_some_pair() {
    let defects = [
        Defect::UnionForgetsTheirs,
        Defect::UnionForgetsOurs,
        Defect::OverlapNotNoticed,
        Defect::LosersVectorReused,
        Defect::OldVectorNotNamed,
        Defect::ReadsForgotten,
        Defect::VectorsOfWinnersIgnored,
    ];
    for defect in defects {
        let found = judge("Serializable", RULES, defect);
        assert!(found.is_err(), "{defect:?} was not found");
        println!("{defect:?}: {}", found.unwrap_err());
    }
    assert!(judge("Serializable", clear_of_vectors(), Defect::None).is_err(), "a union that is left out was not found");
}

/// The rules, of which one lets pass what should be united.
fn clear_of_vectors() -> &'static [Rule] {
    let clear = |rule: &Rule| if rule.id == "C9" { Rule { test: |_, _| Verdict::Clear, ..*rule } } else { *rule };
    RULES.iter().map(clear).collect::<Vec<_>>().leak()
}

// spec: C9
#[test]
fn rows_of_one_file_that_are_deleted_apart_both_go() {
    let table = Tiny::new("Serializable");
    let (one, two) = (Op::Delete(Where::Key(1), Way::Vector), Op::Update(Where::Key(2), Way::Vector));
    let winner = footprint(one, &table, "x").unwrap();
    let after = commit(stage(two, &table, "y").unwrap(), &table, &[winner], &alone(one, &table, "x"), RULES, Defect::None).unwrap();
    assert_eq!(after.rows(), [(2, 12), (3, 3), (4, 4), (8, 8)]);
    let same = footprint(one, &table, "x").unwrap();
    let again = commit(stage(one, &table, "y").unwrap(), &table, &[same], &alone(one, &table, "x"), RULES, Defect::None);
    assert_eq!(again.unwrap_err(), "C9");
}
