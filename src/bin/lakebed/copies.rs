//! `clone`, `convert`, `manifest`: tables made of tables and files, and lists of files. Kind: edge.

use crate::args::TableAt;
use crate::failure::Result;
use crate::session::Session;
use lakebed::Struct;

pub async fn clone(session: &Session, source: &TableAt, copy: &str, deep: bool, properties: &[(String, String)]) -> Result<()> {
    let snapshot = session.snapshot(source).await?;
    let target = session.table(copy)?;
    let mut clone = snapshot.clone_to(&target);
    if deep {
        clone = clone.deep();
    }
    for (key, value) in properties {
        clone = clone.property(key, value);
    }
    let _writing = session.stop.writing();
    let report = {
        let _bar = session.progress.busy("copying");
        clone.run().await?
    };
    session.output.report(report)
}

pub async fn convert(
    session: &Session,
    dir: &str,
    partitions: Option<&str>,
    no_statistics: bool,
    properties: &[(String, String)],
) -> Result<()> {
    let mut convert = session.table(dir)?.convert();
    if let Some(columns) = partitions {
        convert = convert.partition_schema(Struct::from_sql(columns)?);
    }
    if no_statistics {
        convert = convert.no_statistics();
    }
    for (key, value) in properties {
        convert = convert.property(key, value);
    }
    let _writing = session.stop.writing();
    let report = {
        let _bar = session.progress.busy("reading footers");
        convert.run().await?
    };
    session.output.report(report)
}

pub async fn manifest(session: &Session, table: &str) -> Result<()> {
    let table = session.table(table)?;
    let _writing = session.stop.writing();
    session.output.report(table.generate_manifest().run().await?)
}
