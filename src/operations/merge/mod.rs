//! MERGE: rows of a source change, remove and add rows of the table, clause by clause. Kind: edge. Spec: MRG.
//!
//! The source is read once, the target streams by file by file; whatever the sizes, memory stays within the budget.

mod chunk;
mod files;
mod image;
mod later;
mod matching;
mod plan;
mod reads;
mod source;
mod stage;

use super::Report;
use super::run::{Operation, Settings, Staged, chosen_by_settings, run};
use crate::data::input::InputRows;
use crate::data::write::WriteOptions;
use crate::error::{Code, Error, Result};
use crate::expr::{Expr, MergeClause};
use crate::features::TableState;
use crate::log::Version;
use crate::schema::Struct;
use crate::snapshot::Snapshot;
use crate::table::Table;
use crate::transaction::CommitPolicy;
use plan::Wish;
use source::Source;
use std::sync::Arc;
use tokio::sync::Mutex;

/// Changes rows of a table by those of a source.
pub struct Merge {
    table: Table,
    source: InputRows,
    on: Expr,
    target_alias: String,
    source_alias: String,
    clauses: Vec<MergeClause>,
    evolves: bool,
    settings: Settings,
}

chosen_by_settings!(Merge);

impl Table {
    /// Starts a merge of the rows of `source`; rows match when `on` is TRUE. In expressions the table is `t` and the source `s`.
    pub fn merge(&self, source: InputRows, on: Expr) -> Merge {
        Merge {
            table: self.clone(),
            source,
            on,
            target_alias: "t".to_owned(),
            source_alias: "s".to_owned(),
            clauses: Vec::new(),
            evolves: false,
            settings: Settings::default(),
        }
    }
}

impl Merge {
    /// The source was computed from this version of the table.
    pub(crate) fn reading(mut self, base: Arc<Snapshot>) -> Self {
        self.settings.reading = Some(base);
        self
    }
    /// Adds a clause. Of each kind (MATCHED, NOT MATCHED, NOT MATCHED BY SOURCE) the first one whose condition is TRUE applies.
    pub fn when(mut self, clause: MergeClause) -> Self {
        self.clauses.push(clause);
        self
    }
    /// What expressions call the table.
    pub fn target_alias(mut self, name: &str) -> Self {
        self.target_alias = name.to_owned();
        self
    }
    /// What expressions call the source.
    pub fn source_alias(mut self, name: &str) -> Self {
        self.source_alias = name.to_owned();
        self
    }
    /// Adds columns of the source that clauses name (`*` names all) to the table, and widens types where the table allows it.
    pub fn schema_evolution(mut self) -> Self {
        self.evolves = true;
        self
    }
    /// Merges and commits at once. `LB-MERGE-MULTI` when several source rows match one row, `LB-EXPR` and `LB-SCHEMA` for what does not
    /// fit, `LB-CONSTRAINT` for the rule that refused a row, `LB-CONFLICT`; then nothing was committed, and files that were written are
    /// deleted. The report's version is `None` when no row changes.
    ///
    /// The source is read once, also when another writer's commit makes it necessary to look at the table again. Files of the table
    /// that no key of the source can lie in are not read; of others the columns that conditions name, and whole rows only of rows that
    /// change. Memory: within `Env::memory`; rows that it does not hold go to `Env::spill_folder`.
    pub async fn run(self) -> Result<Report> {
        let Merge { table, source, on, target_alias, source_alias, clauses, evolves, settings } = self;
        let wish = Wish { target_alias, source_alias, source: Struct::from_arrow(&source.schema)?, on, clauses, evolves };
        let merging = Merging { wish, options: settings.options.clone(), rows: Mutex::new(Read::Not(source)) };
        run(&table, &merging, &settings).await
    }
}

/// A merge that may be planned several times.
struct Merging {
    wish: Wish,
    options: WriteOptions,
    rows: Mutex<Read>,
}

/// How far the source was read.
enum Read {
    Not(InputRows),
    /// All of it, for tables of this state: what is kept was chosen for their columns.
    All(Box<Source>, Arc<TableState>),
    Failed,
}

impl Operation for Merging {
    const NAME: &'static str = "MERGE";

    async fn stage(&self, base: &Arc<Snapshot>) -> Result<Staged> {
        let env = base.table().env();
        let started = env.now();
        let plan = self.wish.plan(base)?;
        let mut rows = self.rows.lock().await;
        if let Read::Not(_) = &*rows
            && let Read::Not(input) = std::mem::replace(&mut *rows, Read::Failed)
        {
            *rows = Read::All(Box::new(Source::read(&plan, input, env).await?), Arc::clone(base.state()));
        }
        let Read::All(source, read_for) = &*rows else {
            return Err(Error::new(Code::INTERNAL, "the source of a merge can be read once only"));
        };
        if read_for.metadata() != base.state().metadata() && !read_for.differs_in_numbers_only(base.state()) {
            return Err(Error::new(Code::CONFLICT, "another writer has changed the table's columns or properties during the merge")
                .with("version", base.version())
                .help("look at the table and merge again"));
        }
        let read = env.now();
        let mut staged = stage::stage(base, &plan, source, &self.options).await?;
        staged.parameters = self.wish.parameters();
        staged.metrics.insert("materializeSourceTimeMs".to_owned(), (read.millis() - started.millis()).max(0).into());
        Ok(staged)
    }
}
