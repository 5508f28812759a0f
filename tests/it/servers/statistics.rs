//! The statistics of files by lakebed are, text for text, those that Spark writes for the same rows. Left out is where Java spells a
//! number in another way: decimals below 0.000001 (`1E-9`), and numbers below the least normal one.

use crate::support::peers::spark;
use futures::{StreamExt, TryStreamExt};
use lakebed::{Table, WriteOptions};
use serde_json::Value;

/// One file of rows: columns, properties, and the rows as Spark's `VALUES`.
struct Case {
    name: &'static str,
    columns: &'static str,
    properties: &'static [(&'static str, &'static str)],
    rows: &'static [&'static str],
}

const CASES: &[Case] = &[
    Case {
        name: "integers",
        columns: "b TINYINT, s SMALLINT, n INT, i BIGINT",
        properties: &[],
        rows: &[
            "-128Y, -32768S, -2147483648, -9223372036854775808L",
            "127Y, 32767S, 2147483647, 9223372036854775807L",
            "NULL, NULL, NULL, NULL",
        ],
    },
    Case {
        name: "decimals of every width",
        columns: "a DECIMAL(5,2), b DECIMAL(18,0), c DECIMAL(38,18), d DECIMAL(38,38), e DECIMAL(9,9)",
        properties: &[],
        rows: &[
            "-1.50BD, -999999999999999999BD, -12345678901234567890.000000000000000001BD, -0.00000100000000000000000000000000000001BD, 0.000001BD",
            "12.34BD, 0BD, 99999999999999999999.999999999999999999BD, 0.99999999999999999999999999999999999999BD, 0.1BD",
        ],
    },
    Case {
        name: "floating numbers",
        columns: "f FLOAT, d DOUBLE, tiny DOUBLE, huge FLOAT",
        properties: &[],
        rows: &[
            "1.1F, 0.1D, 1.0E-7D, FLOAT('3.4028235E38')",
            "-2.5F, 123456789.125D, 2.2250738585072014E-308D, 1.0E10F",
            "16777216F, 1.0E21D, 0.001D, FLOAT('1.0E-10')",
        ],
    },
    Case {
        name: "NaN, infinities and the sign of zero",
        columns: "f FLOAT, d DOUBLE, all_nan DOUBLE, infinite DOUBLE, low DOUBLE, minus FLOAT",
        properties: &[],
        rows: &[
            "FLOAT('NaN'), 1.5D, DOUBLE('NaN'), DOUBLE('Infinity'), DOUBLE('-Infinity'), FLOAT('-0.0')",
            "2F, DOUBLE('NaN'), DOUBLE('NaN'), DOUBLE('-Infinity'), 1D, -1F",
        ],
    },
    Case {
        name: "dates and times",
        columns: "day DATE, at TIMESTAMP, wall TIMESTAMP_NTZ",
        properties: &[],
        rows: &[
            "DATE'0001-01-01', TIMESTAMP'0001-01-01 00:00:00Z', TIMESTAMP_NTZ'0001-01-01 00:00:00'",
            "DATE'9999-12-31', TIMESTAMP'9999-12-31 23:59:59.999999Z', TIMESTAMP_NTZ'9999-12-31 23:59:59.999999'",
        ],
    },
    Case {
        name: "times before 1970 and between milliseconds",
        columns: "at TIMESTAMP, wall TIMESTAMP_NTZ, day DATE",
        properties: &[],
        rows: &[
            "TIMESTAMP'1969-12-31 23:59:59.999999Z', TIMESTAMP_NTZ'1969-12-31 23:59:59.999001', DATE'1969-12-31'",
            "TIMESTAMP'1969-12-31 23:59:59.123456Z', NULL, DATE'1582-10-04'",
        ],
    },
    Case {
        name: "text",
        columns: "a STRING, empty STRING, quoted STRING, exact STRING, long STRING, accents STRING, faces STRING, half STRING, tilde STRING",
        properties: &[],
        rows: &[
            r#"'b', '', 'say "é" \\ \n\t\u0001 /', repeat('a', 32), repeat('a', 33), repeat('é', 40), repeat('😀', 40), concat('x', repeat('😀', 40)), concat(repeat('z', 32), '~~')"#,
            r#"'a', NULL, 'x', repeat('b', 32), repeat('m', 100), repeat('ü', 33), repeat('😁', 16), concat('x', repeat('😀', 15)), concat(repeat('z', 32), '\u007F')"#,
        ],
    },
    Case {
        name: "short prefix of text",
        columns: "a STRING, b STRING",
        properties: &[("delta.dataSkippingStringPrefixLength", "3")],
        rows: &["'abcdef', 'xyz'", "'abc', 'xy'"],
    },
    Case {
        name: "what has no bounds",
        columns: "t BOOLEAN, x BINARY, l ARRAY<INT>, m MAP<STRING, INT>, nothing BIGINT, no_text STRING",
        properties: &[],
        rows: &["true, X'01ff', array(1, NULL), map('k', 1), NULL, NULL", "NULL, NULL, NULL, NULL, NULL, NULL"],
    },
    Case {
        name: "structs",
        columns: "id INT, a STRUCT<x: INT, y: STRUCT<z: STRING, at: TIMESTAMP>, l: ARRAY<INT>>, none STRUCT<p: INT, q: STRUCT<r: DOUBLE>>",
        properties: &[],
        rows: &[
            "1, named_struct('x', 1, 'y', named_struct('z', 'a', 'at', TIMESTAMP'2024-01-01 00:00:00.123456Z'), 'l', array(1)), NULL",
            "2, named_struct('x', NULL, 'y', NULL, 'l', NULL), NULL",
            "3, NULL, NULL",
        ],
    },
    Case {
        name: "the first columns",
        columns: "a INT, s STRUCT<b: INT, c: INT, d: INT>, l ARRAY<INT>, e INT",
        properties: &[("delta.dataSkippingNumIndexedCols", "3")],
        rows: &["1, named_struct('b', 2, 'c', 3, 'd', 4), array(5), 6"],
    },
    Case { name: "no columns", columns: "a INT, b STRING", properties: &[("delta.dataSkippingNumIndexedCols", "0")], rows: &["1, 'x'"] },
    Case {
        name: "chosen columns",
        columns: "a INT, s STRUCT<b: INT, c: STRUCT<d: INT, e: STRING>>, `odd.name` INT, z STRING",
        properties: &[("delta.dataSkippingStatsColumns", "s.c,`odd.name`,z")],
        rows: &["1, named_struct('b', 2, 'c', named_struct('d', 3, 'e', 'x')), 4, 'z'"],
    },
    Case {
        name: "names of columns",
        columns: "`with space` INT, `quote\"d` INT, `ünïcode` INT, `UPPER` INT",
        properties: &[("delta.columnMapping.mode", "name")],
        rows: &["1, 2, 3, 4"],
    },
];

fn stats(location: &str, version: u64) -> String {
    let text = std::fs::read_to_string(format!("{location}/_delta_log/{version:020}.json")).unwrap();
    let adds: Vec<Value> = text.lines().map(|l| serde_json::from_str::<Value>(l).unwrap()["add"].take()).filter(|a| !a.is_null()).collect();
    assert_eq!(adds.len(), 1, "one file");
    adds[0]["stats"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn statistics_are_those_that_spark_writes_for_the_same_rows() {
    // spec: STA-1, STA-2, STA-3, STA-4, STA-5, STA-6, STA-7, STA-8, STA-9
    let folder = tempfile::tempdir().unwrap();
    let mut different = Vec::new();
    for case in CASES {
        let location = folder.path().join(case.name.replace(' ', "-"));
        let location = location.to_str().unwrap();
        let properties: Vec<String> = case.properties.iter().map(|(k, v)| format!("'{k}' = '{v}'")).collect();
        let properties = if properties.is_empty() { String::new() } else { format!("TBLPROPERTIES ({})", properties.join(", ")) };
        let rows: Vec<String> = case.rows.iter().map(|r| format!("({r})")).collect();
        spark(
            location,
            &[
                &format!("CREATE TABLE {{t}} ({}) USING DELTA {properties}", case.columns),
                &format!("INSERT INTO {{t}} SELECT /*+ COALESCE(1) */ * FROM VALUES {}", rows.join(", ")),
            ],
        );
        let table = Table::at(location).open().unwrap();
        let snapshot = table.snapshot().await.unwrap();
        let batches: Vec<_> = snapshot.scan().build().unwrap().stream().try_collect().await.unwrap();
        let schema = batches[0].schema();
        let again = snapshot.append(schema, futures::stream::iter(batches.into_iter().map(Ok)).boxed());
        let report = again.write_options(WriteOptions::default()).run().await.unwrap();
        let (theirs, ours) = (stats(location, 1), stats(location, report.version.unwrap().0));
        if theirs != ours {
            different.push(format!("{}\n  Spark   {theirs}\n  lakebed {ours}", case.name));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}
