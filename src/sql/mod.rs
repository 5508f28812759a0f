//! SQL: Spark's Delta dialect over tables of this library. Kind: edge. Spec: SQL.
//!
//! Statements that change a table become operations; queries become plans whose leaves are scans. Nothing depends on this room, so
//! leaving it out (cargo feature `sql`) changes no meaning.

mod alter;
mod calls;
mod copies;
mod describe;
mod dialect;
mod failure;
mod feed;
mod functions;
mod guard;
mod library;
mod optimize;
mod provider;
mod pushdown;
mod query;
mod relations;
mod run;
mod scan;
mod shape;
mod sink;
mod spark;
mod statement;
mod text;
mod tokens;
mod vacuum;

use crate::env::Env;
use crate::error::{Code, Error, Result};
use crate::operations::Report;
use crate::snapshot::At;
use crate::table::Table;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::stream::BoxStream;
use statement::TableName;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

type Open = Arc<dyn Fn(&str) -> Result<Table> + Send + Sync>;
type Batches = BoxStream<'static, Result<RecordBatch>>;
type Watch = Arc<dyn Fn(Batches) -> Batches + Send + Sync>;

/// Names of tables, and where to run statements over them. Cheap to clone; clones share their names.
#[derive(Clone)]
pub struct Session {
    env: Env,
    open: Open,
    watch: Watch,
    /// With the version that a name stands for.
    tables: Arc<Mutex<BTreeMap<String, (Table, At)>>>,
}

/// What a statement gives.
#[allow(clippy::large_enum_variant)] // one of them a statement
#[derive(Debug)]
pub enum Answer {
    Rows(Rows),
    /// Of a statement that changes a table.
    Report(Report),
}

/// The rows of a query.
pub struct Rows {
    pub schema: SchemaRef,
    pub batches: Batches,
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows").field("schema", &self.schema).finish_non_exhaustive()
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("tables", &self.tables().keys().collect::<Vec<_>>()).finish_non_exhaustive()
    }
}

impl Session {
    /// A session without names. `` delta.`location` `` is opened with this environment and the process's storage options.
    pub fn new(env: Env) -> Session {
        let own = env.clone();
        let open = move |location: &str| Table::at(location).env(own.clone()).open();
        Session { env, open: Arc::new(open), watch: Arc::new(|rows| rows), tables: Arc::default() }
    }
    /// The same with another way to open `` delta.`location` ``.
    pub fn opening(mut self, open: impl Fn(&str) -> Result<Table> + Send + Sync + 'static) -> Session {
        self.open = Arc::new(open);
        self
    }
    /// The same where the rows that a statement writes pass through `watch`, which may end them with an error.
    pub fn watching(mut self, watch: impl Fn(Batches) -> Batches + Send + Sync + 'static) -> Session {
        self.watch = Arc::new(watch);
        self
    }
    /// Names a table, in any case of letters; a name that is taken goes to the new table.
    pub fn register(&self, name: &str, table: Table) -> &Session {
        self.register_at(name, table, At::Latest)
    }
    /// The same for one version of a table, which can only be read.
    pub fn register_at(&self, name: &str, table: Table, at: At) -> &Session {
        self.tables().insert(name.to_lowercase(), (table, at));
        self
    }
    /// Runs one statement. A query's rows are computed as they are taken; any other statement has run when this returns.
    ///
    /// `LB-SQL` for what does not parse, cannot be planned or computes what has no value; otherwise the errors of reading and of the operations. Memory: what
    /// sorting, joining and grouping hold is taken from the environment's budget, and what does not fit goes to its spill folder.
    pub async fn sql(&self, statement: &str) -> Result<Answer> {
        run::run(self, statement).await.map_err(|e| if e.code() == Code::EXPR { e.told_as(Code::SQL) } else { e })
    }

    fn tables(&self) -> MutexGuard<'_, BTreeMap<String, (Table, At)>> {
        self.tables.lock().unwrap_or_else(|e| e.into_inner())
    }
    fn knows(&self, name: &str) -> bool {
        self.tables().contains_key(&name.to_lowercase())
    }
    /// The table that a statement names, as it is now.
    fn table(&self, name: &TableName) -> Result<Table> {
        match self.named(name)? {
            (table, At::Latest) => Ok(table),
            (table, _) => Err(Error::new(Code::SQL, "the name stands for one version of a table, which can only be read")
                .with("table", table.root().url())
                .help("name the table without @ and a version")),
        }
    }
    /// The same with the version that its name stands for.
    fn named(&self, name: &TableName) -> Result<(Table, At)> {
        match name {
            TableName::Location(location) => Ok(((self.open)(location)?, At::Latest)),
            TableName::Name(name) => {
                let tables = self.tables();
                tables.get(name).cloned().ok_or_else(|| {
                    let known: Vec<&str> = tables.keys().map(String::as_str).collect();
                    let help = if known.is_empty() {
                        "the session knows no names".to_owned()
                    } else {
                        format!("the names are: {}", known.join(", "))
                    };
                    Error::new(Code::SQL, format!("there is no table `{name}`"))
                        .with("table", name)
                        .help(format!("{help}; a table without a name is written delta.`path`"))
                })
            }
        }
    }
}
