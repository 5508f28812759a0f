//! Expressions have, value by value and with their types, the results that Spark gives for them.

use crate::support::peers::{ask, spark};
use arrow::array::{Array, AsArray, RecordBatch};
use futures::TryStreamExt;
use lakebed::{Expr, Table};
use serde_json::{Value, json};

const COLUMNS: &str = "id INT, n INT, b BIGINT, sm SMALLINT, d DOUBLE, f FLOAT, dec DECIMAL(10,2), big DECIMAL(38,10), s STRING, t STRING, \
                       day DATE, ts TIMESTAMP, ntz TIMESTAMP_NTZ, flag BOOLEAN, bin BINARY, a ARRAY<INT>, m MAP<STRING, INT>, dd DATE";
const ROWS: &[&str] = &[
    "1, 7, 3000000000, 12S, 2.5D, 1.25F, 12.35BD, 1234567890.0123456789BD, 'Hello World', 'lo', DATE'2024-02-29', TIMESTAMP'2024-02-29 13:45:06.123456', TIMESTAMP_NTZ'2024-12-31 23:59:59.999999', true, X'00ff10', array(1, 2, 3), map('k', 1, 'l', 2), DATE'2024-01-31'",
    "2, -7, -1, -12S, -2.5D, -0.5F, -12.35BD, -0.5BD, '', 'x', DATE'1969-12-31', TIMESTAMP'1969-12-31 23:59:59.5', TIMESTAMP_NTZ'1900-01-01 00:00:00', false, X'', array(3, NULL, 1), map('x', NULL), DATE'1970-03-31'",
    "3, 0, 0, 0S, 0.0D, DOUBLE('-0.0'), 0.00BD, 0BD, 'äöü ß 😀 É', 'ö', DATE'0001-01-01', TIMESTAMP'0001-01-01 00:00:00', TIMESTAMP_NTZ'1582-10-15 12:00:00', NULL, X'ff', array(), map(), DATE'2000-02-29'",
    "4, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL",
    "5, 123456, 1234567890123, 300S, 1.005D, FLOAT('3.4028235E38'), 99999999.99BD, 99999999999999999999.9999999999BD, 'a,b,,c', ',', DATE'9999-12-31', TIMESTAMP'9999-12-31 23:59:59.999999', TIMESTAMP_NTZ'2024-02-29 00:00:00.000001', true, X'616263', array(5), map('k', 9), DATE'2023-12-31'",
    "6, 3, 5, 1S, DOUBLE('NaN'), FLOAT('NaN'), 0.05BD, 0.0000000001BD, ' the quick  brown-fox o''neill ', 'o', DATE'2021-01-03', TIMESTAMP'2021-01-03 00:00:00', TIMESTAMP_NTZ'2021-01-03 11:59:59', false, X'deadbeef', array(-1, 7), map('k', -1), DATE'2021-11-30'",
    "7, 2, 10, 2S, 1.0E10D, 1.0E10F, 2.50BD, 2.5BD, 'aaa', 'aa', DATE'2000-12-31', TIMESTAMP'2016-12-31 12:00:00', TIMESTAMP_NTZ'2016-02-28 12:30:00', true, X'00', array(2, 2), map('k', 0), DATE'1999-12-31'",
];

/// Whole expressions; each is asked of every row.
const EXPRESSIONS: &[&str] = &[
    // text
    "upper(s)", "lower(s)", "initcap(s)", "length(s)", "char_length(t)", "octet_length(s)", "bit_length(s)", "reverse(s)", "trim(s)", "ltrim(s)", "rtrim(s)",
    "substring(s, 2, 3)", "substring(s, -3, 2)", "substring(s, 0, 2)", "substr(s, n)", "left(s, 3)", "right(s, 3)", "left(s, n)", "concat(s, '-', t)", "s || t",
    "concat_ws('-', s, t, 'x')", "concat_ws(t, 'a', s)", "concat_ws('-')", "instr(s, t)", "instr(s, '')", "locate(t, s)", "locate('o', s, 6)", "locate('o', s, 0)", "locate('', s, 3)", "position('o', s)",
    "lpad(s, 5, 'xy')", "rpad(s, 5, 'xy')", "lpad(t, 3)", "rpad(t, 3)", "lpad(s, -1, 'x')", "lpad(t, 4, '')", "rpad(s, 20, 'ö')", "translate(s, 'lo', 'L')", "translate(s, 'äo', 'ao')",
    "replace(s, t, '*')", "replace(s, 'l')", "repeat(t, 3)", "repeat(t, -1)", "repeat(t, n % 4)", "space(3)", "ascii(s)", "chr(65)", "chr(n)", "char(321)", "split_part(s, ',', 2)", "split_part(s, ',', -1)", "split_part(s, 'zz', 2)",
    "substring_index(s, 'o', 1)", "substring_index(s, 'o', -1)", "substring_index(s, ',', 2)", "substring_index(s, ',', -2)", "substring_index(s, ',', 0)",
    "split(s, ',')[0]", "size(split(s, ','))", "split(s, ',', 2)[0]", "size(split(s, '\\\\.'))", "size(split(s, '[ ]'))",
    "startswith(s, 'He')", "endswith(s, 'ld')", "contains(s, t)", "s LIKE '%o%'", "s LIKE 'a_a'", "s ILIKE 'HELLO%'", "s RLIKE '^[A-Z].*d$'", "s rlike '\\\\d'", "s rlike '\\\\w+,\\\\w+'",
    "regexp_replace(s, 'o', '0')", "regexp_replace(s, '([a-z])o', '<$1>')", "regexp_replace(s, '\\\\s+', ' ')", "regexp_replace(s, '[^a-z]', '')", "regexp_extract(s, '(\\\\w+) (\\\\w+)', 2)", "regexp_extract(s, '([a-z])([a-z])')",
    "regexp_extract(s, 'o.', 0)", "regexp_extract(s, '(x)?(o)', 1)", "regexp_extract(s, '(x)?(o)', 2)", "levenshtein(s, t)", "hex(s)", "hex(n)", "hex(b)", "hex(bin)", "hex(unhex('4D7'))", "hex(unhex('zz'))", "base64(bin)", "base64(s)", "bin(n)", "md5(s)", "md5(bin)", "crc32(s)", "crc32(bin)",
    // hashes
    "hash(n)", "hash(b)", "hash(sm)", "hash(s)", "hash(d)", "hash(f)", "hash(dec)", "hash(big)", "hash(flag)", "hash(day)", "hash(ts)", "hash(ntz)", "hash(bin)", "hash(n, s, d)", "hash(NULL)", "hash('abcdefghijklm')",
    "xxhash64(n)", "xxhash64(b)", "xxhash64(sm)", "xxhash64(s)", "xxhash64(d)", "xxhash64(f)", "xxhash64(dec)", "xxhash64(big)", "xxhash64(flag)", "xxhash64(day)", "xxhash64(ts)", "xxhash64(bin)", "xxhash64(n, s, b)",
    "xxhash64(repeat('abcdefghijklmnopqrstuvwxyz', 3))", "pmod(hash(s), 16)", "abs(hash(n) % 8)",
    // numbers
    "abs(n)", "abs(dec)", "sign(d)", "signum(n)", "negative(n)", "-d", "+n", "positive(n)", "n + b", "n * 2.5", "dec + 1", "dec * dec", "n - sm", "n / 2", "b / 3", "d / 2", "dec / 2", "7 / 2", "n % 3", "b % 4", "d % 2", "dec % 3", "mod(n, 3)", "pmod(n, 3)", "pmod(-7, 3)", "pmod(n, -3)", "pmod(d, 3)", "pmod(b, n + 1000)",
    "n div 2", "b div 7", "-7 div 2", "floor(d)", "ceil(f)", "ceiling(dec)", "floor(dec)", "floor(n)", "round(d)", "round(d, 2)", "round(dec, 1)", "round(dec)", "round(dec, -1)", "round(n, -1)", "round(n)", "round(2.5D)", "round(-2.5D)", "round(1.005D, 2)", "round(0.285D, 2)", "bround(2.5D)", "bround(3.5D)", "bround(dec, 1)", "bround(n, -1)", "bround(d)", "rint(d)", "round(big, 3)",
    "sqrt(abs(n))", "sqrt(n)", "cbrt(27)", "exp(1)", "exp(sm / 10)", "ln(d)", "ln(n)", "log(10)", "log(2, n)", "log10(n)", "log2(n)", "log1p(n)", "expm1(0)", "pow(n, 2)", "power(2, 0.5)", "pow(d, 0)", "sin(0)", "cos(0)", "atan2(0, 1)", "degrees(0)", "radians(180)", "pi()", "e()", "hypot(3, 4)", "factorial(5)", "factorial(n)", "shiftleft(n, 2)", "shiftright(n, 1)", "shiftleft(b, 33)",
    "greatest(n, sm, 3)", "least(n, b)", "greatest(s, t)", "greatest(d, 1)", "isnan(d)", "isnan(f)", "n > 3 AND d < 5", "n BETWEEN 0 AND 5", "n IN (1, 2, NULL)", "d = DOUBLE('NaN')", "d > 1", "f = 0", "n <=> NULL", "flag OR n > 0", "NOT flag",
    // nulls and choices
    "coalesce(n, b, 0)", "nvl(s, 'none')", "ifnull(n, -1)", "nvl2(n, 'a', 'b')", "nullif(n, 7)", "nullif(s, '')", "if(n > 0, 'pos', 'other')", "CASE WHEN n > 0 THEN 1 WHEN n < 0 THEN -1 ELSE 0 END", "CASE n WHEN 7 THEN 'seven' END", "isnull(n)", "isnotnull(n)", "equal_null(n, 7)",
    // casts
    "CAST(n AS STRING)", "CAST(d AS STRING)", "CAST(f AS STRING)", "CAST(dec AS STRING)", "CAST(big AS STRING)", "CAST(day AS STRING)", "CAST(ts AS STRING)", "CAST(ntz AS STRING)", "CAST(flag AS STRING)", "CAST(bin AS STRING)", "CAST(sm AS BIGINT)", "CAST(n AS DOUBLE)", "CAST(n AS DECIMAL(12,2))", "CAST(dec AS INT)", "CAST(dec AS DOUBLE)", "CAST(dec AS DECIMAL(12,1))", "CAST(n AS BOOLEAN)", "CAST(flag AS INT)",
    "CAST(ts AS DATE)", "CAST(day AS TIMESTAMP)", "CAST(ntz AS DATE)", "CAST(ts AS TIMESTAMP_NTZ)", "CAST('12' AS INT)", "CAST(' 12 ' AS BIGINT)", "CAST('1.5' AS DOUBLE)", "CAST('2024-02-29' AS DATE)", "CAST('2024-02-29 10:00:00' AS TIMESTAMP)", "CAST('true' AS BOOLEAN)", "TRY_CAST(s AS INT)", "TRY_CAST('99999999999' AS INT)", "n::string", "int('5')", "double(n)", "string(day)", "date(ts)", "timestamp(day)",
    // dates
    "year(day)", "month(day)", "day(day)", "dayofmonth(ts)", "dayofweek(day)", "weekday(day)", "dayofyear(day)", "weekofyear(day)", "quarter(day)", "hour(ts)", "minute(ts)", "second(ts)", "hour(ntz)", "year(ts)", "extract(YEAR FROM ts)", "extract(MONTH FROM day)", "dayname(day)", "monthname(day)",
    "date_add(dd, 1)", "date_sub(dd, 1)", "date_add(dd, n)", "datediff(dd, DATE'2000-01-01')", "dd + 1", "dd - 1", "add_months(dd, 1)", "add_months(dd, -12)", "add_months(dd, n % 5)", "last_day(day)", "next_day(dd, 'Mon')", "next_day(dd, 'sunday')", "make_date(2024, 2, 29)", "make_date(2000 + sm, 1, 1)", "months_between(dd, DATE'2000-01-31')", "months_between(dd, DATE'2001-05-15')", "months_between(ts, TIMESTAMP'2000-01-31 10:00:00')", "months_between(ts, TIMESTAMP'2000-01-31 10:00:00', false)",
    "trunc(day, 'MM')", "trunc(day, 'year')", "trunc(day, 'week')", "trunc(day, 'quarter')", "trunc(day, 'x')", "trunc(ts, 'month')", "date_trunc('HOUR', ts)", "date_trunc('DAY', ts)", "date_trunc('MONTH', ts)", "date_trunc('YEAR', ts)", "date_trunc('WEEK', ts)", "date_trunc('QUARTER', ts)", "date_trunc('MINUTE', ts)", "date_trunc('SECOND', ts)", "date_trunc('MILLISECOND', ts)", "date_trunc('DAY', day)",
    "date_format(ts, 'yyyy-MM-dd HH:mm:ss')", "date_format(ts, 'yyyy-MM')", "date_format(ts, 'yyyy-MM-dd-HH')", "date_format(day, 'yyyyMMdd')", "date_format(ts, 'yy/M/d h:m:s a')", "date_format(ts, 'EEE, d MMM yyyy')", "date_format(ts, 'EEEE MMMM')", "date_format(ts, 'HH:mm:ss.SSS')", "date_format(ts, 'SSSSSS')", "date_format(ts, 'D k K')", "date_format(ts, \"yyyy'T'HH\")", "date_format(ntz, 'yyyy-MM-dd HH')", "date_format(ts, 'DDD')", "date_format(ts, 'y')",
    "unix_timestamp(ts)", "unix_timestamp(day)", "unix_timestamp('2024-02-29 10:00:00')", "unix_timestamp('2024-02-29', 'yyyy-MM-dd')", "to_unix_timestamp(ts)", "unix_seconds(ts)", "unix_millis(ts)", "unix_micros(ts)", "unix_date(day)", "timestamp_seconds(b)", "timestamp_millis(b)", "timestamp_micros(b)", "date_from_unix_date(n)", "from_unixtime(n)", "from_unixtime(sm, 'yyyy-MM-dd')", "to_date('2024-02-29')", "to_date('29/02/2024', 'dd/MM/yyyy')", "to_date('20240229', 'yyyyMMdd')", "to_timestamp('2024-02-29 10:11:12', 'yyyy-MM-dd HH:mm:ss')", "to_timestamp('2024-02-29 10:11:12.5')", "to_date(ts)", "make_timestamp(2024, 2, 29, 10, 11, 12.5)",
    "dd + INTERVAL 1 DAY", "dd - INTERVAL 1 MONTH", "dd + INTERVAL 1 YEAR 2 MONTHS", "ts - INTERVAL 2 HOURS", "ntz - INTERVAL '3' DAY", "dd + INTERVAL '1 day'", "dd + INTERVAL 3 HOURS", "ts > TIMESTAMP'2020-01-01' - INTERVAL 30 DAYS",
    // arrays and maps
    "size(a)", "size(m)", "cardinality(a)", "array_size(a)", "array_contains(a, 3)", "array_contains(a, 4)", "m['k']", "m['zz']", "element_at(m, 'k')", "element_at(m, s)",
];

/// Expressions that Spark has and that are refused: by name or by what they need, never answered otherwise.
const REFUSED: &[&str] = &[
    "rand()", "uuid()", "current_timestamp()", "current_date()", "now()", "current_user()", "monotonically_increasing_id()", "sha2(s, 256)", "soundex(s)", "regexp_replace(s, '(?=o)', 'x')", "regexp_extract(s, '(a)\\\\1', 1)", "date_format(ts, 'G')",
    "from_json(s, 'a INT')", "count(n)", "sum(n)", "row_number() OVER ()", "(SELECT 1)",
];

/// Expressions that fail in Spark for some row, and here too.
const FAILING: &[&str] = &["n + 2147483647", "CAST(s AS INT)", "CAST(b AS INT)", "make_date(2023, 2, 29)", "element_at(a, 0)", "a[100]", "next_day(dd, 'xx')", "to_date('x', 'yyyy')", "abs(CAST('-2147483648' AS INT))"];

/// Text of the values of each row by Spark, and the type; `Err` when Spark refuses.
fn by_spark(table: &str, expressions: &[&str]) -> Result<Vec<(Vec<Option<String>>, String)>, String> {
    let fields: Vec<String> = expressions.iter().enumerate().map(|(i, e)| format!("CAST({e} AS STRING) AS c{i}, typeof({e}) AS t{i}")).collect();
    let sql = format!("SELECT {} FROM delta.`{table}` ORDER BY id", fields.join(", "));
    let answer = ask(json!({"op": "sql", "sql": [sql]}))?;
    let rows: Vec<Value> = answer["rows"].as_array().unwrap().iter().map(|r| serde_json::from_str(r.as_str().unwrap()).unwrap()).collect();
    Ok((0..expressions.len())
        .map(|i| {
            let texts = rows.iter().map(|r| r[format!("c{i}")].as_str().map(str::to_owned)).collect();
            (texts, rows[0][format!("t{i}")].as_str().unwrap().to_owned())
        })
        .collect())
}

fn by_lakebed(schema: &lakebed::Struct, rows: &RecordBatch, expression: &str) -> lakebed::Result<(Vec<Option<String>>, String)> {
    let data_type = Expr::sql(expression)?.bind(schema)?.data_type().to_string();
    let values = Expr::sql(&format!("CAST({expression} AS STRING)"))?.bind(schema)?.evaluate(rows)?;
    let texts = values.as_string::<i32>();
    Ok(((0..texts.len()).map(|i| texts.is_valid(i).then(|| texts.value(i).to_owned())).collect(), data_type))
}

/// A table of the rows, made by Spark, and its rows in order.
async fn table(folder: &std::path::Path) -> (String, lakebed::Struct, RecordBatch) {
    let location = folder.join("t").to_str().unwrap().to_owned();
    let rows: Vec<String> = ROWS.iter().map(|r| format!("({r})")).collect();
    spark(
        &location,
        &[
            &format!("CREATE TABLE {{t}} ({COLUMNS}) USING DELTA"),
            &format!("INSERT INTO {{t}} SELECT /*+ COALESCE(1) */ * FROM VALUES {}", rows.join(", ")),
        ],
    );
    let snapshot = Table::at(&location).open().unwrap().snapshot().await.unwrap();
    let batches: Vec<RecordBatch> = snapshot.scan().build().unwrap().stream().try_collect().await.unwrap();
    let all = arrow::compute::concat_batches(&batches[0].schema(), &batches).unwrap();
    let order = arrow::compute::sort_to_indices(all.column(0), None, None).unwrap();
    (location, snapshot.state().schema().clone(), arrow::compute::take_record_batch(&all, &order).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn expressions_have_the_values_and_types_that_spark_gives() {
    // spec: EXP-19, EXP-20
    let folder = tempfile::tempdir().unwrap();
    let (location, schema, rows) = table(folder.path()).await;
    let mut different = Vec::new();
    for chunk in EXPRESSIONS.chunks(40) {
        let theirs: Vec<_> = match by_spark(&location, chunk) {
            Ok(all) => all.into_iter().map(Ok).collect(),
            Err(_) => chunk.iter().map(|e| by_spark(&location, &[e]).map(|mut one| one.remove(0))).collect(),
        };
        for (expression, theirs) in chunk.iter().zip(theirs) {
            match (by_lakebed(&schema, &rows, expression), theirs) {
                (Ok(ours), Ok(theirs)) if ours == theirs => {}
                (Ok(ours), Ok(theirs)) => different.push(format!("{expression}\n  Spark   {theirs:?}\n  lakebed {ours:?}")),
                (Err(e), Ok(theirs)) => different.push(format!("{expression}\n  Spark   {theirs:?}\n  lakebed {e}")),
                (ours, Err(e)) => different.push(format!("{expression}\n  Spark   {:.200}\n  lakebed {ours:?}", e)),
            }
        }
    }
    assert!(different.is_empty(), "{} of {} differ\n{}", different.len(), EXPRESSIONS.len(), different.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn expressions_that_are_not_spoken_or_fail_in_spark_have_no_value() {
    // spec: EXP-3, EXP-21
    let folder = tempfile::tempdir().unwrap();
    let (location, schema, rows) = table(folder.path()).await;
    for expression in REFUSED {
        let e = by_lakebed(&schema, &rows, expression).expect_err(expression);
        assert_eq!(e.code().as_str(), "LB-EXPR", "{expression}: {e}");
    }
    for expression in FAILING {
        by_spark(&location, &[expression]).expect_err(expression);
        let e = by_lakebed(&schema, &rows, expression).expect_err(expression);
        assert_eq!(e.code().as_str(), "LB-EXPR", "{expression}: {e}");
    }
}
