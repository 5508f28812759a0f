//! What can be typed: commands and flags. Kind: shape.

use crate::alter::Alter;
use crate::optimize::Optimize;
use crate::vacuum::Vacuum;
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
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
    /// Permits data files under this URL, outside the table
    #[arg(long, value_name = "URL", env = "LAKEBED_ALLOW_ROOTS", hide_env_values = true, value_delimiter = ',', global = true)]
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
        /// Only these columns, in this order
        #[arg(long, value_name = "A,B", value_delimiter = ',')]
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
    /// Makes an empty table
    #[command(after_help = "Example: lakebed create ./events --schema 'id BIGINT NOT NULL, day DATE, name STRING' --partition-by day")]
    Create {
        /// Path or URL
        #[arg(value_name = "TABLE")]
        table: String,
        /// The columns: names, types, NOT NULL, COMMENT 'text'
        #[arg(long, value_name = "COLUMNS")]
        schema: String,
        /// Partition columns
        #[arg(long, value_name = "A,B", value_delimiter = ',')]
        partition_by: Vec<String>,
        /// Columns by which files are clustered, up to four; not with partition columns
        #[arg(long, value_name = "A,B", value_delimiter = ',')]
        cluster_by: Vec<String>,
        /// A table property; may be repeated
        #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
        property: Vec<(String, String)>,
        /// What the table is, for people
        #[arg(long, value_name = "TEXT")]
        comment: Option<String>,
        /// Leaves a table that exists alone
        #[arg(long)]
        if_not_exists: bool,
        /// Refuses when the table is not at this version, which a new one never is
        #[arg(long, value_name = "N", allow_negative_numbers = true)]
        if_version: Option<u64>,
    },
    /// Adds rows from files or standard input, making the table when it is missing
    #[command(after_help = "Example: lakebed append ./events january.parquet february.csv --partition-by day")]
    Append {
        /// Path or URL
        #[arg(value_name = "TABLE")]
        table: String,
        /// Parquet, CSV, NDJSON or Arrow files; - is standard input
        #[arg(value_name = "FILE", required = true)]
        files: Vec<String>,
        /// What to do with rows that are there
        #[arg(long, value_enum, default_value_t = Mode::Append)]
        mode: Mode,
        /// Replaces only rows for which this is true; all new rows must fulfil it
        #[arg(long, value_name = "EXPRESSION", conflicts_with_all = ["overwrite_schema", "dynamic_partitions"])]
        replace_where: Option<String>,
        /// Replaces only the partitions that the rows fall into
        #[arg(long, conflicts_with = "overwrite_schema")]
        dynamic_partitions: bool,
        /// Adds columns that the table lacks
        #[arg(long, conflicts_with = "overwrite_schema")]
        merge_schema: bool,
        /// With --mode overwrite: the rows' columns replace the table's
        #[arg(long)]
        overwrite_schema: bool,
        /// Partition columns of a table that this makes; an empty text for none
        #[arg(long, value_name = "A,B", value_delimiter = ',')]
        partition_by: Option<Vec<String>>,
        /// Writes nothing when this application version is recorded already
        #[arg(long, value_name = "APP=VERSION", value_parser = app_version)]
        txn: Option<(String, i64)>,
        /// A note for the history
        #[arg(long, value_name = "TEXT")]
        user_metadata: Option<String>,
        /// A property of a table that this makes; may be repeated
        #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
        property: Vec<(String, String)>,
        /// Refuses when the table is not at this version
        #[arg(long, value_name = "N", allow_negative_numbers = true)]
        if_version: Option<u64>,
    },
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
    /// Reads what changed: rows with _change_type, _commit_version and _commit_timestamp
    #[command(after_help = "Example: lakebed changes ./events --from 5 --to 9 --where \"_change_type = 'delete'\"")]
    #[command(group = clap::ArgGroup::new("start").required(true).args(["from", "from_timestamp"]))]
    Changes {
        /// Path or URL
        #[arg(value_name = "TABLE")]
        table: String,
        /// The first version
        #[arg(long, value_name = "V", allow_negative_numbers = true)]
        from: Option<u64>,
        /// The last version; default: the newest
        #[arg(long, value_name = "V", conflicts_with = "to_timestamp", allow_negative_numbers = true)]
        to: Option<u64>,
        /// The first commit that is not older, such as 2026-11-21T10:00:00Z
        #[arg(long, value_name = "T")]
        from_timestamp: Option<String>,
        /// The last commit that is not younger
        #[arg(long, value_name = "T")]
        to_timestamp: Option<String>,
        /// Only these columns, in this order
        #[arg(long, value_name = "A,B", value_delimiter = ',')]
        columns: Option<Vec<String>>,
        /// Only rows for which this is true
        #[arg(long = "where", value_name = "EXPRESSION")]
        filter: Option<String>,
    },
    /// Deletes rows
    #[command(after_help = "Example: lakebed delete ./events --where \"day < '2025-01-01'\"")]
    Delete {
        /// Path or URL
        #[arg(value_name = "TABLE")]
        table: String,
        /// Rows for which this is true; without it nothing is deleted, see --all
        #[arg(long = "where", value_name = "EXPRESSION", required_unless_present = "all")]
        filter: Option<String>,
        /// Every row
        #[arg(long, conflicts_with = "filter")]
        all: bool,
        /// A note for the history
        #[arg(long, value_name = "TEXT")]
        user_metadata: Option<String>,
        /// Refuses when the table is not at this version
        #[arg(long, value_name = "N", allow_negative_numbers = true)]
        if_version: Option<u64>,
    },
    /// Gives columns of rows new values
    #[command(after_help = "Example: lakebed update ./events --set \"kind = 'view'\" --set 'n = n + 1' --where \"kind = 'look'\"")]
    Update {
        /// Path or URL
        #[arg(value_name = "TABLE")]
        table: String,
        /// A column, or a field inside one (a.b), and its value from the row as it was; may be repeated
        #[arg(long, value_name = "COLUMN=EXPRESSION", required = true)]
        set: Vec<String>,
        /// Only rows for which this is true
        #[arg(long = "where", value_name = "EXPRESSION")]
        filter: Option<String>,
        /// A note for the history
        #[arg(long, value_name = "TEXT")]
        user_metadata: Option<String>,
        /// Refuses when the table is not at this version
        #[arg(long, value_name = "N", allow_negative_numbers = true)]
        if_version: Option<u64>,
    },
    /// Updates, deletes and inserts rows by those of another table or of a file
    #[command(
        after_help = "Example: lakebed merge ./people --using new.csv --on 't.id = s.id' --when 'MATCHED THEN UPDATE SET *' --when 'NOT MATCHED THEN INSERT *'"
    )]
    Merge {
        /// Path or URL
        #[arg(value_name = "TABLE")]
        table: String,
        /// Where rows come from: a table (with an optional suffix @vN), or a Parquet, CSV, NDJSON or Arrow file; - is standard input
        #[arg(long, value_name = "SOURCE")]
        using: String,
        /// What expressions call the source; the table is `t`
        #[arg(long = "as", value_name = "NAME", default_value = "s")]
        source_alias: String,
        /// Which rows match, such as 't.id = s.id'
        #[arg(long, value_name = "EXPRESSION")]
        on: String,
        /// A clause: what SQL has after WHEN, such as 'MATCHED AND s.gone THEN DELETE'; may be repeated, the order counts
        #[arg(long, value_name = "CLAUSE", required = true)]
        when: Vec<String>,
        /// Adds columns to the table that clauses name and only the source has
        #[arg(long)]
        schema_evolution: bool,
        /// A note for the history
        #[arg(long, value_name = "TEXT")]
        user_metadata: Option<String>,
        /// Refuses when the table is not at this version
        #[arg(long, value_name = "N", allow_negative_numbers = true)]
        if_version: Option<u64>,
    },
    /// Changes what a table is: columns, properties, rules, features
    #[command(after_help = "Example: lakebed alter ./events rename-column city town")]
    Alter(Alter),
    Optimize(Optimize),
    /// Deletes files that no version within the retention needs
    #[command(after_help = "Example: lakebed vacuum ./events --retain 240h --dry-run")]
    Vacuum(Vacuum),
    /// Takes the table back to an older version, by a new commit
    #[command(after_help = "Example: lakebed restore ./events --version 12 --dry-run")]
    #[command(group = clap::ArgGroup::new("to").required(true).args(["version", "timestamp"]))]
    Restore {
        /// Path or URL
        #[arg(value_name = "TABLE")]
        table: String,
        /// This version
        #[arg(long, value_name = "N", allow_negative_numbers = true)]
        version: Option<u64>,
        /// The newest version that is not younger, such as 2026-11-21T10:00:00Z
        #[arg(long, value_name = "T")]
        timestamp: Option<String>,
        /// Shows what would come back and what would go, and does nothing
        #[arg(long)]
        dry_run: bool,
        /// Adds what it costs: aws, azure, gcp or a price list
        #[arg(long, value_name = "FILE|PROVIDER", requires = "dry_run")]
        prices: Option<String>,
        /// A note for the history
        #[arg(long, value_name = "TEXT")]
        user_metadata: Option<String>,
        /// Refuses when the table is not at this version
        #[arg(long, value_name = "N", allow_negative_numbers = true)]
        if_version: Option<u64>,
    },
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
    /// Makes a copy of a table at a place that has none
    #[command(after_help = "Example: lakebed clone s3://lake/events@v12 ./events --deep")]
    #[command(group = clap::ArgGroup::new("kind").required(true).args(["shallow", "deep"]))]
    Clone {
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
        #[arg(long, value_name = "FILE|PROVIDER", requires = "dry_run")]
        prices: Option<String>,
    },
    /// Makes a table of the Parquet files of a folder, where they lie, or of an Iceberg table
    #[command(after_help = "Example: lakebed convert ./events --partition-schema 'day DATE, kind STRING'")]
    Convert {
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
        #[arg(long, value_name = "FILE|PROVIDER", requires = "dry_run")]
        prices: Option<String>,
    },
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
    /// Looks for damage and says it with stable codes; exits with 6 when there is any
    #[command(after_help = "Example: lakebed doctor ./events --deep")]
    Doctor {
        /// Path or URL
        #[arg(value_name = "TABLE")]
        table: String,
        /// Reads every row and holds statistics and rules against them
        #[arg(long)]
        deep: bool,
        /// Mends what can be mended: by a commit, and by moving files to the folder `_quarantine`
        #[arg(long)]
        repair: bool,
        /// Shows what a repair would do and does nothing
        #[arg(long)]
        dry_run: bool,
        /// Moves the files of one folder in `_quarantine` back to where they were
        #[arg(long, value_name = "FOLDER", conflicts_with_all = ["deep", "repair", "dry_run"])]
        undo: Option<String>,
        /// Refuses when the table is not at this version
        #[arg(long, value_name = "N", requires = "repair")]
        if_version: Option<u64>,
    },
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
        #[arg(long, value_name = "FILE|PROVIDER", requires = "dry_run")]
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
        #[arg(long, value_name = "FILE|PROVIDER", requires = "dry_run")]
        prices: Option<String>,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum From {
    Auto,
    Parquet,
    Iceberg,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    Append,
    Overwrite,
    Error,
    Ignore,
}

pub fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE".to_owned()),
    }
}

fn app_version(text: &str) -> Result<(String, i64), String> {
    let (app, version) = text.rsplit_once('=').ok_or("expected APP=VERSION")?;
    match version.trim().parse() {
        Ok(version) if !app.is_empty() => Ok((app.to_owned(), version)),
        _ => Err("expected APP=VERSION with a whole number".to_owned()),
    }
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
