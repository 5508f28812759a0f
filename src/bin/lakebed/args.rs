//! What can be typed: commands and flags. Kind: shape.

use crate::alter::Alter;
use crate::change::{Append, Create};
use crate::changes::Changes;
use crate::copies::{CloneTable, Convert};
use crate::doctor::Doctor;
use crate::merge::Merge;
use crate::optimize::Optimize;
use crate::restore::Restore;
use crate::row_changes::{Delete, Update};
use crate::vacuum::Vacuum;
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use lakebed::{FieldPath, column_path};
use std::path::PathBuf;

/// Reads, writes and looks after Delta Lake tables.
#[derive(Parser)]
#[command(
    name = "lakebed",
    version,
    max_term_width = 110,
    after_help = "A table is a path or a URL: ./events, s3://bucket/events. A suffix picks a version: events@v12, events@2026-11-21T10:00:00Z.\n\
                  Exit codes: 0 done, 1 failed, 2 usage, 3 conflict or unknown outcome, 4 not found, 5 missing feature,\n\
                  6 the doctor found something, 7 constraint, 130 interrupted."
)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// Flags that every command takes.
#[derive(Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// An option of the store, such as `aws_region=eu-north-1`; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value, global = true)]
    pub storage_option: Vec<(String, String)>,
    /// Permits data files under this URL, outside the table; may be repeated. LAKEBED_ALLOW_ROOTS holds more, separated by commas
    #[arg(long, value_name = "URL", global = true)]
    pub allow_root: Vec<String>,
    /// What an acknowledged local write survives: a power cut (full) or the end of the process (fast)
    #[arg(long, value_enum, default_value_t = Durable::Full, global = true)]
    pub durability: Durable,
    /// How results are printed; auto: a table on a terminal, ndjson in a pipe
    #[arg(long, value_enum, default_value_t = Format::Auto, global = true)]
    pub format: Format,
    /// Prints neither progress nor log lines
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Prints more log lines; may be repeated
    #[arg(short, long, action = ArgAction::Count, global = true)]
    pub verbose: u8,
    /// How log lines are printed (on stderr)
    #[arg(long, value_enum, default_value_t = LogFormat::Text, global = true)]
    pub log_format: LogFormat,
    /// Shows no progress
    #[arg(long, global = true)]
    pub no_progress: bool,
    /// What operators may hold, such as 2GiB; default: a quarter of the machine's memory. Below 512MiB freed pages go back to the system at
    /// once, which costs time, unless MIMALLOC_PURGE_DELAY (milliseconds) is set
    #[arg(long, value_name = "SIZE", value_parser = size, global = true)]
    pub memory_limit: Option<u64>,
    /// Where rows go that memory does not hold; default: the system's folder for temporary files
    #[arg(long, value_name = "DIR", env = "LAKEBED_SPILL_FOLDER", hide_env_values = true, global = true)]
    pub spill_folder: Option<PathBuf>,
    /// How many tasks run at once; default: the number of cores
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024), global = true)]
    pub threads: Option<u16>,
    /// When to use colour; NO_COLOR is honoured
    #[arg(long, value_enum, default_value_t = When::Auto, global = true)]
    pub color: When,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Durable {
    Full,
    Fast,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Auto,
    Table,
    Json,
    Ndjson,
    Csv,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    Text,
    Json,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum When {
    Auto,
    Always,
    Never,
}

/// A table, and which version of it.
#[derive(Args)]
pub struct TableAt {
    /// Path or URL, with an optional suffix @vN or @TIMESTAMP
    #[arg(value_name = "TABLE")]
    pub table: String,
    /// This version
    #[arg(long, value_name = "N", conflicts_with = "timestamp", allow_negative_numbers = true)]
    pub version: Option<u64>,
    /// The newest version that is not younger, such as 2026-11-21T10:00:00Z
    #[arg(long, value_name = "T")]
    pub timestamp: Option<String>,
}

#[derive(Subcommand)]
pub enum Command {
    /// Shows the facts of one version
    #[command(after_help = "Example: lakebed info s3://bucket/events --format json")]
    Info {
        #[command(flatten)]
        table: TableAt,
        /// Counts files and rows even when that means reading the whole log
        #[arg(long)]
        exact: bool,
    },
    /// Lists commits, newest first
    #[command(after_help = "Example: lakebed history ./events --limit 10")]
    History {
        /// Path or URL
        #[arg(value_name = "TABLE")]
        table: String,
        /// At most this many
        #[arg(long, value_name = "N", allow_negative_numbers = true)]
        limit: Option<usize>,
    },
    /// Reads rows
    #[command(after_help = "Example: lakebed scan events@v12 --columns id,name --where \"day >= '2026-01-01'\" --limit 10")]
    Scan {
        #[command(flatten)]
        table: TableAt,
        /// Only these columns, in this order; also _metadata.file_path, _metadata.row_index, _metadata.row_id, _metadata.row_commit_version
        #[arg(long, value_name = "A,B")]
        columns: Option<Vec<String>>,
        /// Only rows for which this is true
        #[arg(long = "where", value_name = "EXPRESSION")]
        filter: Option<String>,
        /// At most this many rows
        #[arg(long, value_name = "N", allow_negative_numbers = true)]
        limit: Option<u64>,
        /// Writes the rows to a file ending in .parquet, .arrow, .csv or .ndjson, and prints a report
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Counts rows
    #[command(after_help = "Example: lakebed count ./events --where \"kind = 'click'\"")]
    Count {
        #[command(flatten)]
        table: TableAt,
        /// Only rows for which this is true
        #[arg(long = "where", value_name = "EXPRESSION")]
        filter: Option<String>,
    },
    /// Lists active files that skipping cannot rule out
    #[command(after_help = "Example: lakebed files ./events --where \"day = '2026-01-01'\" --format json")]
    Files {
        #[command(flatten)]
        table: TableAt,
        /// Only files that may hold rows for which this is true
        #[arg(long = "where", value_name = "EXPRESSION")]
        filter: Option<String>,
    },
    Create(Create),
    Append(Append),
    /// Runs one SQL statement: rows of a query, or the report of a change
    #[cfg(feature = "sql")]
    #[command(after_help = "Example: lakebed sql \"SELECT count(*) FROM e WHERE day >= '2026-01-01'\" --table e=./events")]
    Sql {
        /// The statement, in Spark's dialect; - reads it from standard input
        #[arg(value_name = "STATEMENT")]
        statement: String,
        /// Gives a table a name; may be repeated. Without a name it is written delta.`path`
        #[arg(long, value_name = "NAME=TABLE", value_parser = key_value)]
        table: Vec<(String, String)>,
        /// Refuses when the table that is changed is not at this version
        #[arg(long, value_name = "N", allow_negative_numbers = true)]
        if_version: Option<u64>,
    },
    Changes(Changes),
    Delete(Delete),
    Update(Update),
    Merge(Merge),
    /// Changes what a table is: columns, properties, rules, features
    #[command(after_help = "Example: lakebed alter ./events rename-column city town")]
    Alter(Alter),
    Optimize(Optimize),
    /// Deletes files that no version within the retention needs
    #[command(after_help = "Example: lakebed vacuum ./events --retain 240h --dry-run")]
    Vacuum(Vacuum),
    Restore(Restore),
    /// Compares two versions: files, rows, columns, properties
    #[command(after_help = "Example: lakebed diff ./events --from 5 --to 9")]
    Diff {
        /// Path or URL
        #[arg(value_name = "TABLE")]
        table: String,
        /// The first version
        #[arg(long, value_name = "V", allow_negative_numbers = true)]
        from: u64,
        /// The second version; default: the newest
        #[arg(long, value_name = "V", allow_negative_numbers = true)]
        to: Option<u64>,
    },
    Clone(CloneTable),
    Convert(Convert),
    /// Writes symlink manifests, which list data files for engines that read no log
    #[command(after_help = "Example: lakebed manifest s3://lake/events")]
    Manifest {
        /// Path or URL
        #[arg(value_name = "TABLE")]
        table: String,
    },
    /// Writes a checkpoint of the newest version
    #[command(after_help = "Example: lakebed checkpoint ./events")]
    Checkpoint {
        /// Path or URL
        #[arg(value_name = "TABLE")]
        table: String,
    },
    Doctor(Doctor),
    /// Looks into the log and cares for it
    #[command(subcommand, after_help = "Example: lakebed log dump ./events --from 10")]
    Log(LogCommand),
    /// Runs a guided tour on a small data set that comes with lakebed
    #[command(after_help = "Example: lakebed demo /tmp/trips")]
    Demo {
        /// Where the table is made; default: a temporary folder
        #[arg(value_name = "DIR")]
        dir: Option<PathBuf>,
    },
    /// Prints a completion script for a shell
    #[command(after_help = "Example: lakebed completions bash > /etc/bash_completion.d/lakebed")]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Prints the manual page of lakebed, or of one of its commands
    #[command(after_help = "Example: lakebed man append | man -l -")]
    Man {
        /// The command, such as append, or alter add-column
        #[arg(value_name = "COMMAND")]
        command: Vec<String>,
    },
}

#[derive(Subcommand)]
pub enum LogCommand {
    /// Prints every action of the commits as it stands in the log
    #[command(after_help = "Example: lakebed log dump ./events --from 10")]
    Dump {
        /// Path or URL
        #[arg(value_name = "TABLE")]
        table: String,
        /// The first version to print
        #[arg(long, value_name = "V", allow_negative_numbers = true)]
        from: Option<u64>,
    },
    /// Writes one file that stands for all commits after the newest checkpoint
    #[command(after_help = "Example: lakebed log compact ./events --dry-run")]
    Compact {
        /// Path or URL
        #[arg(value_name = "TABLE")]
        table: String,
        /// Shows what would be written, and writes nothing
        #[arg(long)]
        dry_run: bool,
        /// Adds what it costs: aws, azure, gcp or a price list
        #[arg(long, value_name = "FILE|PROVIDER")]
        prices: Option<String>,
    },
    /// Deletes what of the log is older than the table keeps
    #[command(after_help = "Example: lakebed log cleanup ./events --dry-run")]
    Cleanup {
        /// Path or URL
        #[arg(value_name = "TABLE")]
        table: String,
        /// Prints what would be deleted, and deletes nothing
        #[arg(long)]
        dry_run: bool,
        /// Adds what it costs: aws, azure, gcp or a price list
        #[arg(long, value_name = "FILE|PROVIDER")]
        prices: Option<String>,
    },
}

pub fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE".to_owned()),
    }
}

/// The columns of lists such as ``a, b c, `d,e`.f``, as they are written: a comma inside backticks is part of a name.
pub fn columns(lists: &[String]) -> Vec<String> {
    let one = |list: &String| {
        let mut quoted = false;
        let between = move |c: char| {
            quoted ^= c == '`';
            c == ',' && !quoted
        };
        list.split(between).map(|column| column.trim().to_owned()).collect::<Vec<_>>()
    };
    lists.iter().flat_map(one).collect()
}

/// The same where each is a name and not a path: a dot is part of it, and it may stand in backticks.
pub fn names(lists: &[String]) -> Vec<String> {
    columns(lists).iter().map(|name| bare(name)).collect()
}

/// A name that may stand in backticks.
pub fn bare(name: &str) -> String {
    match name.strip_prefix('`').and_then(|rest| rest.strip_suffix('`')) {
        Some(inner) => inner.replace("``", "`"),
        None => name.to_owned(),
    }
}

/// Paths of columns.
pub fn paths(lists: &[String]) -> lakebed::Result<Vec<FieldPath>> {
    columns(lists).iter().map(|text| column_path(text)).collect()
}

/// A number of bytes: `512`, `64MiB`, `2GB`.
pub fn size(text: &str) -> Result<u64, String> {
    let bare = text.trim();
    let digits = bare.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(bare.len());
    let (number, unit) = bare.split_at(digits);
    let factor: f64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "k" | "kib" => 1024.0,
        "m" | "mib" => 1024.0 * 1024.0,
        "g" | "gib" => 1024.0 * 1024.0 * 1024.0,
        "t" | "tib" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        "kb" => 1e3,
        "mb" => 1e6,
        "gb" => 1e9,
        "tb" => 1e12,
        _ => return Err("expected a size such as 512MiB or 2GiB".to_owned()),
    };
    match number.parse::<f64>() {
        Ok(n) if n * factor >= 1024.0 && n * factor < 1e18 => Ok((n * factor) as u64),
        _ => Err("expected a size of at least 1KiB, such as 512MiB".to_owned()),
    }
}

#[cfg(test)]
#[path = "args_tests.rs"]
mod tests;
