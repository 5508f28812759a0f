//! The resident peers that `tests/run` starts: Spark and deltalake behind HTTP on loopback.

use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;

/// Asks the peers; `Err` is a peer's refusal.
pub fn ask(request: Value) -> Result<Value, String> {
    let address = std::env::var("LAKEBED_TEST_PEERS").expect("LAKEBED_TEST_PEERS is not set: run these tests through tests/run");
    let body = request.to_string();
    let mut stream = TcpStream::connect(&address).expect("the peers answer");
    write!(stream, "POST / HTTP/1.1\r\nHost: {address}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let text = String::from_utf8(answer).unwrap();
    let (_, body) = text.split_once("\r\n\r\n").expect("an HTTP answer");
    let answer: Value = serde_json::from_str(body).unwrap();
    match answer.get("error") {
        Some(error) => Err(error.to_string()),
        None => Ok(answer),
    }
}

/// Runs statements in Spark; the last one's rows as JSON. `{t}` stands for the table.
pub fn spark(table: &str, statements: &[&str]) -> Vec<Value> {
    let name = format!("delta.`{table}`");
    let sql: Vec<String> = statements.iter().map(|s| s.replace("{t}", &name)).collect();
    let answer = ask(json!({"op": "sql", "sql": sql})).unwrap_or_else(|e| panic!("Spark refused {sql:?}: {e}"));
    answer["rows"].as_array().unwrap().iter().map(|r| serde_json::from_str(r.as_str().unwrap()).unwrap()).collect()
}

/// Digest (rows, hash, some encoded rows) of a query by Spark.
pub fn spark_digest(table: &str, select: &str) -> (u64, String, Vec<String>) {
    let sql = select.replace("{t}", &format!("delta.`{table}`"));
    digest_of(ask(json!({"op": "digest", "sql": sql})).unwrap_or_else(|e| panic!("Spark refused {sql}: {e}")))
}

/// Digest of a table by deltalake.
pub fn deltalake_digest(table: &str) -> (u64, String, Vec<String>) {
    digest_of(ask(json!({"op": "deltalake", "path": table})).unwrap_or_else(|e| panic!("deltalake refused {table}: {e}")))
}

fn digest_of(answer: Value) -> (u64, String, Vec<String>) {
    let sample = answer["sample"].as_array().unwrap().iter().map(|v| v.as_str().unwrap().to_owned()).collect();
    (answer["num_rows"].as_u64().unwrap(), answer["sha256"].as_str().unwrap().to_owned(), sample)
}
