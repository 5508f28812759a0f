//! OPTIMIZE and REORG TABLE. Kind: edge. Spec: SQL.

use super::Session;
use super::run::expression;
use super::statement::{TableName, table, unsupported};
use super::text::Words;
use crate::error::Result;
use crate::operations::Report;
use crate::schema::paths::{column_list, quoted_path};

/// How files of a table are to lie.
#[derive(Debug)]
pub(super) struct Optimize {
    table: TableName,
    filter: Option<String>,
    purge: bool,
    zorder_by: Vec<String>,
    full: bool,
}

/// What follows OPTIMIZE.
pub(super) fn optimize(words: &mut Words<'_>) -> Result<Optimize> {
    let table = table(words)?;
    let full = words.take("full");
    let filter = filter(words, &["zorder"])?;
    let zorder_by = if words.take("zorder by") { columns(words)? } else { Vec::new() };
    Ok(Optimize { table, filter, purge: false, zorder_by, full })
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
    Ok(Optimize { table, filter, purge: true, zorder_by: Vec::new(), full: false })
}

/// The columns after ZORDER BY, with or without parentheses around them.
fn columns(words: &mut Words<'_>) -> Result<Vec<String>> {
    let list = if words.peek_open() { words.parenthesized()? } else { words.rest() };
    let columns = column_list(list).filter(|columns| !columns.is_empty()).ok_or_else(|| words.expected("columns"))?;
    Ok(columns.iter().map(|path| quoted_path(path)).collect())
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
    if !asked.zorder_by.is_empty() {
        optimize = optimize.zorder_by(asked.zorder_by.iter().cloned());
    }
    if asked.full {
        optimize = optimize.full();
    }
    optimize.run().await
}
