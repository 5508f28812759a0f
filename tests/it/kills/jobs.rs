//! The commands that are killed, and what each must leave.

use super::tables::OLD;

/// A command, and what it must leave.
pub struct Job {
    /// `{}` is the folder of the tables, `{new}` a file of rows.
    pub words: &'static [&'static str],
    /// The table whose versions it must keep.
    pub table: &'static str,
    /// The first of them that it must keep.
    pub retains: u64,
    /// The table that it makes or changes.
    pub target: &'static str,
    pub rows: Rows,
    /// Objects with these in their names are as many after a second run as after one that nobody disturbed.
    pub leaves: &'static [&'static str],
    /// With this code or text a second run may be refused, when the killed one had done everything.
    pub refused: &'static str,
    /// Whether the store copies objects by itself.
    pub copies: bool,
}

/// The rows of the target afterwards.
#[derive(Clone, Copy)]
pub enum Rows {
    /// Those that it had.
    Same,
    Others,
    /// Those of a version of the table.
    Of(u64),
}

impl Job {
    /// The first version of a table that must be kept.
    pub fn retains(&self, name: &str) -> u64 {
        if name == self.table { self.retains } else { 0 }
    }
}

/// A command that changes no row of this table.
const fn care(table: &'static str, words: &'static [&'static str]) -> Job {
    Job { words, table, retains: OLD, target: table, rows: Rows::Same, leaves: &[], refused: "", copies: true }
}

const fn change(table: &'static str, words: &'static [&'static str]) -> Job {
    Job { rows: Rows::Others, ..care(table, words) }
}

/// A command that makes a table of this name of the table `t`.
const fn make(target: &'static str, words: &'static [&'static str]) -> Job {
    Job { target, ..change("t", words) }
}

const DATA: &[&str] = &["/part-", "orphan", ".bin", "_change_data"];
const UPSERT: [&str; 4] = ["--when", "MATCHED THEN UPDATE SET *", "--when", "NOT MATCHED THEN INSERT *"];

pub const CHECKPOINT: Job = Job { leaves: &[".checkpoint"], ..care("t", &["checkpoint", "{}/t"]) };

pub const JOBS: &[Job] = &[
    // Rows. `t` has deletion vectors; `w` has change data, row ids, commit times, mapped columns and checkpoints of the second kind too.
    change("fresh", &["create", "{}/fresh", "--schema", "id BIGINT, n BIGINT", "--if-not-exists"]),
    change("fresh", &["append", "{}/fresh", "{new}", "--txn", "app=1"]),
    change("t", &["append", "{}/t", "{new}", "--txn", "app=1"]),
    // Every commit of `h` is followed by a checkpoint, and that by a clean-up of the log.
    change("h", &["append", "{}/h", "{new}", "--mode", "overwrite"]),
    change("w", &["append", "{}/w", "{new}", "--mode", "overwrite"]),
    change("t", &["append", "{}/t", "{new}", "--replace-where", "id >= 5"]),
    change("p", &["append", "{}/p", "{new}", "--dynamic-partitions"]),
    change("t", &["sql", "INSERT OVERWRITE delta.`{}/t` VALUES (1, 2)"]),
    change("t", &["delete", "{}/t", "--where", "id < 15"]),
    change("w", &["delete", "{}/w", "--where", "id < 15"]),
    change("t", &["update", "{}/t", "--set", "n = 5", "--where", "id % 3 = 0"]),
    change("w", &["update", "{}/w", "--set", "n = 5", "--where", "id % 3 = 0"]),
    change("t", &["merge", "{}/t", "--using", "{new}", "--on", "t.id = s.id", UPSERT[0], UPSERT[1], UPSERT[2], UPSERT[3]]),
    change("w", &["merge", "{}/w", "--using", "{new}", "--on", "t.id = s.id", UPSERT[0], UPSERT[1], UPSERT[2], UPSERT[3]]),
    // What a table is.
    care("t", &["alter", "{}/t", "set-property", "delta.checkpointInterval=20"]),
    Job { refused: "LB-SCHEMA", ..care("w", &["alter", "{}/w", "add-column", "more STRING"]) },
    Job { refused: "LB-CONSTRAINT", ..care("t", &["alter", "{}/t", "add-constraint", "known", "id IS NOT NULL"]) },
    care("t", &["alter", "{}/t", "cluster-by", "n"]),
    Job { refused: "does not have the feature", ..care("t", &["alter", "{}/t", "drop-feature", "deletionVectors"]) },
    Job {
        retains: u64::MAX,
        refused: "does not have the feature",
        ..care("f", &["alter", "{}/f", "drop-feature", "deletionVectors", "--truncate-history"])
    },
    Job { refused: "does not have the feature", ..care("w", &["alter", "{}/w", "drop-feature", "rowTracking"]) },
    // How files lie.
    care("t", &["optimize", "{}/t"]),
    care("w", &["optimize", "{}/w"]),
    care("t", &["optimize", "{}/t", "--purge"]),
    care("t", &["optimize", "{}/t", "--zorder-by", "n,id"]),
    care("c", &["optimize", "{}/c"]),
    Job { leaves: DATA, ..care("t", &["vacuum", "{}/t"]) },
    Job { leaves: DATA, ..care("t", &["vacuum", "{}/t", "--lite"]) },
    // The log of `l` is due for a clean-up at VACUUM START, that of `t` at VACUUM END.
    Job { leaves: DATA, ..care("l", &["vacuum", "{}/l", "--lite"]) },
    Job { leaves: DATA, ..care("w", &["vacuum", "{}/w"]) },
    // The log.
    CHECKPOINT,
    Job { leaves: &[".checkpoint"], ..care("w", &["checkpoint", "{}/w"]) },
    Job { leaves: &[".compacted.json"], ..care("t", &["log", "compact", "{}/t"]) },
    Job { leaves: &["t/_delta_log/0"], ..care("t", &["log", "cleanup", "{}/t"]) },
    Job { leaves: &["w/_delta_log/"], ..care("w", &["log", "cleanup", "{}/w"]) },
    // Back and away.
    Job { rows: Rows::Of(7), ..change("t", &["restore", "{}/t", "--version", "7"]) },
    Job { rows: Rows::Of(8), refused: "LB-TABLE-EXISTS", ..make("copy", &["clone", "{}/t@v8", "{}/copy", "--shallow"]) },
    Job { rows: Rows::Of(8), leaves: &["copy/"], ..make("copy", &["clone", "{}/t@v8", "{}/copy", "--deep"]) },
    Job { rows: Rows::Of(10), leaves: &["older/"], ..make("older", &["clone", "{}/t", "{}/older", "--deep"]) },
    Job { rows: Rows::Of(10), leaves: &["older/"], copies: false, ..make("older", &["clone", "{}/t", "{}/older", "--deep"]) },
    Job { refused: "LB-TABLE-EXISTS", ..change("plain", &["convert", "{}/plain"]) },
    Job { leaves: &["_symlink_format_manifest"], ..care("p", &["manifest", "{}/p"]) },
    // Damage.
    Job { leaves: &["t/orphan"], ..care("t", &["doctor", "{}/t", "--repair"]) },
    care("d", &["doctor", "{}/d", "--repair"]),
    Job { leaves: &["_quarantine", "orphan"], refused: "LB-INPUT", ..care("q", &["doctor", "{}/q", "--undo", "then"]) },
];
