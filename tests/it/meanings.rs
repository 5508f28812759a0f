//! An expression means the same in a query and in the condition of DELETE: value by value, and by type.

use crate::support::expressions::{COLUMNS, EXPRESSIONS, FAILING, ROWS};
use arrow::array::{Array, AsArray, Int32Builder, ListBuilder, MapBuilder, MapFieldNames, RecordBatch, StringBuilder};
use arrow::compute::{concat, concat_batches};
use arrow::datatypes::{DataType, Field};
use futures::{StreamExt, TryStreamExt, stream};
use lakebed::{Answer, Env, Error, Expr, Session, Struct, Table};
use std::sync::Arc;

/// The values of a row, each by itself.
fn values(row: &str) -> Vec<&str> {
    let (mut out, mut depth, mut quoted, mut start) = (Vec::new(), 0, false, 0);
    for (at, c) in row.char_indices() {
        match c {
            '\'' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth -= 1,
            ',' if !quoted && depth == 0 => {
                out.push(row[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    out.push(row[start..].trim());
    out
}

/// What stands between the parentheses of `array(…)` or `map(…)`; `None` for NULL.
fn parts<'a>(text: &'a str, name: &str) -> Option<Vec<&'a str>> {
    let inner = text.strip_prefix(name)?.strip_prefix('(')?.strip_suffix(')')?;
    Some(if inner.is_empty() { Vec::new() } else { values(inner) })
}

/// The rows, computed by our expressions.
fn rows(schema: &Struct) -> RecordBatch {
    let rows: Vec<Vec<&str>> = ROWS.iter().map(|row| values(row)).collect();
    let one = RecordBatch::try_from_iter([("x", Arc::new(arrow::array::BooleanArray::from(vec![true])) as _)]).unwrap();
    let none = Struct { fields: Vec::new() };
    let int = |text: &str| text.parse::<i32>().ok();
    let column = |at: usize| -> arrow::array::ArrayRef {
        let texts = rows.iter().map(|row| row[at]);
        match schema.fields[at].name.as_str() {
            "a" => {
                let element = Arc::new(Field::new("element", DataType::Int32, true));
                let mut lists = ListBuilder::new(Int32Builder::new()).with_field(element);
                for text in texts {
                    lists.append_option(parts(text, "array").map(|all| all.into_iter().map(int).collect::<Vec<_>>()));
                }
                Arc::new(lists.finish())
            }
            "m" => {
                let names = MapFieldNames { entry: "key_value".into(), key: "key".into(), value: "value".into() };
                let mut maps = MapBuilder::new(Some(names), StringBuilder::new(), Int32Builder::new());
                for text in texts {
                    let all = parts(text, "map");
                    for pair in all.iter().flat_map(|all| all.chunks(2)) {
                        maps.keys().append_value(pair[0].trim_matches('\''));
                        maps.values().append_option(int(pair[1]));
                    }
                    maps.append(all.is_some()).unwrap();
                }
                Arc::new(maps.finish())
            }
            _ => {
                let to = &schema.fields[at].data_type;
                let cells = texts.map(|text| {
                    // Two quotes within a text are one.
                    let text = text.replace("o''n", "o\\'n");
                    let value = format!("CAST({text} AS {to})");
                    Expr::sql(&value).unwrap().bind(&none).unwrap().evaluate(&one).unwrap()
                });
                let cells: Vec<_> = cells.collect();
                concat(&cells.iter().map(|cell| cell.as_ref()).collect::<Vec<_>>()).unwrap()
            }
        }
    };
    let columns = schema.fields.iter().enumerate().map(|(at, field)| (field.name.clone(), column(at)));
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, values)| (name, values, true))).unwrap()
}

struct Both {
    schema: Struct,
    rows: RecordBatch,
    session: Session,
    location: String,
    _folder: tempfile::TempDir,
}

/// The texts of a column's values, and its type.
type Column = (Vec<Option<String>>, String);

fn texts(values: &dyn Array) -> Vec<Option<String>> {
    let values = values.as_string::<i32>();
    (0..values.len()).map(|i| values.is_valid(i).then(|| values.value(i).to_owned())).collect()
}

impl Both {
    async fn new() -> Both {
        let folder = tempfile::tempdir().unwrap();
        let location = folder.path().join("t").to_str().unwrap().to_owned();
        let schema = Struct::from_sql(COLUMNS).unwrap();
        let table = Table::at(&location).open().unwrap();
        table.create(schema.clone()).run().await.unwrap();
        let rows = rows(&schema);
        table.append(rows.schema(), stream::iter([Ok::<_, Error>(rows)]).boxed()).run().await.unwrap();
        let snapshot = table.snapshot().await.unwrap();
        let batches: Vec<RecordBatch> = snapshot.scan().build().unwrap().stream().try_collect().await.unwrap();
        let rows = concat_batches(&batches[0].schema(), &batches).unwrap();
        let env = Env::system().with_memory_limit(256 << 20).with_threads(2);
        Both { schema, rows, session: Session::new(env), location, _folder: folder }
    }
    fn own(&self, expression: &str) -> lakebed::Result<Column> {
        let data_type = Expr::sql(expression)?.bind(&self.schema)?.data_type().to_string();
        let values = Expr::sql(&format!("CAST({expression} AS STRING)"))?.bind(&self.schema)?.evaluate(&self.rows)?;
        Ok((texts(&values), data_type))
    }
    async fn queried(&self, expressions: &[&str]) -> lakebed::Result<Vec<Column>> {
        let columns = expressions.iter().enumerate().map(|(i, e)| format!("CAST({e} AS STRING) AS c{i}, {e} AS v{i}"));
        let columns = columns.collect::<Vec<_>>().join(", ");
        let answer = self.session.sql(&format!("SELECT {columns} FROM delta.`{}` ORDER BY id", self.location)).await?;
        let Answer::Rows(answer) = answer else { unreachable!() };
        let types = Struct::from_arrow(&answer.schema)?;
        let batches: Vec<RecordBatch> = answer.batches.try_collect().await?;
        let all = concat_batches(&answer.schema, &batches).unwrap();
        let column = |i: usize| (texts(all.column(2 * i)), types.fields[2 * i + 1].data_type.to_string());
        Ok((0..expressions.len()).map(column).collect())
    }
    /// Each expression in both ways, in few queries while none is refused.
    async fn both(&self, expressions: &[&'static str]) -> Vec<(&'static str, lakebed::Result<Column>, lakebed::Result<Column>)> {
        let mut out = Vec::new();
        for chunk in expressions.chunks(20) {
            let mut queried: Vec<lakebed::Result<Column>> = Vec::new();
            match self.queried(chunk).await {
                Ok(all) => queried.extend(all.into_iter().map(Ok)),
                Err(_) => {
                    for expression in chunk {
                        queried.push(self.queried(&[expression]).await.map(|mut one| one.remove(0)));
                    }
                }
            }
            out.extend(chunk.iter().zip(queried).map(|(expression, queried)| (*expression, self.own(expression), queried)));
        }
        out
    }
}

/// Where a query gives another type: a whole literal that is a value of its own is a BIGINT there.
const WIDER: &[&str] = &["ifnull(n, -1)", "nullif(n, 7)", "CASE WHEN n > 0 THEN 1 WHEN n < 0 THEN -1 ELSE 0 END"];

// spec: SQL-13
#[tokio::test(flavor = "multi_thread")]
async fn a_query_gives_the_values_that_our_expressions_give() {
    let both = Both::new().await;
    let mut different = Vec::new();
    for (expression, own, queried) in both.both(EXPRESSIONS).await {
        match (own, queried) {
            (Ok(own), Ok(queried)) if own.0 == queried.0 && (own.1 == queried.1) != WIDER.contains(&expression) => {}
            (Err(_), Err(_)) => {}
            (own, queried) => different.push(format!("{expression}\n  own     {own:?}\n  queried {queried:?}")),
        }
    }
    assert!(different.is_empty(), "{} of {} differ\n{}", different.len(), EXPRESSIONS.len(), different.join("\n"));
}

// spec: SQL-13
#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_value_has_none_in_a_query() {
    let both = Both::new().await;
    for (expression, own, queried) in both.both(FAILING).await {
        assert!(own.is_err(), "{expression}: {own:?}");
        let e = queried.expect_err(expression);
        assert_eq!(e.code().as_str(), "LB-SQL", "{expression}: {e}");
    }
}
