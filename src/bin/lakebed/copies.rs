//! `clone`, `convert`, `manifest`: tables made of tables and files, and lists of files. Kind: edge.

use crate::args::{From, TableAt};
use crate::failure::Result;
use crate::output::warn;
use crate::session::{Session, prices};
use lakebed::{ConvertSource, Struct};

/// What `clone` is asked for.
pub struct Cloning<'a> {
    pub copy: &'a str,
    pub deep: bool,
    pub properties: &'a [(String, String)],
    pub if_version: Option<u64>,
    pub dry_run: bool,
    pub prices: Option<&'a str>,
}

pub async fn clone(session: &Session, source: &TableAt, asked: Cloning<'_>) -> Result<()> {
    let prices = prices(asked.prices)?;
    let snapshot = session.snapshot(source).await?;
    let target = session.table_at(asked.copy, asked.if_version)?;
    let mut clone = snapshot.clone_to(&target);
    if asked.deep {
        clone = clone.deep();
    }
    for (key, value) in asked.properties {
        clone = clone.property(key, value);
    }
    if asked.dry_run {
        let plan = {
            let _bar = session.progress.busy("looking at files");
            clone.plan().await?
        };
        return session.output.plan(plan.summary(), prices.as_ref());
    }
    let _writing = session.stop.writing();
    let report = {
        let _bar = session.progress.busy("copying");
        clone.run().await?
    };
    session.output.report(report)
}

/// What `convert` is asked for.
pub struct Converting<'a> {
    pub from: From,
    pub partitions: Option<&'a str>,
    pub no_statistics: bool,
    pub properties: &'a [(String, String)],
    pub if_version: Option<u64>,
    pub dry_run: bool,
    pub prices: Option<&'a str>,
}

pub async fn convert(session: &Session, dir: &str, asked: Converting<'_>) -> Result<()> {
    let prices = prices(asked.prices)?;
    let mut convert = session.table_at(dir, asked.if_version)?.convert().from(match asked.from {
        From::Auto => ConvertSource::Any,
        From::Parquet => ConvertSource::Parquet,
        From::Iceberg => ConvertSource::Iceberg,
    });
    if let Some(columns) = asked.partitions {
        convert = convert.partition_schema(Struct::from_sql(columns)?);
    }
    if asked.no_statistics {
        convert = convert.no_statistics();
    }
    for (key, value) in asked.properties {
        convert = convert.property(key, value);
    }
    if asked.dry_run {
        let plan = {
            let _bar = session.progress.busy("reading footers");
            convert.plan().await?
        };
        warn(plan.warnings());
        return session.output.plan(plan.summary(), prices.as_ref());
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
