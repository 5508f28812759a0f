//! `alter`: changes what a table is. Kind: edge.

use crate::args::{bare, key_value, paths};
use crate::failure::Result;
use crate::session::Session;
use clap::{Args, Subcommand};
use lakebed::{Alteration, DataType, NewColumn, Version, column_path};

/// Which table, and what to change about it.
#[derive(Args)]
pub struct Alter {
    /// Path or URL
    #[arg(value_name = "TABLE")]
    pub table: String,
    /// Refuses when the table is not at this version
    #[arg(long, value_name = "N", global = true)]
    pub if_version: Option<u64>,
    #[command(subcommand)]
    pub change: Change,
}

#[derive(Subcommand)]
#[allow(clippy::enum_variant_names)] // `change-type` is what users type
pub enum Change {
    /// Adds columns; rows that are there have null in them
    #[command(after_help = "Example: lakebed alter ./events add-column 'address.zip STRING COMMENT ''of the city'' AFTER city'")]
    AddColumn {
        /// Names and types, with COMMENT 'text', FIRST or AFTER a column; a dot leads into a struct
        #[arg(value_name = "COLUMNS", required = true)]
        columns: Vec<String>,
    },
    /// Drops columns of a table that maps its columns
    #[command(after_help = "Example: lakebed alter ./events drop-column address.zip")]
    DropColumn {
        /// Paths such as address.zip
        #[arg(value_name = "COLUMN", required = true)]
        columns: Vec<String>,
    },
    /// Renames a column of a table that maps its columns
    #[command(after_help = "Example: lakebed alter ./events rename-column city town")]
    RenameColumn {
        /// Path such as address.zip
        column: String,
        /// The new name, without the path
        to: String,
    },
    /// Makes the type of a column wider
    #[command(after_help = "Example: lakebed alter ./events change-type readings.element DOUBLE")]
    ChangeType {
        /// Path; element, key and value lead into arrays and maps
        column: String,
        /// The new type
        #[arg(value_name = "TYPE")]
        data_type: String,
    },
    /// Forbids null, unless a row has it
    #[command(after_help = "Example: lakebed alter ./events set-not-null id")]
    SetNotNull { column: String },
    /// Allows null
    #[command(after_help = "Example: lakebed alter ./events drop-not-null id")]
    DropNotNull { column: String },
    /// Sets what new rows have in a column when they bring nothing for it
    #[command(after_help = "Example: lakebed alter ./events set-default created 'current_timestamp()'")]
    SetDefault {
        column: String,
        /// A constant expression, SQL of Spark's dialect
        #[arg(value_name = "EXPR")]
        default: String,
    },
    /// New rows that bring nothing for the column have null in it
    #[command(after_help = "Example: lakebed alter ./events drop-default created")]
    DropDefault { column: String },
    /// Sets the comment of the table or of a column; an empty text drops it
    #[command(after_help = "Example: lakebed alter ./events comment 'where it happened' --column city")]
    Comment {
        text: String,
        /// Comments on this column instead of the table
        #[arg(long, value_name = "COLUMN")]
        column: Option<String>,
    },
    /// Sets table properties
    #[command(after_help = "Example: lakebed alter ./events set-property delta.appendOnly=true delta.checkpointInterval=20")]
    SetProperty {
        #[arg(value_name = "KEY=VALUE", value_parser = key_value, required = true)]
        properties: Vec<(String, String)>,
    },
    /// Drops table properties
    #[command(after_help = "Example: lakebed alter ./events unset-property delta.checkpointInterval")]
    UnsetProperty {
        #[arg(value_name = "KEY", required = true)]
        keys: Vec<String>,
    },
    /// Adds a condition that every row must fulfil, unless a row does not
    #[command(after_help = "Example: lakebed alter ./events add-constraint positive 'amount > 0 OR amount IS NULL'")]
    AddConstraint {
        name: String,
        /// SQL of Spark's dialect
        condition: String,
    },
    /// Drops a condition
    #[command(after_help = "Example: lakebed alter ./events drop-constraint positive --if-exists")]
    DropConstraint {
        name: String,
        /// Does nothing when there is none of this name
        #[arg(long)]
        if_exists: bool,
    },
    /// Supports a table feature
    #[command(after_help = "Example: lakebed alter ./events add-feature deletionVectors")]
    AddFeature { feature: String },
    /// Removes all traces of a table feature, and its support
    #[command(after_help = "Example: lakebed alter ./events drop-feature deletionVectors")]
    DropFeature {
        feature: String,
        /// Removes the history that needs the feature, once it is old enough, instead of protecting checkpoints
        #[arg(long)]
        truncate_history: bool,
    },
    /// Sets the columns by which files are clustered
    #[command(after_help = "Example: lakebed alter ./events cluster-by city,day")]
    ClusterBy {
        /// Up to four columns, or `none`
        #[arg(value_name = "A,B|none")]
        columns: String,
    },
    /// Moves the mark of an identity column to its highest value
    #[command(after_help = "Example: lakebed alter ./events sync-identity id")]
    SyncIdentity { column: String },
}

impl Change {
    fn alteration(&self) -> lakebed::Result<Alteration> {
        Ok(match self {
            Change::AddColumn { columns } => {
                let parsed = columns.iter().map(|text| NewColumn::from_sql(text)).collect::<lakebed::Result<Vec<_>>>()?;
                Alteration::AddColumns(parsed.into_iter().flatten().collect())
            }
            Change::DropColumn { columns } => Alteration::DropColumns(paths(columns)?),
            Change::RenameColumn { column, to } => Alteration::RenameColumn { column: column_path(column)?, to: bare(to) },
            Change::ChangeType { column, data_type } => {
                Alteration::ChangeType { column: column_path(column)?, to: DataType::from_sql(data_type)? }
            }
            Change::SetNotNull { column } => Alteration::SetNotNull(column_path(column)?),
            Change::DropNotNull { column } => Alteration::DropNotNull(column_path(column)?),
            Change::SetDefault { column, default } => Alteration::SetDefault { column: column_path(column)?, default: default.clone() },
            Change::DropDefault { column } => Alteration::DropDefault(column_path(column)?),
            Change::Comment { text, column: None } => Alteration::Comment(text.clone()),
            Change::Comment { text, column: Some(column) } => {
                Alteration::CommentColumn { column: column_path(column)?, comment: text.clone() }
            }
            Change::SetProperty { properties } => Alteration::SetProperties(properties.iter().cloned().collect()),
            Change::UnsetProperty { keys } => Alteration::UnsetProperties(keys.clone()),
            Change::AddConstraint { name, condition } => Alteration::AddConstraint { name: name.clone(), condition: condition.clone() },
            Change::DropConstraint { name, if_exists } => Alteration::DropConstraint { name: name.clone(), if_exists: *if_exists },
            Change::AddFeature { feature } => Alteration::AddFeature(feature.clone()),
            Change::DropFeature { feature, truncate_history } => {
                Alteration::DropFeature { feature: feature.clone(), truncate_history: *truncate_history }
            }
            Change::ClusterBy { columns } if columns.trim().eq_ignore_ascii_case("none") => Alteration::ClusterBy(Vec::new()),
            Change::ClusterBy { columns } => Alteration::ClusterBy(paths(std::slice::from_ref(columns))?),
            Change::SyncIdentity { column } => Alteration::SyncIdentity(column_path(column)?),
        })
    }
}

pub async fn run(session: &Session, alter: &Alter) -> Result<()> {
    let table = session.table(&alter.table)?;
    let mut work = table.alter(alter.change.alteration()?);
    if let Some(version) = alter.if_version {
        work = work.if_version(Version(version));
    }
    let _writing = session.writing(&table);
    let report = {
        let _bar = session.progress.busy("altering the table");
        work.run().await?
    };
    session.output.report(report)
}
