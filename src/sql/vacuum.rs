//! VACUUM. Kind: edge. Spec: SQL.

use super::query::Planned;
use super::statement::{TableName, table};
use super::text::Words;
use super::{Answer, Session, describe};
use crate::error::{Code, Error, Result};
use serde_json::json;
use std::time::Duration;

/// What a vacuum is asked for.
#[derive(Debug)]
pub(super) struct Vacuum {
    table: TableName,
    lite: bool,
    /// A query.
    inventory: Option<String>,
    retain_hours: Option<u64>,
    dry_run: bool,
}

/// What follows VACUUM: `t [FULL|LITE] [USING INVENTORY t|(query)] [RETAIN n HOURS] [DRY RUN]`, the clauses in any order.
pub(super) fn vacuum(words: &mut Words<'_>) -> Result<Vacuum> {
    let mut vacuum = Vacuum { table: table(words)?, lite: false, inventory: None, retain_hours: None, dry_run: false };
    while !words.is_done() {
        if words.take("lite") {
            vacuum.lite = true;
        } else if words.take("full") {
            vacuum.lite = false;
        } else if words.take("using inventory") {
            vacuum.inventory = Some(match words.peek_open() {
                true => words.parenthesized()?.to_owned(),
                false => format!("SELECT * FROM {}", words.table_text()?),
            });
        } else if words.take("retain") {
            vacuum.retain_hours = Some(words.number()?);
            if !words.take("hour") {
                words.need("hours")?;
            }
        } else if words.take("dry run") {
            vacuum.dry_run = true;
        } else {
            return Err(words.expected("FULL, LITE, USING INVENTORY, RETAIN or DRY RUN"));
        }
    }
    if vacuum.lite && vacuum.inventory.is_some() {
        return Err(Error::new(Code::SQL, "a lite vacuum looks at the log and takes no inventory").help("leave LITE out"));
    }
    Ok(vacuum)
}

impl Vacuum {
    /// A dry run gives the paths that would go, as Spark does: with the table's location before them.
    pub(super) async fn run(self, session: &Session) -> Result<Answer> {
        let table = session.table(&self.table)?;
        let mut vacuum = table.vacuum();
        if self.lite {
            vacuum = vacuum.lite();
        }
        if let Some(hours) = self.retain_hours {
            vacuum = vacuum.retain(Duration::from_secs(hours.saturating_mul(3_600)));
        }
        if let Some(query) = &self.inventory {
            vacuum = vacuum.inventory((session.watch)(Planned::new(session, query, false).await?.rows().await?.batches));
        }
        let help = "leave RETAIN out, or set the table's property; the command `vacuum` has flags that permit it all the same";
        let told = |e: Error| if e.code() == Code::RETENTION { e.help(help) } else { e };
        if !self.dry_run {
            return Ok(Answer::Report(vacuum.run().await.map_err(told)?));
        }
        let plan = vacuum.plan().await.map_err(told)?;
        let url = table.root().url();
        let folder = url.to_file_path().ok().map(|path| format!("file:{}/", path.display().to_string().trim_end_matches('/')));
        let folder = folder.unwrap_or_else(|| url.to_string());
        let paths: Vec<_> = plan.files().iter().map(|file| json!({"path": format!("{folder}{}", file.path)})).collect();
        Ok(Answer::Rows(describe::rows("path STRING", &paths)?))
    }
}
