//! One query, two engines: lakebed and Spark give equal rows over the same tables.

use crate::support::digest::digest_of;
use crate::support::peers::{ask, spark, spark_digest};
use arrow::array::RecordBatch;
use futures::TryStreamExt;
use lakebed::{Answer, Env, Result, Session, Table};

/// `{t}` has rows of every simple type, `{u}` shares its keys, `{n}` has nested columns.
const QUERIES: &[&str] = &[
    "SELECT * FROM {t}",
    "SELECT ID, Name FROM {t} WHERE `iD` > 2",
    "SELECT count(*), count(name), count(DISTINCT city), min(age), max(age), sum(age), avg(age) FROM {t}",
    "SELECT city, count(*) AS n, sum(price) AS s, avg(price) AS a FROM {t} GROUP BY city",
    "SELECT city, count(*) FROM {t} GROUP BY city HAVING count(*) > 1",
    "SELECT city, age, sum(score) FROM {t} GROUP BY GROUPING SETS ((city), (city, age), ())",
    "SELECT city, count(*) FROM {t} GROUP BY ROLLUP (city)",
    "SELECT city, count(*) FROM {t} GROUP BY 1",
    "SELECT id, rank() OVER (PARTITION BY city ORDER BY age, id) AS r, sum(age) OVER (PARTITION BY city ORDER BY id) AS s FROM {t}",
    "SELECT id, lag(age, 1) OVER (ORDER BY id) AS l, lead(name) OVER (ORDER BY id) AS d FROM {t}",
    "SELECT id, first_value(name) OVER (PARTITION BY city ORDER BY id) AS f, ntile(2) OVER (ORDER BY id) AS q FROM {t}",
    "SELECT t.id, u.tag FROM {t} t JOIN {u} u ON t.id = u.id",
    "SELECT t.id, u.tag FROM {t} t LEFT JOIN {u} u ON t.id = u.id",
    "SELECT t.id, u.tag FROM {t} t FULL OUTER JOIN {u} u ON t.id = u.id",
    "SELECT t.id FROM {t} t LEFT SEMI JOIN {u} u ON t.id = u.id",
    "SELECT t.id FROM {t} t LEFT ANTI JOIN {u} u ON t.id = u.id",
    "SELECT id, tag FROM {t} JOIN {u} USING (id)",
    "SELECT t.id AS a, u.id AS b FROM {t} t CROSS JOIN {u} u WHERE t.id < u.id",
    "SELECT t.id FROM {t} t JOIN {u} u ON t.city <=> u.tag",
    "WITH a AS (SELECT city, max(age) AS m FROM {t} GROUP BY city) SELECT t.id FROM {t} t JOIN a ON t.city = a.city AND t.age = a.m",
    "SELECT id FROM {t} WHERE id IN (SELECT id FROM {u})",
    "SELECT id FROM {t} WHERE id NOT IN (SELECT id FROM {u} WHERE id IS NOT NULL)",
    "SELECT id FROM {t} t WHERE EXISTS (SELECT 1 FROM {u} u WHERE u.id = t.id AND u.tag = 'x')",
    "SELECT id, (SELECT max(tag) FROM {u}) AS m FROM {t}",
    "SELECT id FROM {t} UNION SELECT id FROM {u}",
    "SELECT id FROM {t} INTERSECT SELECT id FROM {u}",
    "SELECT id FROM {t} EXCEPT SELECT id FROM {u}",
    "SELECT DISTINCT city FROM {t}",
    "SELECT id FROM {t} ORDER BY city, id LIMIT 3",
    "SELECT id FROM {t} ORDER BY city DESC, id LIMIT 3",
    "SELECT id FROM {t} ORDER BY score DESC NULLS FIRST, id LIMIT 2",
    "SELECT id, age / 2, age DIV 2, age % 2, -age, age * 1.5 FROM {t}",
    "SELECT id, price / 3, price * price, price + 1, price % 2 FROM {t}",
    "SELECT id, score / 2, score + age, score * 2 FROM {t}",
    "SELECT 7 / 2, 1.0 / 3, 10 DIV 3, 2.50 * 2, 5L, 1.5D",
    "SELECT id FROM {t} WHERE age <> 30",
    "SELECT id FROM {t} WHERE NOT (city = 'Oslo')",
    "SELECT id FROM {t} WHERE city = 'Oslo' OR age IS NULL",
    "SELECT id FROM {t} WHERE name LIKE 'A%' OR name LIKE '_o%'",
    "SELECT id FROM {t} WHERE name RLIKE '^[AB]'",
    "SELECT id FROM {t} WHERE age BETWEEN 26 AND 40",
    "SELECT id FROM {t} WHERE city IN ('Oslo', NULL)",
    "SELECT id FROM {t} WHERE day >= '2024-02-01'",
    "SELECT id FROM {t} WHERE day = DATE '2024-01-15' OR at < TIMESTAMP '2024-02-01 00:00:00'",
    "SELECT id, CASE WHEN age > 35 THEN 'old' WHEN age > 26 THEN 'mid' ELSE NULL END, CASE city WHEN 'Oslo' THEN 1 ELSE 2 END FROM {t}",
    "SELECT id, coalesce(city, name, '?'), nullif(age, 30), if(age > 30, 'a', 'b'), nvl(city, 'none'), ifnull(age, 0) FROM {t}",
    "SELECT id, upper(name), lower(name), length(name), trim(concat('  ', name)), concat(name, '-', city), concat_ws('/', name, city) FROM {t}",
    "SELECT id, substring(name, 1, 2), substr(name, -2), left(name, 1), right(name, 1), reverse(name), lpad(name, 5, '*'), rpad(name, 5, '*') FROM {t}",
    "SELECT id, replace(name, 'n', 'N'), instr(name, 'n'), locate('n', name), repeat(name, 2), initcap(name) FROM {t}",
    "SELECT id, regexp_replace(name, '[aeiou]', '#'), translate(name, 'ab', 'xy'), ascii(name), md5(name), sha2(name, 256) FROM {t}",
    "SELECT id, year(day), month(day), dayofmonth(day), dayofweek(day), dayofyear(day), quarter(day), weekofyear(day), last_day(day) FROM {t}",
    "SELECT id, day + 1, date_add(day, 10), date_sub(day, 1), datediff(day, DATE '2024-01-01'), add_months(day, 1), trunc(day, 'MM') FROM {t}",
    "SELECT id, hour(at), minute(at), second(at), date_trunc('HOUR', at), CAST(at AS DATE), unix_timestamp(at) FROM {t}",
    "SELECT id, at + INTERVAL 1 DAY, day - INTERVAL 1 MONTH, EXTRACT(YEAR FROM at) FROM {t}",
    "SELECT id, CAST(age AS STRING) AS b, CAST(price AS STRING) AS c, CAST(day AS STRING) AS d, CAST(ok AS STRING) AS e, CAST(age AS DOUBLE) AS a, CAST(id AS INT) AS i FROM {t}",
    "SELECT id, CAST(at AS STRING), CAST(score AS STRING) FROM {t}",
    "SELECT id, CAST('12' AS INT), CAST('1.5' AS DECIMAL(5,2)), CAST('2024-01-01' AS DATE), TRY_CAST('x' AS INT) FROM {t}",
    "SELECT id, round(score, 1), floor(score), ceil(score), abs(age - 35), sqrt(score * score), power(age, 2), greatest(age, 30), least(age, 30) FROM {t}",
    "SELECT id, CAST(round(price) AS DECIMAL(8,0)) AS r, CAST(round(price, 1) AS DECIMAL(8,1)) AS o, sign(age - 30), pmod(age, 7), exp(0), ln(1), log10(100) FROM {t}",
    "SELECT id, ok AND age > 30, ok OR age > 30, NOT ok, ok IS TRUE FROM {t}",
    "SELECT max(name), min(day), max(at), bool_and(ok), bool_or(ok), stddev(score), var_pop(score), first(name) IS NOT NULL FROM {t}",
    "SELECT city, sort_array(collect_list(id)), size(collect_set(age)) FROM {t} GROUP BY city",
    "SELECT sum(age) FILTER (WHERE city = 'Oslo'), count_if(age > 30), approx_count_distinct(city) FROM {t}",
    "SELECT id, a.x, a.y.z, l[0], size(l), m['k'], array_contains(l, 2) FROM {n}",
    "SELECT id, explode(l) AS e FROM {n}",
    "SELECT id, map_keys(m), cardinality(l), a FROM {n}",
    "SELECT named_struct('a', 1, 'b', 'x').b, array(1, 2)[1], map('k', 1)['k']",
    "SELECT count(*) FROM {t} VERSION AS OF 1",
    "SELECT count(*) FROM {t}@v2",
    "SELECT t.id FROM {t} t LEFT ANTI JOIN {t} VERSION AS OF 1 o ON t.id = o.id",
    "SELECT x, count(*) FROM (VALUES (1, 'a'), (2, 'b'), (1, NULL)) v(x, y) GROUP BY x",
    "SELECT \"double\", 'it\\'s', 'tab\\t|', 'a' || 'b'",
    "SELECT id FROM {t} WHERE score > 1.5 AND price < 100 AND city IS NOT NULL",
    "SELECT a.id FROM {t} a JOIN (SELECT city, count(*) AS n FROM {t} GROUP BY city) b ON a.city = b.city WHERE b.n > 1",
];

fn session() -> Session {
    Session::new(Env::system().with_memory_limit(256 << 20).with_threads(2))
}

async fn rows(session: &Session, sql: &str) -> Result<Vec<RecordBatch>> {
    match session.sql(sql).await? {
        Answer::Rows(rows) => rows.batches.try_collect().await,
        Answer::Report(_) => Ok(Vec::new()),
    }
}

struct Tables {
    _folder: tempfile::TempDir,
    t: String,
    u: String,
    n: String,
}

impl Tables {
    fn new() -> Tables {
        let folder = tempfile::Builder::new().prefix("sql-").tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let (t, u, n) = (path("T"), path("u"), path("n"));
        Tables { _folder: folder, t, u, n }
    }
    fn named(&self, sql: &str) -> String {
        let table = |path: &str| format!("delta.`{path}`");
        // A version suffix stands inside the backticks.
        let sql = sql.replace("{t}@v2", &table(&format!("{}@v2", self.t)));
        sql.replace("{t}", &table(&self.t)).replace("{u}", &table(&self.u)).replace("{n}", &table(&self.n))
    }
}

const SCRIPT: &[&str] = &[
    "CREATE TABLE {t} (id BIGINT, Name STRING, city STRING, age INT, price DECIMAL(8,2), score DOUBLE, ok BOOLEAN, day DATE, at TIMESTAMP) USING DELTA PARTITIONED BY (city)",
    "INSERT INTO {t} VALUES (1, 'Ann', 'Oslo', 30, 10.50, 1.25, true, '2024-01-15', '2024-01-15 10:20:30.123456'), (2, 'Bob', 'Rome', 41, 99.99, -2.5, false, '2024-02-29', '2024-02-29 23:59:59')",
    "INSERT INTO {t} VALUES (3, 'Cid', 'Oslo', 25, 0.01, 1e10, NULL, '2023-12-31', '2023-12-31 00:00:00'), (4, 'Dee', NULL, NULL, NULL, NULL, true, NULL, NULL)",
    "INSERT INTO {t} VALUES (5, 'joe', 'Rome', 35, -5.55, 0.1, false, '2024-12-01', '2024-06-01 12:00:00')",
    "CREATE TABLE {u} (id BIGINT, tag STRING) USING DELTA",
    "INSERT INTO {u} VALUES (1, 'x'), (3, 'y'), (9, 'Rome'), (NULL, NULL)",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spark_gives_the_same_rows_for_every_query() {
    let tables = Tables::new();
    let nested = [
        "CREATE TABLE {n} (id INT, a STRUCT<x: INT, y: STRUCT<z: STRING>>, l ARRAY<INT>, m MAP<STRING, INT>) USING DELTA",
        "INSERT INTO {n} VALUES (1, named_struct('x', 1, 'y', named_struct('z', 'q')), array(1, 2), map('k', 7)), (2, NULL, array(3), map('k', 8, 'o', 9))",
    ];
    for statement in SCRIPT.iter().chain(&nested) {
        spark("", &[&tables.named(statement)]);
    }
    let session = session();
    let mut differences = Vec::new();
    for query in QUERIES {
        let sql = tables.named(query);
        let theirs = match ask(serde_json::json!({"op": "digest", "sql": sql})) {
            Ok(_) => spark_digest("", &sql),
            Err(e) => {
                differences.push(format!("{query}\n  spark {}", e.chars().take(200).collect::<String>()));
                continue;
            }
        };
        match rows(&session, &sql).await {
            Ok(batches) => {
                let ours = digest_of(&batches);
                if (ours.0, &ours.1) != (theirs.0, &theirs.1) {
                    differences.push(format!("{query}\n  lakebed {:?}\n  spark   {:?}", ours.2, theirs.2));
                }
            }
            Err(e) => differences.push(format!("{query}\n  lakebed {e}\n  spark   {:?}", theirs.2)),
        }
    }
    assert!(differences.is_empty(), "{} of {} differ:\n{}", differences.len(), QUERIES.len(), differences.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spark_reads_what_statements_have_written() {
    let tables = Tables::new();
    let session = session();
    for statement in SCRIPT {
        rows(&session, &tables.named(statement)).await.unwrap_or_else(|e| panic!("{statement}: {e}"));
    }
    for table in [&tables.t, &tables.u] {
        let sql = format!("SELECT * FROM delta.`{table}`");
        let ours = digest_of(&rows(&session, &sql).await.unwrap());
        assert_eq!(ours, spark_digest("", &sql));
        assert!(ours.0 > 3);
        Table::at(table).open().unwrap().snapshot().await.unwrap();
    }
}

/// What Spark refuses, lakebed refuses: neither writes anything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_refuse_the_same_statements() {
    let tables = Tables::new();
    spark("", &[&tables.named("CREATE TABLE {u} (id INT, n DECIMAL(5,2), d DATE) USING DELTA")]);
    let session = session();
    for statement in [
        "SELECT 1 / 0",
        "SELECT 1 DIV 0",
        "SELECT 9223372036854775807 + 1",
        "SELECT CAST('abc' AS INT)",
        "SELECT nope FROM {u}",
        "SELECT no_such_function(id) FROM {u}",
        "INSERT INTO {u} VALUES (1)",
        "INSERT INTO {u} (id) VALUES ('x')",
        "INSERT INTO {u} (id) VALUES (3000000000)",
        "INSERT INTO {u} (n) VALUES (12345.5)",
        "INSERT INTO {u} (d) VALUES ('no date')",
        "INSERT INTO {u} BY NAME SELECT 1 AS idx",
        "SELECT * FROM {u} VERSION AS OF 99",
    ] {
        let sql = tables.named(statement);
        assert!(ask(serde_json::json!({"op": "sql", "sql": [sql]})).is_err(), "Spark runs {statement}");
        assert!(rows(&session, &sql).await.is_err(), "lakebed runs {statement}");
    }
    let count = rows(&session, &tables.named("SELECT * FROM {u}")).await.unwrap();
    assert_eq!(digest_of(&count).0, 0);
}
