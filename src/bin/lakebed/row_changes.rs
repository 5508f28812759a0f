//! `delete`, `update`: what changes rows that are there. Kind: edge.

use crate::failure::{Failure, Result};
use crate::session::{Session, predicate};
use lakebed::{Expr, Version};

/// What every command that changes rows can be asked for.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    pub filter: Option<&'a str>,
    pub user_metadata: Option<&'a str>,
    pub if_version: Option<u64>,
}

pub async fn delete(session: &Session, table: &str, asked: Asked<'_>) -> Result<()> {
    let mut delete = session.table(table)?.delete();
    if let Some(filter) = predicate(asked.filter)? {
        delete = delete.filter(filter);
    }
    if let Some(text) = asked.user_metadata {
        delete = delete.user_metadata(text);
    }
    if let Some(version) = asked.if_version {
        delete = delete.if_version(Version(version));
    }
    let _writing = session.stop.writing();
    let report = {
        let _bar = session.progress.busy("deleting rows");
        delete.run().await?
    };
    session.output.report(report)
}

pub async fn update(session: &Session, table: &str, sets: &[String], asked: Asked<'_>) -> Result<()> {
    let mut update = session.table(table)?.update();
    for set in sets {
        let (column, value) = assignment(set)?;
        update = update.set(column, Expr::sql(value)?);
    }
    if let Some(filter) = predicate(asked.filter)? {
        update = update.filter(filter);
    }
    if let Some(text) = asked.user_metadata {
        update = update.user_metadata(text);
    }
    if let Some(version) = asked.if_version {
        update = update.if_version(Version(version));
    }
    let _writing = session.stop.writing();
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
