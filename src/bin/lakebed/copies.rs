//! `clone`, `convert`, `manifest`: tables made of tables and files, and lists of files. Kind: edge.

use crate::args::{TableAt, key_value};
use crate::failure::Result;
use crate::output::warn;
use crate::session::{Session, prices};
use clap::{Args, ValueEnum};
use lakebed::{ConvertSource, Struct};

/// Makes a copy of a table at a place that has none
#[derive(Args)]
#[command(after_help = "Example: lakebed clone s3://lake/events@v12 ./events --deep")]
#[command(group = clap::ArgGroup::new("kind").required(true).args(["shallow", "deep"]))]
pub struct CloneTable {
    #[command(flatten)]
    source: TableAt,
    /// Path or URL of the copy
    #[arg(value_name = "COPY")]
    copy: String,
    /// The copy names the files of the source; reading it needs --allow-root
    #[arg(long)]
    shallow: bool,
    /// The copy has files of its own; made again, it is brought up to date
    #[arg(long)]
    deep: bool,
    /// A property of the copy; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    property: Vec<(String, String)>,
    /// Refuses when the copy that is brought up to date is not at this version
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    if_version: Option<u64>,
    /// Shows what would be copied, and does nothing
    #[arg(long)]
    dry_run: bool,
    /// Adds what it costs: aws, azure, gcp or a price list
    #[arg(long, value_name = "FILE|PROVIDER")]
    prices: Option<String>,
}

pub async fn clone(session: &Session, asked: &CloneTable) -> Result<()> {
    let prices = prices(asked.prices.as_deref())?;
    let snapshot = session.snapshot(&asked.source).await?;
    let target = session.table_at(&asked.copy, asked.if_version)?;
    let mut clone = snapshot.clone_to(&target);
    if asked.deep {
        clone = clone.deep();
    }
    for (key, value) in &asked.property {
        clone = clone.property(key, value);
    }
    if asked.dry_run {
        let plan = {
            let _bar = session.progress.busy("looking at files");
            clone.plan().await?
        };
        return session.output.plan(plan.summary(), prices.as_ref());
    }
    let _writing = session.writing(&target);
    let report = {
        let _bar = session.progress.busy("copying");
        clone.run().await?
    };
    session.output.report_with(report, prices.as_ref())
}

/// Makes a table of the Parquet files of a folder, where they lie, or of an Iceberg table
#[derive(Args)]
#[command(after_help = "Example: lakebed convert ./events --partition-schema 'day DATE, kind STRING'")]
pub struct Convert {
    /// Path or URL of the folder
    #[arg(value_name = "DIR")]
    dir: String,
    /// What the folder holds; auto: an Iceberg table where there is metadata of one
    #[arg(long, value_enum, default_value_t = From::Auto)]
    from: From,
    /// The partition columns of Parquet files with their types, in the order of the folders
    #[arg(long, value_name = "COLUMNS")]
    partition_schema: Option<String>,
    /// Leaves statistics out
    #[arg(long)]
    no_statistics: bool,
    /// A property of the table; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    property: Vec<(String, String)>,
    /// Refuses when the table is not at this version, which a new one never is
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    if_version: Option<u64>,
    /// Shows what the table would be made of, and makes none
    #[arg(long)]
    dry_run: bool,
    /// Adds what it costs: aws, azure, gcp or a price list
    #[arg(long, value_name = "FILE|PROVIDER")]
    prices: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum From {
    Auto,
    Parquet,
    Iceberg,
}

pub async fn convert(session: &Session, asked: &Convert) -> Result<()> {
    let prices = prices(asked.prices.as_deref())?;
    let table = session.table_at(&asked.dir, asked.if_version)?;
    let mut convert = table.convert().from(match asked.from {
        From::Auto => ConvertSource::Any,
        From::Parquet => ConvertSource::Parquet,
        From::Iceberg => ConvertSource::Iceberg,
    });
    if let Some(columns) = &asked.partition_schema {
        convert = convert.partition_schema(Struct::from_sql(columns)?);
    }
    if asked.no_statistics {
        convert = convert.no_statistics();
    }
    for (key, value) in &asked.property {
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
    let _writing = session.writing(&table);
    let report = {
        let _bar = session.progress.busy("reading footers");
        convert.run().await?
    };
    session.output.report_with(report, prices.as_ref())
}

pub async fn manifest(session: &Session, table: &str) -> Result<()> {
    let table = session.table(table)?;
    let _writing = session.writing(&table);
    session.output.report(table.generate_manifest().run().await?)
}
