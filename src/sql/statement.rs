//! The statements of Spark's Delta dialect. Kind: pure. Spec: SQL.
//!
//! What starts with `SELECT`, `WITH`, `VALUES`, `FROM`, `TABLE` or a parenthesis is a query and goes to the planner as it is.

use super::copies::{self, Copying};
use super::optimize::{self, Optimize};
use super::text::Words;
use super::vacuum::{self, Vacuum};
use crate::error::{Code, Error, Result};
use datafusion::sql::sqlparser::tokenizer::Token;

/// Which table a statement names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum TableName {
    /// `` delta.`location` ``.
    Location(String),
    /// A name that the session knows, in lower case.
    Name(String),
}

impl TableName {
    /// The pieces of a name as it is written.
    pub fn of(mut names: Vec<String>) -> TableName {
        if names.len() == 2 && names[0].eq_ignore_ascii_case("delta") {
            return TableName::Location(names.remove(1));
        }
        TableName::Name(names.join(".").to_lowercase())
    }
}

impl TableName {
    /// What a statement may write before a column of the table.
    pub fn qualifier(&self) -> &str {
        match self {
            TableName::Location(location) => location,
            TableName::Name(name) => name.rsplit('.').next().unwrap_or(name),
        }
    }
}

impl std::fmt::Display for TableName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            TableName::Location(location) => write!(f, "delta.`{location}`"),
            TableName::Name(name) => f.write_str(name),
        }
    }
}

#[derive(Debug)]
pub(super) enum Statement {
    Query(String),
    Explain(String),
    DescribeDetail(TableName),
    DescribeHistory {
        table: TableName,
        limit: Option<usize>,
    },
    DescribeTable {
        table: TableName,
        extended: bool,
    },
    ShowProperties {
        table: TableName,
        key: Option<String>,
    },
    ShowColumns(TableName),
    Create(Box<CreateTable>),
    Insert(Insert),
    Delete {
        table: TableName,
        alias: Option<String>,
        filter: Option<String>,
    },
    Update {
        table: TableName,
        alias: Option<String>,
        set: Vec<(String, String)>,
        filter: Option<String>,
    },
    Merge(Box<Merge>),
    /// What follows the table's name.
    Alter {
        table: TableName,
        action: String,
    },
    Optimize(Optimize),
    Copying(Box<Copying>),
    Truncate(TableName),
    Vacuum(Vacuum),
    Comment {
        table: TableName,
        text: Option<String>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CreateMode {
    New,
    IfNotExists,
    CreateOrReplace,
    Replace,
}

#[derive(Debug)]
pub(super) struct CreateTable {
    pub mode: CreateMode,
    pub table: TableName,
    /// Column definitions.
    pub columns: Option<String>,
    pub partition_by: Vec<String>,
    pub cluster_by: Vec<String>,
    pub comment: Option<String>,
    pub location: Option<String>,
    pub properties: Vec<(String, String)>,
    pub query: Option<String>,
}

#[derive(Debug)]
pub(super) struct Insert {
    pub table: TableName,
    pub overwrite: bool,
    pub columns: Option<Vec<String>>,
    pub by_name: bool,
    /// `PARTITION (a = 1, b)`: names, and values as text.
    pub partition: Vec<(String, Option<String>)>,
    pub replace_where: Option<String>,
    pub source: String,
}

#[derive(Debug)]
pub(super) struct Merge {
    pub schema_evolution: bool,
    pub target: TableName,
    pub target_alias: Option<String>,
    /// A query, or the text of a relation.
    pub source: String,
    pub source_alias: Option<String>,
    /// What its columns go by without one.
    pub source_name: String,
    pub on: String,
    /// The clauses, each without its `WHEN`.
    pub clauses: Vec<String>,
}

/// What is not there yet, by the words that begin it.
const LATER: &[&str] = &["fsck", "analyze", "copy", "undrop"];

/// Reads one statement. `LB-SQL` with the position of what does not parse; what is no statement of this build is named.
pub(super) fn parse(text: &str) -> Result<Statement> {
    let mut words = Words::new(text)?;
    let query = ["select", "with", "values", "from", "table"].iter().any(|word| words.peek(word));
    if query || words.peek_open() {
        return Ok(Statement::Query(words.rest().to_owned()));
    }
    if let Some(word) = LATER.iter().find(|word| words.peek(word)) {
        return Err(unsupported(&word.to_uppercase()));
    }
    let statement = if words.take("explain") {
        for detail in ["extended", "formatted", "cost", "codegen"] {
            words.take(detail);
        }
        return Ok(Statement::Explain(words.rest().to_owned()));
    } else if words.take("describe") || words.take("desc") {
        describe(&mut words)?
    } else if words.take("show tblproperties") {
        let table = table(&mut words)?;
        let key = if words.take_token(&Token::LParen) {
            let key = words.property_key()?;
            words.need_token(&Token::RParen)?;
            Some(key)
        } else {
            None
        };
        Statement::ShowProperties { table, key }
    } else if words.take("show columns") {
        if !words.take("in") {
            words.need("from")?;
        }
        Statement::ShowColumns(table(&mut words)?)
    } else if words.take("create or replace table") {
        create(&mut words, CreateMode::CreateOrReplace)?
    } else if words.take("replace table") {
        create(&mut words, CreateMode::Replace)?
    } else if words.take("create table if not exists") {
        create(&mut words, CreateMode::IfNotExists)?
    } else if words.take("create table") || words.take("create external table") {
        create(&mut words, CreateMode::New)?
    } else if words.take("insert") {
        insert(&mut words)?
    } else if words.take("delete from") {
        let (table, alias) = aliased(&mut words, &["where"])?;
        Statement::Delete { table, alias, filter: condition(&mut words)? }
    } else if words.take("update") {
        update(&mut words)?
    } else if words.take("merge") {
        merge(&mut words)?
    } else if words.take("alter table") {
        let table = table(&mut words)?;
        Statement::Alter { table, action: words.rest().to_owned() }
    } else if words.take("optimize") {
        Statement::Optimize(optimize::optimize(&mut words)?)
    } else if words.take("reorg table") {
        Statement::Optimize(optimize::reorg(&mut words)?)
    } else if words.take("restore") {
        Statement::Copying(Box::new(copies::restore(&mut words)?))
    } else if words.take("convert to delta") {
        Statement::Copying(Box::new(copies::convert(&mut words)?))
    } else if words.take("generate") {
        Statement::Copying(Box::new(copies::generate(&mut words)?))
    } else if words.take("truncate table") {
        Statement::Truncate(table(&mut words)?)
    } else if words.take("vacuum") {
        Statement::Vacuum(vacuum::vacuum(&mut words)?)
    } else if words.take("comment on table") {
        let table = table(&mut words)?;
        words.need("is")?;
        let text = if words.take("null") { None } else { Some(words.need_quoted()?) };
        Statement::Comment { table, text }
    } else {
        return Err(words.expected("a statement").help(
            "there are SELECT, EXPLAIN, DESCRIBE, SHOW TBLPROPERTIES, SHOW COLUMNS, CREATE TABLE, REPLACE TABLE, INSERT, DELETE, UPDATE, \
             MERGE, ALTER TABLE, RESTORE, CLONE, CONVERT TO DELTA, GENERATE, OPTIMIZE, REORG TABLE, TRUNCATE TABLE, VACUUM and COMMENT ON TABLE",
        ));
    };
    words.finish()?;
    Ok(statement)
}

/// A statement that this build does not have.
pub(super) fn unsupported(what: &str) -> Error {
    Error::new(Code::SQL, format!("{what} is not supported")).with("statement", what)
}

/// `` delta.`location` ``, a name, or a location in quotes.
pub(super) fn table(words: &mut Words<'_>) -> Result<TableName> {
    match words.quoted() {
        Some(location) => Ok(TableName::Location(location)),
        None => Ok(TableName::of(words.names()?)),
    }
}

/// A table and the name that the rest of the statement gives it, unless one of the stops comes.
fn aliased(words: &mut Words<'_>, stops: &[&str]) -> Result<(TableName, Option<String>)> {
    let table = table(words)?;
    let alias =
        if words.take("as") || !(words.is_done() || stops.iter().any(|stop| words.peek(stop))) { Some(words.name()?) } else { None };
    Ok((table, alias))
}

/// `WHERE …` up to the end, if it is there.
fn condition(words: &mut Words<'_>) -> Result<Option<String>> {
    if !words.take("where") {
        return Ok(None);
    }
    let filter = words.rest();
    if filter.is_empty() { Err(words.expected("a condition")) } else { Ok(Some(filter.to_owned())) }
}

fn describe(words: &mut Words<'_>) -> Result<Statement> {
    if words.take("detail") {
        return Ok(Statement::DescribeDetail(table(words)?));
    }
    if words.take("history") {
        let table = table(words)?;
        let limit = if words.take("limit") { Some(usize::try_from(words.number()?).unwrap_or(usize::MAX)) } else { None };
        return Ok(Statement::DescribeHistory { table, limit });
    }
    words.take("table");
    let extended = words.take("extended") || words.take("formatted");
    Ok(Statement::DescribeTable { table: table(words)?, extended })
}

fn create(words: &mut Words<'_>, mode: CreateMode) -> Result<Statement> {
    let table = table(words)?;
    let mut create = CreateTable {
        mode,
        table,
        columns: None,
        partition_by: Vec::new(),
        cluster_by: Vec::new(),
        comment: None,
        location: None,
        properties: Vec::new(),
        query: None,
    };
    if let Some(copying) = copies::clone(words, &create.table)? {
        return match mode {
            CreateMode::New => Ok(Statement::Copying(Box::new(copying))),
            _ => Err(unsupported("CLONE with OR REPLACE or IF NOT EXISTS")),
        };
    }
    if words.peek("like") {
        return Err(unsupported("CREATE TABLE … LIKE"));
    }
    if words.peek_open() {
        let mark = words.mark();
        let inside = words.parenthesized()?;
        let first = inside.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_lowercase();
        if ["select", "with"].contains(&first.as_str()) {
            words.back_to(mark);
        } else {
            create.columns = Some(inside.to_owned());
        }
    }
    loop {
        if words.take("using") {
            let format = words.name()?;
            if !format.eq_ignore_ascii_case("delta") {
                return Err(Error::new(Code::SQL, format!("tables are made as Delta tables, not as {format}")).help("write USING DELTA"));
            }
        } else if words.take("partitioned by") {
            create.partition_by = words.name_list()?;
        } else if words.take("cluster by") {
            create.cluster_by = words.name_list()?;
        } else if words.take("comment") {
            create.comment = Some(words.need_quoted()?);
        } else if words.take("location") {
            create.location = Some(words.need_quoted()?);
        } else if words.take("tblproperties") || words.take("options") {
            create.properties.extend(words.properties()?);
        } else {
            break;
        }
    }
    let as_query = words.take("as") || words.peek("select") || words.peek("with") || words.peek_open();
    if as_query {
        create.query = Some(words.rest().to_owned());
    }
    if create.query.is_some() && create.columns.is_some() {
        return Err(Error::new(Code::SQL, "columns are given by a list or by a query, not by both").help("leave the list out"));
    }
    Ok(Statement::Create(Box::new(create)))
}

/// Where the rows of an INSERT begin.
const SOURCES: &[&str] = &["values", "select", "with", "from", "table"];

fn insert(words: &mut Words<'_>) -> Result<Statement> {
    let overwrite = words.take("overwrite");
    if !overwrite {
        words.need("into")?;
    } else {
        words.take("into");
    }
    words.take("table");
    let mut insert = Insert {
        table: table(words)?,
        overwrite,
        columns: None,
        by_name: false,
        partition: Vec::new(),
        replace_where: None,
        source: String::new(),
    };
    if words.take("partition") {
        words.need_token(&Token::LParen)?;
        loop {
            let name = words.name()?;
            let value = words.take_token(&Token::Eq).then(|| words.item(&[]).to_owned());
            insert.partition.push((name, value));
            if !words.take_token(&Token::Comma) {
                break;
            }
        }
        words.need_token(&Token::RParen)?;
        if words.take("if not exists") {
            return Err(unsupported("INSERT … PARTITION … IF NOT EXISTS"));
        }
    }
    if words.peek_open() {
        let mark = words.mark();
        match words.name_list() {
            Ok(names) if !words.is_done() => insert.columns = Some(names),
            _ => words.back_to(mark),
        }
    }
    if words.take("by name") {
        insert.by_name = true;
    }
    if words.take("replace where") {
        insert.replace_where = Some(words.until(SOURCES).to_owned()).filter(|filter| !filter.is_empty());
        if insert.replace_where.is_none() {
            return Err(words.expected("a condition"));
        }
    } else if words.peek("replace on") || words.peek("replace using") {
        return Err(unsupported("INSERT … REPLACE ON and REPLACE USING"));
    }
    if !words.peek_open() && !SOURCES.iter().any(|source| words.peek(source)) {
        return Err(words.expected("VALUES or a query"));
    }
    insert.source = words.rest().to_owned();
    Ok(Statement::Insert(insert))
}

fn update(words: &mut Words<'_>) -> Result<Statement> {
    let (table, alias) = aliased(words, &["set"])?;
    words.need("set")?;
    let mut set = Vec::new();
    loop {
        let column = words.path_text()?;
        words.need_token(&Token::Eq)?;
        let value = words.item(&["where"]);
        if value.is_empty() {
            return Err(words.expected("a value"));
        }
        set.push((column, value.to_owned()));
        if !words.take_token(&Token::Comma) {
            break;
        }
    }
    Ok(Statement::Update { table, alias, set, filter: condition(words)? })
}

fn merge(words: &mut Words<'_>) -> Result<Statement> {
    let schema_evolution = words.take("with schema evolution");
    words.need("into")?;
    let (target, target_alias) = aliased(words, &["using"])?;
    words.need("using")?;
    let (source, source_name) = if words.peek_open() {
        (words.parenthesized()?.to_owned(), String::new())
    } else {
        let start = words.mark();
        let name = table(words)?;
        words.back_to(start);
        let mut text = words.table_text()?.to_owned();
        // A version may follow the name.
        if words.peek("version as of") || words.peek("timestamp as of") {
            text.push(' ');
            text.push_str(words.version_text());
        }
        (format!("SELECT * FROM {text}"), name.qualifier().to_owned())
    };
    let (source, source_alias) = match words.take("as") || !words.peek("on") {
        true => (source, Some(words.name()?)),
        false => (source, None),
    };
    words.need("on")?;
    let on = words.until(&["when"]).to_owned();
    let mut clauses = Vec::new();
    while words.take("when") {
        clauses.push(words.until(&["when"]).to_owned());
    }
    if on.is_empty() || clauses.is_empty() {
        return Err(words.expected(if on.is_empty() { "a condition" } else { "WHEN" }));
    }
    Ok(Statement::Merge(Box::new(Merge { schema_evolution, target, target_alias, source, source_alias, source_name, on, clauses })))
}

#[cfg(test)]
#[path = "statement_tests.rs"]
mod tests;
