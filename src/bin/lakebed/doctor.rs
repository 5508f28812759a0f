//! `doctor`: what is wrong with a table, and its repair. Kind: edge.

use crate::failure::{Failure, Result};
use crate::output::Output;
use crate::session::Session;
use clap::Args;
use lakebed::{Error, Finding, Version};
use serde_json::{Map, Value, json};

const KEYS: [&str; 5] = ["code", "severity", "object", "message", "repair"];

/// Looks for damage and says it with stable codes; exits with 6 when there is any
#[derive(Args)]
#[command(after_help = "Example: lakebed doctor ./events --deep")]
pub struct Doctor {
    /// Path or URL
    #[arg(value_name = "TABLE")]
    table: String,
    /// Reads every row and holds statistics and rules against them
    #[arg(long)]
    deep: bool,
    /// Mends what can be mended: by a commit, which `restore` undoes as far as files are there, and by moving files to the folder
    /// `_quarantine`, which --undo takes back; row ids on record never go back
    #[arg(long)]
    repair: bool,
    /// Shows what a repair would do and does nothing
    #[arg(long)]
    dry_run: bool,
    /// Moves the files of one folder in `_quarantine` back to where they were
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["deep", "repair", "dry_run"])]
    undo: Option<String>,
    /// Refuses when the table is not at this version
    #[arg(long, value_name = "N", requires = "repair")]
    if_version: Option<u64>,
}

pub async fn doctor(session: &Session, asked: &Doctor) -> Result<()> {
    let table = session.table_at(&asked.table, asked.if_version)?;
    let doctor = table.doctor().deep(asked.deep);
    if let Some(folder) = &asked.undo {
        let _writing = session.writing(&table);
        return session.output.report(doctor.undo(folder).await?);
    }
    if !asked.repair && !asked.dry_run {
        let found = {
            let _bar = session.progress.busy("looking at the table");
            doctor.run().await?
        };
        show(session.output, &found)?;
        return if found.is_empty() { Ok(()) } else { Err(Failure::Findings) };
    }
    let plan = {
        let _bar = session.progress.busy("looking at the table");
        doctor.plan().await?
    };
    if let Some(wanted) = asked.if_version.filter(|wanted| plan.summary().read_version != Some(Version(*wanted))) {
        return Err(Error::moved_on(wanted).into());
    }
    let left = plan.left();
    let mends = plan.summary().actions.values().any(|amount| amount.count > 0);
    if asked.dry_run {
        session.output.plan(plan.summary(), None)?;
        return if left == 0 && !mends { Ok(()) } else { Err(Failure::Findings) };
    }
    let _writing = session.writing(&table);
    session.output.report(doctor.execute(plan).await?)?;
    if left == 0 { Ok(()) } else { Err(Failure::Findings) }
}

fn show(output: Output, found: &[Finding]) -> Result<()> {
    let mut records = output.records(&KEYS, &[]);
    for finding in found {
        let Value::Object(object) = json!(finding) else { continue };
        records.push(&Map::from_iter(object))?;
    }
    records.finish()
}
