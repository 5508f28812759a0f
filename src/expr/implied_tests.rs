use crate::expr::{Expr, implied};
use crate::schema::{DataType, Struct};
use arrow::array::{ArrayRef, RecordBatch, StringArray, TimestampMicrosecondArray};
use std::sync::Arc;

const DAY: i64 = 86_400_000_000;

/// A column of times around interesting places, in ascending order, with a null.
fn times() -> Vec<Option<i64>> {
    let mut out: Vec<i64> = [-62_135_596_800_000_000, -DAY, -1, 0, 1, 19_782 * DAY, 253_402_300_800_000_000]
        .into_iter()
        .flat_map(|at: i64| [at - DAY, at - 3_600_000_000, at - 1, at, at + 1, at + 30 * 60_000_000, at + 20 * 3_600_000_000])
        .collect();
    out.sort_unstable();
    out.into_iter().map(Some).chain([None]).collect()
}

/// No row that fulfils the filter breaks what is implied, whatever zone its computed columns were made in.
fn holds(source: DataType, columns: &[(&str, &str, &str)], filters: &[String], zones: &[i64]) -> usize {
    let kind = source.to_string();
    let made: Vec<String> = columns.iter().map(|(name, data_type, _)| format!("{name} {data_type}")).collect();
    let schema = Struct::from_sql(&format!("at {kind}, {}", made.join(", "))).unwrap();
    let computed = || {
        columns.iter().map(|(name, _, sql)| {
            let bound = Expr::sql(sql).unwrap().bind(&schema).unwrap();
            ((*name).to_owned(), schema.field(name).unwrap().data_type.clone(), bound)
        })
    };
    let array = |shift: i64| -> ArrayRef {
        let values = TimestampMicrosecondArray::from_iter(times().into_iter().map(|v| v.map(|v| v + shift)));
        if source == DataType::Timestamp { Arc::new(values.with_timezone("UTC")) } else { Arc::new(values) }
    };
    let mut said = 0;
    for filter in filters {
        let bound = Expr::sql(filter).unwrap().bind(&schema).unwrap();
        let Some(implied) = implied(&bound, &schema, computed().collect()) else { continue };
        said += 1;
        let implied = implied.bind_rule(&schema).unwrap_or_else(|e| panic!("{filter}: {e}"));
        for zone in zones {
            // What another session computes: the expression over the time of its zone.
            let elsewhere = RecordBatch::try_from_iter_with_nullable([("at", array(*zone), true)]).unwrap();
            let mut fields = vec![("at".to_owned(), array(0))];
            fields.extend(computed().map(|(name, _, bound)| (name, bound.evaluate(&elsewhere).unwrap())));
            let rows = RecordBatch::try_from_iter_with_nullable(fields.into_iter().map(|(n, a)| (n, a, true))).unwrap();
            let (matches, kept) = (bound.matches(&rows).unwrap(), implied.matches(&rows).unwrap());
            for row in 0..matches.len() {
                assert!(!matches.value(row) || kept.value(row), "{filter} in zone {zone}: row {row} is lost by {}", implied.to_sql());
            }
        }
    }
    said
}

fn filters(kind: &str) -> Vec<String> {
    let literal =
        ["1970-01-01 00:00:00", "2024-02-29 13:45:06.5", "0001-01-01 00:00:00", "1969-12-31 23:59:59.999999", "9999-12-31 23:59:59"];
    let ops = ["<", "<=", "=", "<=>", ">=", ">"];
    let mut out: Vec<String> = literal.iter().flat_map(|l| ops.iter().map(move |op| format!("at {op} {kind}'{l}'"))).collect();
    out.push("at IS NULL".to_owned());
    out.push(format!("at IN ({kind}'{}', {kind}'{}')", literal[0], literal[1]));
    out.push(format!("at BETWEEN {kind}'{}' AND {kind}'{}'", literal[0], literal[1]));
    out
}

const COMPUTED: &[(&str, &str, &str)] = &[
    ("day", "DATE", "CAST(at AS DATE)"),
    ("y", "INT", "year(at)"),
    ("m", "INT", "month(at)"),
    ("d", "INT", "day(at)"),
    ("h", "INT", "hour(at)"),
    ("month_text", "STRING", "date_format(at, 'yyyy-MM')"),
    ("hour_text", "STRING", "date_format(at, 'yyyy-MM-dd-HH')"),
    ("first", "DATE", "trunc(at, 'MM')"),
    ("same", "STRING", "CAST(at AS STRING)"),
];

#[test]
fn times_that_match_are_kept_whatever_zone_wrote_them() {
    // spec: SKIP-8
    let zones = [0, 14 * 3_600_000_000, -12 * 3_600_000_000, 18 * 3_600_000_000, -18 * 3_600_000_000, 20_700_000_000];
    for columns in [COMPUTED, &COMPUTED[1..3], &COMPUTED[1..4], &COMPUTED[1..5], &COMPUTED[..1], &COMPUTED[5..6]] {
        let said = holds(DataType::Timestamp, columns, &filters("TIMESTAMP"), &zones);
        assert!(said > 15, "{said}");
    }
}

#[test]
fn local_times_that_match_are_kept() {
    // spec: SKIP-8
    for columns in [COMPUTED, &COMPUTED[1..5], &COMPUTED[..1]] {
        let said = holds(DataType::TimestampNtz, columns, &filters("TIMESTAMP_NTZ"), &[0]);
        assert!(said > 15, "{said}");
    }
}

#[test]
fn texts_that_match_are_kept_by_their_prefixes() {
    // spec: SKIP-8
    let schema = Struct::from_sql("s STRING, p STRING, q STRING").unwrap();
    let texts = ["", "a", "ab", "abc", "abcd", "abd", "b", "ä", "äö", "😀x", " a"];
    let computed = [("p", "substring(s, 1, 2)"), ("q", "upper(s)")]
        .map(|(name, sql)| (name.to_owned(), DataType::String, Expr::sql(sql).unwrap().bind(&schema).unwrap()));
    let all: Vec<Option<&str>> = texts.iter().copied().map(Some).chain([None]).collect();
    let s: ArrayRef = Arc::new(StringArray::from(all));
    let base = RecordBatch::try_from_iter_with_nullable([("s", s.clone(), true)]).unwrap();
    let column = |at: usize| computed[at].2.evaluate(&base).unwrap();
    let rows = RecordBatch::try_from_iter_with_nullable([("s", s, true), ("p", column(0), true), ("q", column(1), true)]).unwrap();
    let mut ruled_out = 0;
    for op in ["<", "<=", "=", ">=", ">"] {
        for text in texts {
            let filter = format!("s {op} '{text}'");
            let bound = Expr::sql(&filter).unwrap().bind(&schema).unwrap();
            let implied = implied(&bound, &schema, computed.to_vec()).unwrap().bind_rule(&schema).unwrap();
            let (matches, kept) = (bound.matches(&rows).unwrap(), implied.matches(&rows).unwrap());
            let lost = (0..rows.num_rows()).find(|row| matches.value(*row) && !kept.value(*row));
            assert_eq!(lost, None, "{filter}: {}", implied.to_sql());
            ruled_out += rows.num_rows() - kept.true_count();
        }
    }
    assert!(ruled_out > 200, "{ruled_out}");
}
