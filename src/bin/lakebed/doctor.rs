//! `doctor`: what is wrong with a table, and its repair. Kind: edge.

use crate::failure::{Failure, Result};
use crate::output::Output;
use crate::session::Session;
use lakebed::{Error, Finding, Version};
use serde_json::{Map, Value, json};

const KEYS: [&str; 5] = ["code", "severity", "object", "message", "repair"];

/// What to do.
pub struct Asked<'a> {
    pub deep: bool,
    pub repair: bool,
    pub dry_run: bool,
    /// A quarantine folder whose files go back.
    pub undo: Option<&'a str>,
    pub if_version: Option<u64>,
}

pub async fn doctor(session: &Session, table: &str, asked: Asked<'_>) -> Result<()> {
    let table = session.table_at(table, asked.if_version)?;
    let doctor = table.doctor().deep(asked.deep);
    if let Some(folder) = asked.undo {
        let _writing = session.stop.writing();
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
    let _writing = session.stop.writing();
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
