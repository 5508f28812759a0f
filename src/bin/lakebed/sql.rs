//! `sql`: one statement. Kind: edge.

use crate::failure::{Failure, Result};
use crate::session::{Session, guarded, is_local};
use futures::TryStreamExt;
use lakebed::Answer;
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

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
    let local = Arc::new(AtomicBool::new(false));
    let has_local = Arc::clone(&local);
    let opening = move |location: &str| {
        let table = opener(location)?;
        has_local.fetch_or(is_local(&table), Ordering::Relaxed);
        Ok(guarded(table, if_version))
    };
    let sql = lakebed::Session::new(session.env.clone()).opening(opening).watching(move |rows| stop.rows(rows));
    for (name, location) in tables {
        let (table, at) = session.table_and_version(location)?;
        local.fetch_or(is_local(&table), Ordering::Relaxed);
        sql.register_at(name, guarded(table, if_version), at);
    }
    let answer = {
        let _writing = session.stop.writing();
        sql.sql(&statement).await?
    };
    match answer {
        Answer::Report(report) => {
            session.tell_durability(local.load(Ordering::Relaxed));
            session.output.report(report)
        }
        Answer::Rows(mut rows) => {
            let mut out = session.output.rows(&rows.schema)?;
            while let Some(batch) = rows.batches.try_next().await? {
                out.write(&batch)?;
            }
            out.finish()
        }
    }
}
