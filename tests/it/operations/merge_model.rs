//! MERGE against a model: nested loops over a few rows with SQL's three-valued logic, for random tables, conditions and clauses.
//!
//! `LAKEBED_SEED=<n>` runs one seed alone; `LAKEBED_TEST_SCALE=<n>` runs as many times more.

use super::merge::{merge, rows_of, table_of};
use crate::support::random::{Random, seeds};
use lakebed::{Code, Env};
use std::fmt::Write;

type Value = Option<i64>;
/// Of the target: k, v. Of the source: k, v.
type Row = [Value; 2];
type Test = fn(&Row, &Row) -> Option<bool>;
type Make = fn(&Row, &Row) -> Row;

const NOBODY: Row = [None, None];

fn cmp(a: Value, b: Value, holds: fn(i64, i64) -> bool) -> Option<bool> {
    Some(holds(a?, b?))
}
fn and(a: Option<bool>, b: Option<bool>) -> Option<bool> {
    match (a, b) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}
fn or(a: Option<bool>, b: Option<bool>) -> Option<bool> {
    and(a.map(|a| !a), b.map(|b| !b)).map(|x| !x)
}
fn eq(a: Value, b: Value) -> Option<bool> {
    cmp(a, b, |a, b| a == b)
}
fn lt(a: Value, b: Value) -> Option<bool> {
    cmp(a, b, |a, b| a < b)
}

const ON: &[(&str, Test)] = &[
    ("t.k = s.k", |t, s| eq(t[0], s[0])),
    ("s.k = t.k", |t, s| eq(t[0], s[0])),
    ("t.k = s.k", |t, s| eq(t[0], s[0])),
    ("t.k <=> s.k", |t, s| Some(t[0] == s[0])),
    ("t.k = s.k AND t.v = s.v", |t, s| and(eq(t[0], s[0]), eq(t[1], s[1]))),
    ("t.k = s.k AND t.v < s.v", |t, s| and(eq(t[0], s[0]), lt(t[1], s[1]))),
    ("t.k = s.k AND t.v > 1", |t, s| and(eq(t[0], s[0]), lt(Some(1), t[1]))),
    ("t.k = s.k AND s.v > 1", |t, s| and(eq(t[0], s[0]), lt(Some(1), s[1]))),
    ("t.k + 1 = s.k", |t, s| eq(t[0].map(|k| k + 1), s[0])),
    ("t.k = s.k OR t.v = s.v", |t, s| or(eq(t[0], s[0]), eq(t[1], s[1]))),
    ("t.k < s.k", |t, s| lt(t[0], s[0])),
    ("t.k = 2", |t, _| eq(t[0], Some(2))),
    ("s.k = 2", |_, s| eq(s[0], Some(2))),
    ("false", |_, _| Some(false)),
];
const MATCHED_IF: &[(&str, Test)] = &[
    ("s.v > 1", |_, s| lt(Some(1), s[1])),
    ("t.v IS NULL", |t, _| Some(t[1].is_none())),
    ("t.v < s.v", |t, s| lt(t[1], s[1])),
    ("t.k = 2 AND s.v IS NOT NULL", |t, s| and(eq(t[0], Some(2)), Some(s[1].is_some()))),
];
const MATCHED_MAKE: &[(&str, Option<Make>)] = &[
    ("DELETE", None),
    ("UPDATE SET *", Some(|_, s| *s)),
    ("UPDATE SET v = s.v", Some(|t, s| [t[0], s[1]])),
    ("UPDATE SET t.v = t.v + 10, k = s.v", Some(|t, s| [s[1], t[1].map(|v| v + 10)])),
    ("UPDATE SET v = NULL", Some(|t, _| [t[0], None])),
];
const INSERT_IF: &[(&str, Test)] = &[("s.v > 1", |_, s| lt(Some(1), s[1])), ("k IS NULL", |_, s| Some(s[0].is_none()))];
const INSERT_MAKE: &[(&str, Option<Make>)] = &[
    ("INSERT *", Some(|_, s| *s)),
    ("INSERT (k) VALUES (s.k)", Some(|_, s| [s[0], None])),
    ("INSERT (v, t.k) VALUES (k, v + 100)", Some(|_, s| [s[1].map(|v| v + 100), s[0]])),
];
const SOURCE_IF: &[(&str, Test)] = &[("t.v > 1", |t, _| lt(Some(1), t[1])), ("v IS NULL", |t, _| Some(t[1].is_none()))];
const SOURCE_MAKE: &[(&str, Option<Make>)] = &[
    ("DELETE", None),
    ("UPDATE SET v = 0", Some(|t, _| [t[0], Some(0)])),
    ("UPDATE SET v = v + 1, t.k = v", Some(|t, _| [t[1], t[1].map(|v| v + 1)])),
];

struct Clause {
    when: Option<Test>,
    make: Option<Make>,
}

/// Up to two clauses of a kind with their text.
fn clauses(
    random: &mut Random,
    kind: &str,
    tests: &[(&str, Test)],
    makes: &[(&str, Option<Make>)],
    texts: &mut Vec<String>,
) -> Vec<Clause> {
    let many = random.below(3);
    (0..many)
        .map(|at| {
            let bare = at + 1 == many && random.below(2) == 0;
            let (action, make) = random.pick(makes);
            let when = if bare { None } else { Some(random.pick(tests)) };
            let condition = when.map(|(text, _)| format!(" AND {text}")).unwrap_or_default();
            texts.push(format!("{kind}{condition} THEN {action}"));
            Clause { when: when.map(|(_, test)| test), make }
        })
        .collect()
}

fn first<'a>(clauses: &'a [Clause], t: &Row, s: &Row) -> Option<&'a Clause> {
    clauses.iter().find(|c| c.when.is_none_or(|when| when(t, s) == Some(true)))
}

fn random_rows(random: &mut Random, many: u64, distinct: bool) -> Vec<Row> {
    let many = random.below(many);
    let value = |random: &mut Random, of: u64| if random.below(6) == 0 { None } else { Some(random.below(of) as i64) };
    let mut rows: Vec<Row> = (0..many).map(|_| [value(random, 6), value(random, 4)]).collect();
    if distinct {
        rows.sort();
        rows.dedup_by_key(|row| row[0]);
    }
    rows
}

fn ndjson(rows: &[Row]) -> String {
    let text = |v: Value| v.map_or("null".to_owned(), |v| v.to_string());
    rows.iter().fold(String::new(), |mut out, [k, v]| {
        let _ = writeln!(out, "{{\"k\":{},\"v\":{}}}", text(*k), text(*v));
        out
    })
}

// spec: MRG-4, MRG-5, MRG-6, MRG-7, EXE-4
#[tokio::test(flavor = "multi_thread")]
async fn merges_do_what_nested_loops_do_in_memory_and_on_disk() {
    let mut seen = [0; 4];
    for seed in seeds(120) {
        let mut random = Random::new(seed);
        let (on_text, on) = random.pick(ON);
        let mut texts = Vec::new();
        let matched = clauses(&mut random, "MATCHED", MATCHED_IF, MATCHED_MAKE, &mut texts);
        let inserts = clauses(&mut random, "NOT MATCHED", INSERT_IF, INSERT_MAKE, &mut texts);
        let by_source = clauses(&mut random, "NOT MATCHED BY SOURCE", SOURCE_IF, SOURCE_MAKE, &mut texts);
        if texts.is_empty() {
            continue;
        }
        let files: Vec<Vec<Row>> = (0..1 + random.below(3)).map(|_| random_rows(&mut random, 10, false)).collect();
        let distinct = random.below(4) > 0;
        let source = random_rows(&mut random, 12, distinct);
        let target: Vec<Row> = files.iter().flatten().copied().collect();

        let matches = |t: &Row, s: &Row| on(t, s) == Some(true);
        let twice = target.iter().any(|t| source.iter().filter(|s| matches(t, s)).count() > 1);
        let single_delete = matches!(matched.as_slice(), [Clause { when: None, make: None }]);
        let refused = twice && !single_delete && !(matched.is_empty() && by_source.is_empty());
        let mut expected: Vec<Row> = Vec::new();
        for t in &target {
            let partner = source.iter().find(|s| matches(t, s));
            let clause = match partner {
                Some(s) => first(&matched, t, s),
                None => first(&by_source, t, &NOBODY),
            };
            match clause {
                None => expected.push(*t),
                Some(clause) => expected.extend(clause.make.map(|make| make(t, partner.unwrap_or(&NOBODY)))),
            }
        }
        for s in source.iter().filter(|s| !target.iter().any(|t| matches(t, s))) {
            expected.extend(first(&inserts, &NOBODY, s).and_then(|c| c.make).map(|make| make(&NOBODY, s)));
        }
        expected.sort();

        let vectors = random.below(2) == 0;
        let partitioned = random.below(3) == 0;
        let spills = random.below(3) == 0;
        let env = Env::system().with_threads(2);
        let env = if spills { env.with_memory_limit(12 << 10) } else { env };
        let about = format!(
            "LAKEBED_SEED={seed}: ON {on_text} WHEN {texts:?} target {files:?} source {source:?} vectors {vectors} partitioned {partitioned} spills {spills}"
        );
        let properties: &[(&str, &str)] = if vectors { &[("delta.enableDeletionVectors", "true")] } else { &[] };
        let batches: Vec<String> = files.iter().map(|rows| ndjson(rows)).collect();
        let batches: Vec<&str> = batches.iter().map(String::as_str).collect();
        let place = table_of(env, "k BIGINT, v BIGINT", if partitioned { &["v"] } else { &[] }, properties, &batches).await;
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let outcome = merge(&place, "k BIGINT, v BIGINT", &ndjson(&source), on_text, &texts).run().await;
        if refused {
            assert_eq!(outcome.expect_err(&about).code(), Code::MERGE_MULTI, "{about}");
            expected = target;
            expected.sort();
            seen[0] += 1;
        } else {
            let report = outcome.unwrap_or_else(|e| panic!("{about}: {e}"));
            seen[if report.version.is_some() { 1 } else { 2 }] += 1;
            seen[3] += usize::from(spills);
        }
        let mut found: Vec<Row> = rows_of(&place).await.iter().map(|row| [row["k"].as_i64(), row["v"].as_i64()]).collect();
        found.sort();
        assert_eq!(found, expected, "{about}");
    }
    println!("refused {}, committed {}, nothing to do {}, on disk {}", seen[0], seen[1], seen[2], seen[3]);
}
