//! OPTIMIZE and REORG TABLE. Kind: edge. Spec: SQL.

use super::Session;
use super::run::expression;
use super::statement::{TableName, table, unsupported};
use super::text::Words;
use crate::error::Result;
use crate::operations::Report;

/// How files of a table are to lie.
#[derive(Debug)]
pub(super) struct Optimize {
    table: TableName,
    filter: Option<String>,
    purge: bool,
}

/// What follows OPTIMIZE.
pub(super) fn optimize(words: &mut Words<'_>) -> Result<Optimize> {
    let table = table(words)?;
    let filter = filter(words, &["zorder"])?;
    if words.peek("zorder") {
        return Err(unsupported("OPTIMIZE ZORDER BY"));
    }
    Ok(Optimize { table, filter, purge: false })
}

/// What follows REORG TABLE.
pub(super) fn reorg(words: &mut Words<'_>) -> Result<Optimize> {
    let table = table(words)?;
    let filter = filter(words, &["apply"])?;
    words.need("apply")?;
    let applied = words.parenthesized()?;
    if !applied.trim().eq_ignore_ascii_case("purge") {
        return Err(unsupported(&format!("REORG TABLE APPLY ({applied})")));
    }
    Ok(Optimize { table, filter, purge: true })
}

/// `WHERE …` up to one of these words, if it is there.
fn filter(words: &mut Words<'_>, stops: &[&str]) -> Result<Option<String>> {
    if !words.take("where") {
        return Ok(None);
    }
    let filter = words.until(stops);
    if filter.trim().is_empty() { Err(words.expected("a condition")) } else { Ok(Some(filter.to_owned())) }
}

pub(super) async fn run(session: &Session, asked: &Optimize) -> Result<Report> {
    let mut optimize = session.table(&asked.table)?.optimize();
    if let Some(filter) = &asked.filter {
        optimize = optimize.filter(expression(filter, asked.table.qualifier())?);
    }
    if asked.purge {
        optimize = optimize.purge();
    }
    optimize.run().await
}
