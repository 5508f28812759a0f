//! A statement -> the operation that carries it out. Kind: edge. Spec: SQL.

use super::alter::alteration;
use super::query::Planned;
use super::statement::{CreateMode, CreateTable, Statement, TableName, parse, unsupported};
use super::text::without_qualifier;
use super::{Answer, Session, copies, describe, optimize, sink};
use crate::error::{Code, Error, Result};
use crate::expr::Expr;
use crate::operations::{Alteration, Report};
use crate::schema::{Struct, column_path};
use crate::table::Table;
use futures::FutureExt;
use serde_json::json;

pub(super) async fn run(session: &Session, text: &str) -> Result<Answer> {
    Ok(match parse(text)? {
        Statement::Query(query) => Answer::Rows(Planned::new(session, &query, false).await?.rows().await?),
        Statement::Explain(statement) => {
            let Statement::Query(query) = parse(&statement)? else { return Err(unsupported("EXPLAIN of a statement that is no query")) };
            let plan = Planned::new(session, &query, true).await?.explained().await?;
            Answer::Rows(describe::rows("plan STRING", &[json!({"plan": plan})])?)
        }
        Statement::DescribeDetail(table) => Answer::Rows(describe::detail(session, &table).await?),
        Statement::DescribeHistory { table, limit } => Answer::Rows(describe::history(&session.table(&table)?, limit).await?),
        Statement::DescribeTable { table, extended } => Answer::Rows(describe::columns(session, &table, extended).await?),
        Statement::ShowProperties { table, key } => Answer::Rows(describe::properties(session, &table, key.as_deref()).await?),
        Statement::ShowColumns(table) => Answer::Rows(describe::names(session, &table).await?),
        Statement::Create(new) => Answer::Report(create(session, *new).await?),
        Statement::Insert(insert) => Answer::Report(sink::insert(session, &insert).await?),
        Statement::Delete { table, alias, filter } => {
            let scope = alias.as_deref().unwrap_or(table.qualifier());
            let mut delete = session.table(&table)?.delete();
            if let Some(filter) = filter {
                delete = delete.filter(expression(&filter, scope)?);
            }
            Answer::Report(delete.run().await?)
        }
        Statement::Update { table, alias, set, filter } => {
            let scope = alias.as_deref().unwrap_or(table.qualifier());
            let mut update = session.table(&table)?.update();
            for (column, value) in set {
                update = update.set(&without_qualifier(&column, scope)?, expression(&value, scope)?);
            }
            if let Some(filter) = filter {
                update = update.filter(expression(&filter, scope)?);
            }
            Answer::Report(update.run().await?)
        }
        Statement::Merge(merge) => Answer::Report(sink::merge(session, &merge).await?),
        Statement::Alter { table, action } => Answer::Report(session.table(&table)?.alter(alteration(&action)?).run().await?),
        Statement::Optimize(asked) => Answer::Report(optimize::run(session, &asked).await?),
        Statement::Copying(copying) => Answer::Report(copies::run(session, *copying).await?),
        Statement::Truncate(table) => Answer::Report(session.table(&table)?.truncate().run().await?),
        Statement::Vacuum(vacuum) => vacuum.run(session).boxed().await?,
        Statement::Comment { table, text } => {
            Answer::Report(session.table(&table)?.alter(Alteration::Comment(text.unwrap_or_default())).run().await?)
        }
    })
}

/// An expression over the columns of one table.
pub(super) fn expression(text: &str, scope: &str) -> Result<Expr> {
    Expr::sql(&without_qualifier(text, scope)?)
}

/// The table that is to be made: where the statement says, else where its name leads.
fn place(session: &Session, new: &CreateTable) -> Result<Table> {
    match (&new.location, &new.table) {
        (Some(location), TableName::Name(name)) => {
            let table = session.table(&TableName::Location(location.clone()))?;
            session.register(name, table.clone());
            Ok(table)
        }
        (Some(_), TableName::Location(_)) => Err(Error::new(Code::SQL, "the table's location is given twice").help("leave LOCATION out")),
        (None, name) => session.table(name).map_err(|e| match name {
            TableName::Name(_) if e.code() == Code::SQL => {
                e.help("say where the table shall lie: LOCATION 'path', or name it delta.`path`")
            }
            _ => e,
        }),
    }
}

async fn create(session: &Session, new: CreateTable) -> Result<Report> {
    let table = place(session, &new)?;
    let columns = new.columns.as_deref().map(Struct::from_sql).transpose()?;
    if columns.is_none() && new.query.is_none() {
        return Err(Error::new(Code::SQL, "a new table needs columns or a query"));
    }
    let schema = columns.unwrap_or_default();
    let mut create = match new.mode {
        CreateMode::New => table.create(schema),
        CreateMode::IfNotExists => table.create(schema).if_not_exists(),
        CreateMode::CreateOrReplace => table.create(schema).or_replace(),
        CreateMode::Replace => table.replace(schema),
    };
    create = create.partition_by(new.partition_by);
    for (key, value) in &new.properties {
        create = create.property(key, value);
    }
    if let Some(comment) = &new.comment {
        create = create.comment(comment);
    }
    if !new.cluster_by.is_empty() {
        create = create.cluster_by(new.cluster_by.iter().map(|name| column_path(name)).collect::<Result<Vec<_>>>()?);
    }
    if let Some(query) = &new.query {
        let query = Planned::new(session, query, false).await?;
        create = query.base(&table).await?.into_iter().fold(create, |create, base| create.reading(base));
        let rows = query.rows().await?;
        create = create.rows(rows.schema, (session.watch)(rows.batches));
    }
    create.run().await
}
