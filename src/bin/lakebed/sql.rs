//! `sql`: one statement. Kind: edge.

use crate::failure::{Failure, Result};
use crate::session::{Session, guarded};
use futures::TryStreamExt;
use lakebed::Answer;
use std::io::Read;

pub async fn run(session: &Session, statement: &str, tables: &[(String, String)], if_version: Option<u64>) -> Result<()> {
    let statement = match statement {
        "-" => {
            let mut text = String::new();
            let failed = |e: std::io::Error| Failure::Usage(format!("the statement cannot be read from standard input: {e}"));
            std::io::stdin().read_to_string(&mut text).map_err(failed)?;
            text
        }
        text => text.to_owned(),
    };
    let (opener, stop) = (session.opener(), session.stop.clone());
    let opening = move |location: &str| opener(location).map(|table| guarded(table, if_version));
    let sql = lakebed::Session::new(session.env.clone()).opening(opening).watching(move |rows| stop.rows(rows));
    for (name, location) in tables {
        let (table, at) = session.table_and_version(location)?;
        sql.register_at(name, guarded(table, if_version), at);
    }
    let answer = {
        let _writing = session.stop.writing();
        sql.sql(&statement).await?
    };
    match answer {
        Answer::Report(report) => session.output.report(report),
        Answer::Rows(mut rows) => {
            let mut out = session.output.rows(&rows.schema)?;
            while let Some(batch) = rows.batches.try_next().await? {
                out.write(&batch)?;
            }
            out.finish()
        }
    }
}
