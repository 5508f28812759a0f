//! RESTORE, CLONE, CONVERT TO DELTA and GENERATE. Kind: edge. Spec: SQL.

use super::Session;
use super::query::at;
use super::relations::When;
use super::statement::{TableName, table};
use super::text::Words;
use crate::error::{Code, Error, Result};
use crate::operations::{ConvertSource, Report};
use crate::schema::Struct;

#[derive(Debug)]
pub(super) enum Copying {
    Restore { table: TableName, to: When },
    Clone { table: TableName, location: Option<String>, source: TableName, when: When, deep: bool, properties: Vec<(String, String)> },
    Convert { location: String, source: ConvertSource, partitions: Option<String>, statistics: bool },
    Generate(TableName),
}

/// `VERSION AS OF n` or `TIMESTAMP AS OF …`.
fn version(words: &mut Words<'_>, stops: &[&str]) -> Result<Option<When>> {
    if words.take("version as of") {
        return Ok(Some(When::Version(words.number()?)));
    }
    if !words.take("timestamp as of") {
        return Ok(None);
    }
    let time = words.item(stops);
    if time.is_empty() { Err(words.expected("a time")) } else { Ok(Some(When::Time(time.to_owned()))) }
}

/// What follows `RESTORE`.
pub(super) fn restore(words: &mut Words<'_>) -> Result<Copying> {
    words.take("table");
    let table = table(words)?;
    words.take("to");
    match version(words, &[])? {
        Some(to) => Ok(Copying::Restore { table, to }),
        None => Err(words.expected("VERSION AS OF or TIMESTAMP AS OF")),
    }
}

/// What follows the name of a table that is made as a copy; `None` when it is not.
pub(super) fn clone(words: &mut Words<'_>, name: &TableName) -> Result<Option<Copying>> {
    let deep = words.take("deep clone");
    if !deep && !words.take("shallow clone") {
        return Ok(None);
    }
    let source = table(words)?;
    let when = version(words, &["tblproperties", "location"])?.unwrap_or(When::Latest);
    let (mut location, mut properties) = (None, Vec::new());
    loop {
        if words.take("tblproperties") {
            properties.extend(words.properties()?);
        } else if words.take("location") {
            location = Some(words.need_quoted()?);
        } else {
            break;
        }
    }
    Ok(Some(Copying::Clone { table: name.clone(), location, source, when, deep, properties }))
}

/// What follows `CONVERT TO DELTA`.
pub(super) fn convert(words: &mut Words<'_>) -> Result<Copying> {
    let names = words.names()?;
    let (location, source) = match names.as_slice() {
        [format, location] if format.eq_ignore_ascii_case("parquet") => (location.clone(), ConvertSource::Parquet),
        [format, location] if format.eq_ignore_ascii_case("iceberg") => (location.clone(), ConvertSource::Iceberg),
        _ => {
            let error = Error::new(Code::SQL, "what is converted is written parquet.`folder` or iceberg.`folder`");
            return Err(error.with("name", names.join(".")));
        }
    };
    let statistics = !words.take("no statistics");
    let partitions = if words.take("partitioned by") { Some(words.parenthesized()?.to_owned()) } else { None };
    Ok(Copying::Convert { location, source, partitions, statistics })
}

/// What follows `GENERATE`.
pub(super) fn generate(words: &mut Words<'_>) -> Result<Copying> {
    let mode = words.name()?;
    if !mode.eq_ignore_ascii_case("symlink_format_manifest") {
        return Err(Error::new(Code::SQL, format!("{mode} cannot be generated")).help("write GENERATE symlink_format_manifest FOR TABLE t"));
    }
    words.need("for table")?;
    Ok(Copying::Generate(table(words)?))
}

pub(super) async fn run(session: &Session, copying: Copying) -> Result<Report> {
    match copying {
        Copying::Restore { table, to } => session.table(&table)?.restore(at(session, &to).await?).run().await,
        Copying::Clone { table, location, source, when, deep, properties } => {
            let target = match (&location, &table) {
                (Some(location), TableName::Name(name)) => {
                    let target = session.table(&TableName::Location(location.clone()))?;
                    session.register(name, target.clone());
                    target
                }
                (Some(_), TableName::Location(_)) => return Err(Error::new(Code::SQL, "the table's location is given twice")),
                (None, name) => session.table(name)?,
            };
            let when = at(session, &when).await?;
            let mut clone = session.table(&source)?.snapshot_at(when).await?.clone_to(&target);
            if deep {
                clone = clone.deep();
            }
            for (key, value) in &properties {
                clone = clone.property(key, value);
            }
            clone.run().await
        }
        Copying::Convert { location, source, partitions, statistics } => {
            let mut convert = session.table(&TableName::Location(location))?.convert().from(source);
            if let Some(columns) = partitions {
                convert = convert.partition_schema(Struct::from_sql(&columns)?);
            }
            if !statistics {
                convert = convert.no_statistics();
            }
            convert.run().await
        }
        Copying::Generate(table) => session.table(&table)?.generate_manifest().run().await,
    }
}
