//! What hooks work on. Kind: shape. Spec: FEA.
//!
//! Upper layers fill these or carry them out, so that neither they name a feature nor features know them.

use super::TableState;
use super::sequence::Sequence;
use crate::env::Env;
use crate::error::{Code, Error, Result};
use crate::expr::Expr;
use crate::log::{DomainMetadata, StringMap};
use crate::schema::{Field, FieldPath, Struct};

/// A column that no schema names: where a row lies, and which row it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HiddenColumn {
    /// The path of the row's data file, as it stands in the log.
    FilePath,
    /// The row's position in its data file, from 0, deleted rows counted.
    RowIndex,
    /// The row's stable id.
    RowId,
    /// The version that last changed the row.
    RowCommitVersion,
}

impl HiddenColumn {
    /// Every one.
    pub const ALL: [HiddenColumn; 4] =
        [HiddenColumn::FilePath, HiddenColumn::RowIndex, HiddenColumn::RowId, HiddenColumn::RowCommitVersion];
    /// Its name in the batches of a scan.
    pub fn name(self) -> &'static str {
        match self {
            HiddenColumn::FilePath => "_metadata.file_path",
            HiddenColumn::RowIndex => "_metadata.row_index",
            HiddenColumn::RowId => "_metadata.row_id",
            HiddenColumn::RowCommitVersion => "_metadata.row_commit_version",
        }
    }
}

/// A table that is being made or changed: what its metadata will say.
#[derive(Debug)]
pub(crate) struct TableDraft<'a> {
    pub(crate) schema: Struct,
    /// In schema spelling.
    pub(crate) partition_columns: Vec<String>,
    pub(crate) properties: StringMap,
    /// By which columns files are to be clustered from now on (none when empty); `None` when nothing is said about it.
    pub(crate) cluster_by: Option<Vec<FieldPath>>,
    /// Domains to set or (with `removed`) to drop.
    pub(crate) domains: Vec<DomainMetadata>,
    /// Whether no data was written under this schema yet.
    pub(crate) is_new: bool,
    /// Whether the rows that are there go with the schema that they had.
    pub(crate) replaces_rows: bool,
    /// The table as it was; `None` when it is made.
    pub(crate) before: Option<&'a TableState>,
    /// Where names that no column ever had are drawn from.
    pub(crate) env: &'a Env,
}

/// A hidden column that files store for rows which are moved, because their place no longer says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MovedColumn {
    pub(crate) column: HiddenColumn,
    /// Its name in data files.
    pub(crate) name: String,
    pub(crate) field_id: Option<i32>,
}

/// What must hold for every row that is written.
#[derive(Clone, Debug)]
pub(crate) struct RowCheck {
    /// What the user sees when a row breaks it.
    pub(crate) name: String,
    /// A row is refused unless this is TRUE.
    pub(crate) condition: Expr,
    /// The column that the writer can make: rows that lack it are not asked, for what is made fulfils the condition.
    pub(crate) given: Option<String>,
}

/// A column whose values the writer makes when rows lack it.
#[derive(Clone, Debug)]
pub(crate) struct Fill {
    /// The logical name of a top-level column.
    pub(crate) column: String,
    pub(crate) value: FillValue,
}

/// Where the values of a column come from that rows lack.
#[derive(Clone, Debug)]
pub(crate) enum FillValue {
    /// One value for the whole write, without columns; the time now is that of the write. Only for rows that are new.
    Constant(Expr),
    /// From the row's other columns; also for rows that were in the table.
    Computed(Expr),
    /// The next numbers. Only for rows that are new, whose own numbers may be refused.
    Number(Sequence),
}

/// What is done to rows on their way into files, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct WritePlan {
    /// What is made for columns that rows lack; one entry a column.
    pub(crate) fills: Vec<Fill>,
    /// Asked of rows once they are complete.
    pub(crate) checks: Vec<RowCheck>,
    /// The Parquet field id of a physical field, when data files carry ids.
    pub(crate) field_id: Option<fn(&Field) -> Option<i32>>,
    /// Whether data files lie in folders of random names instead of folders that name their partition.
    pub(crate) random_folders: bool,
    /// What files store of rows that were read from this table, beyond the columns of the schema; null where it is new.
    pub(crate) moved: Vec<MovedColumn>,
    /// Whether data files also hold the partition columns, after all others.
    pub(crate) partition_columns: bool,
    /// Whether data files keep variants in pieces, in typed columns.
    pub(crate) shreds_variants: bool,
}

impl WritePlan {
    /// The columns that are computed from one of these, directly.
    pub(crate) fn depending_on(&self, columns: &[&str], schema: &Struct) -> Result<Vec<String>> {
        let mut found = Vec::new();
        for fill in &self.fills {
            if let FillValue::Computed(expr) = &fill.value
                && expr.bind_rule(schema)?.columns().iter().any(|name| columns.contains(&name.as_str()))
            {
                found.push(fill.column.clone());
            }
        }
        Ok(found)
    }
    /// Refuses values for a column that the table numbers: always for rows that are there, for new ones where it accepts none.
    /// `LB-CONSTRAINT`.
    pub(crate) fn check_given(&self, column: &str, is_new: bool) -> Result<()> {
        let refuses = |value: &FillValue| matches!(value, FillValue::Number(sequence) if !(is_new && sequence.accepts_given));
        if !self.fills.iter().any(|fill| fill.column == column && refuses(&fill.value)) {
            return Ok(());
        }
        let what = if is_new { "so rows cannot bring others" } else { "so they cannot be changed" };
        Err(Error::new(Code::CONSTRAINT, format!("the table itself gives the values of the column, {what}")).with("column", column))
    }
    /// The columns that rows may lack, whatever the schema says.
    pub(crate) fn made(&self) -> Vec<String> {
        self.fills.iter().map(|fill| fill.column.clone()).collect()
    }
}
