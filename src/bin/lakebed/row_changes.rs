//! `delete`, `update`: what changes rows that are there. Kind: edge.

use crate::failure::{Failure, Result};
use crate::session::{Session, predicate};
use clap::Args;
use lakebed::{Expr, Version};

/// Deletes rows
#[derive(Args)]
#[command(after_help = "Example: lakebed delete ./events --where \"day < '2025-01-01'\"")]
pub struct Delete {
    /// Path or URL
    #[arg(value_name = "TABLE")]
    table: String,
    /// Rows for which this is true; without it nothing is deleted, see --all
    #[arg(long = "where", value_name = "EXPRESSION", required_unless_present = "all")]
    filter: Option<String>,
    /// Every row
    #[arg(long, conflicts_with = "filter")]
    all: bool,
    /// A note for the history
    #[arg(long, value_name = "TEXT")]
    user_metadata: Option<String>,
    /// Refuses when the table is not at this version
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    if_version: Option<u64>,
}

/// Gives columns of rows new values
#[derive(Args)]
#[command(after_help = "Example: lakebed update ./events --set \"kind = 'view'\" --set 'n = n + 1' --where \"kind = 'look'\"")]
pub struct Update {
    /// Path or URL
    #[arg(value_name = "TABLE")]
    table: String,
    /// A column, or a field inside one (a.b), and its value from the row as it was; may be repeated
    #[arg(long, value_name = "COLUMN=EXPRESSION", required = true)]
    set: Vec<String>,
    /// Only rows for which this is true
    #[arg(long = "where", value_name = "EXPRESSION")]
    filter: Option<String>,
    /// A note for the history
    #[arg(long, value_name = "TEXT")]
    user_metadata: Option<String>,
    /// Refuses when the table is not at this version
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    if_version: Option<u64>,
}

pub async fn delete(session: &Session, asked: &Delete) -> Result<()> {
    let table = session.table(&asked.table)?;
    let mut delete = table.delete();
    if let Some(filter) = predicate(asked.filter.as_deref())? {
        delete = delete.filter(filter);
    }
    if let Some(text) = &asked.user_metadata {
        delete = delete.user_metadata(text);
    }
    if let Some(version) = asked.if_version {
        delete = delete.if_version(Version(version));
    }
    let _writing = session.writing(&table);
    let report = {
        let _bar = session.progress.busy("deleting rows");
        delete.run().await?
    };
    session.output.report(report)
}

pub async fn update(session: &Session, asked: &Update) -> Result<()> {
    let table = session.table(&asked.table)?;
    let mut update = table.update();
    for set in &asked.set {
        let (column, value) = assignment(set)?;
        update = update.set(column, Expr::sql(value)?);
    }
    if let Some(filter) = predicate(asked.filter.as_deref())? {
        update = update.filter(filter);
    }
    if let Some(text) = &asked.user_metadata {
        update = update.user_metadata(text);
    }
    if let Some(version) = asked.if_version {
        update = update.if_version(Version(version));
    }
    let _writing = session.writing(&table);
    let report = {
        let _bar = session.progress.busy("updating rows");
        update.run().await?
    };
    session.output.report(report)
}

/// `column=expression`; an `=` between back-quotes belongs to the column.
fn assignment(text: &str) -> Result<(&str, &str)> {
    let mut quoted = false;
    for (at, c) in text.char_indices() {
        match c {
            '`' => quoted = !quoted,
            '=' if !quoted && !text[..at].trim().is_empty() => return Ok((text[..at].trim(), &text[at + 1..])),
            _ => {}
        }
    }
    Err(Failure::Usage(format!("`{text}` is no assignment such as name=upper(name)")))
}

#[cfg(test)]
mod tests {
    use super::assignment;

    #[test]
    fn assignment_is_cut_at_the_first_sign_outside_of_quotes() {
        assert_eq!(assignment("a = b = c").ok(), Some(("a", " b = c")));
        assert_eq!(assignment("`a=b`.c='x=y'").ok(), Some(("`a=b`.c", "'x=y'")));
        assert!(assignment("a").is_err() && assignment("=1").is_err());
    }
}
