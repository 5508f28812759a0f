//! What went wrong, said once and in one shape. Kind: shape.
//!
//! Every failure carries a stable code (`LB-…`, listed in `spec/errors.md`), a kind that says what a caller can do about it, the
//! objects it concerns, and the next step. Codes are declared here and nowhere else.

use std::fmt;

/// What a caller can do about a failure. New kinds are rare; detail goes in the message.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The table, version or file does not exist.
    NotFound,
    /// Something exists that must not.
    AlreadyExists,
    /// The caller's input is wrong; change it.
    InvalidInput,
    /// The table needs something that this build does not have.
    Unsupported,
    /// A constraint of the table refused the rows.
    ConstraintViolated,
    /// Another writer won; look at the table again and decide.
    Conflict,
    /// The commit may or may not have happened; look for its transaction id.
    CommitUnknown,
    /// The table's files contradict the protocol.
    Corrupt,
    /// The store failed; trying again may help.
    Storage,
    /// A limit was reached; the message says which and how to raise it.
    LimitExceeded,
    /// The caller stopped the work.
    Cancelled,
    /// A defect of lakebed.
    Internal,
}

impl ErrorKind {
    /// The name used in JSON errors.
    pub fn as_str(self) -> &'static str {
        match self {
            ErrorKind::NotFound => "NotFound",
            ErrorKind::AlreadyExists => "AlreadyExists",
            ErrorKind::InvalidInput => "InvalidInput",
            ErrorKind::Unsupported => "Unsupported",
            ErrorKind::ConstraintViolated => "ConstraintViolated",
            ErrorKind::Conflict => "Conflict",
            ErrorKind::CommitUnknown => "CommitUnknown",
            ErrorKind::Corrupt => "Corrupt",
            ErrorKind::Storage => "Storage",
            ErrorKind::LimitExceeded => "LimitExceeded",
            ErrorKind::Cancelled => "Cancelled",
            ErrorKind::Internal => "Internal",
        }
    }
}

/// A stable error code and the kind that it always has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    text: &'static str,
    kind: ErrorKind,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $kind:ident;)*) => {
        impl Code {
            $($(#[$doc])* pub const $name: Code = Code { text: $text, kind: ErrorKind::$kind };)*
            /// Every code, for `spec/errors.md`.
            pub const ALL: &'static [Code] = &[$(Code::$name),*];
        }
    };
}

codes! {
    /// A version is missing between two that exist.
    LOG_GAP = "LB-LOG-GAP", Corrupt;
    /// A commit file has no bytes.
    LOG_EMPTY = "LB-LOG-EMPTY", Corrupt;
    /// A commit line is not the JSON it must be (file, line, column).
    LOG_JSON = "LB-LOG-JSON", Corrupt;
    /// The log lacks a protocol or metadata action, or breaks another rule of the protocol.
    LOG_STATE = "LB-LOG-STATE", Corrupt;
    /// No usable checkpoint where one is needed, or a checkpoint that does not verify.
    CKPT = "LB-CKPT", Corrupt;
    /// A path in the log leaves the table.
    PATH = "LB-PATH", InvalidInput;
    /// A path in the log names another origin.
    PATH_FOREIGN = "LB-PATH-FOREIGN", InvalidInput;
    /// The table needs a reader feature that this build lacks.
    FEATURE_READ = "LB-FEATURE-READ", Unsupported;
    /// The table needs a writer feature that this build lacks.
    FEATURE_WRITE = "LB-FEATURE-WRITE", Unsupported;
    /// A deletion vector is damaged.
    DV = "LB-DV", Corrupt;
    /// A data file is missing or damaged.
    FILE = "LB-FILE", Corrupt;
    /// Columns or types do not fit.
    SCHEMA = "LB-SCHEMA", InvalidInput;
    /// A constraint refused rows.
    CONSTRAINT = "LB-CONSTRAINT", ConstraintViolated;
    /// Several source rows of a merge match one target row.
    MERGE_MULTI = "LB-MERGE-MULTI", InvalidInput;
    /// Rows could not be kept on disk meanwhile.
    SPILL = "LB-SPILL", Storage;
    /// Another writer's commit excludes ours.
    CONFLICT = "LB-CONFLICT", Conflict;
    /// It is unknown whether the commit landed.
    COMMIT_UNKNOWN = "LB-COMMIT-UNKNOWN", CommitUnknown;
    /// The store ignores the condition of a create-only write.
    STORE_NOCAS = "LB-STORE-NOCAS", Unsupported;
    /// Another locking scheme guards this log.
    STORE_LOCK = "LB-STORE-LOCK", Unsupported;
    /// The store failed.
    STORE = "LB-STORE", Storage;
    /// A location or a storage option is wrong.
    STORE_CONFIG = "LB-STORE-CONFIG", InvalidInput;
    /// A retention is shorter than what the table promises.
    RETENTION = "LB-RETENTION", InvalidInput;
    /// Vacuum would have deleted what the table needs, or cannot tell.
    VACUUM_UNSAFE = "LB-VACUUM-UNSAFE", Storage;
    /// There is no such version.
    VERSION = "LB-VERSION", NotFound;
    /// Changes that were asked for are not there any more.
    CDF_GONE = "LB-CDF-GONE", NotFound;
    /// Changes that were asked for were not recorded.
    CDF_OFF = "LB-CDF-OFF", InvalidInput;
    /// There is no table.
    TABLE = "LB-TABLE", NotFound;
    /// There is a table already.
    TABLE_EXISTS = "LB-TABLE-EXISTS", AlreadyExists;
    /// A table property is wrong.
    PROPERTY = "LB-PROPERTY", InvalidInput;
    /// An expression does not parse or does not fit the table.
    EXPR = "LB-EXPR", InvalidInput;
    /// A SQL statement does not parse, cannot be planned, or computes what has no value.
    SQL = "LB-SQL", InvalidInput;
    /// An argument or input file is wrong.
    INPUT = "LB-INPUT", InvalidInput;
    /// Rows or results could not be written outside of a table.
    OUTPUT = "LB-OUTPUT", InvalidInput;
    /// A limit was reached.
    LIMIT = "LB-LIMIT", LimitExceeded;
    /// The caller stopped the work.
    CANCELLED = "LB-CANCELLED", Cancelled;
    /// A defect of lakebed.
    INTERNAL = "LB-INTERNAL", Internal;
}

impl Code {
    /// The code as users see it.
    pub fn as_str(self) -> &'static str {
        self.text
    }
    /// What a caller can do about it.
    pub fn kind(self) -> ErrorKind {
        self.kind
    }
}

type Source = Box<dyn std::error::Error + Send + Sync>;

/// The one error of lakebed.
pub struct Error {
    inner: Box<ErrorInner>,
}

struct ErrorInner {
    code: Code,
    message: String,
    context: Vec<(&'static str, String)>,
    help: Option<String>,
    source: Option<Source>,
}

impl Error {
    /// A failure with its code and one sentence: what was found.
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Error { inner: Box::new(ErrorInner { code, message: message.into(), context: Vec::new(), help: None, source: None }) }
    }
    /// What a stream of rows gives when its owner stops the work that takes them: `LB-CANCELLED`.
    pub fn cancelled(message: impl Into<String>) -> Self {
        Error::new(Code::CANCELLED, message)
    }
    /// Names an object that the failure concerns (`path`, `version`, `column`, …). What is named already is not named again.
    pub(crate) fn with(mut self, key: &'static str, value: impl fmt::Display) -> Self {
        let named = (key, value.to_string());
        if !self.inner.context.contains(&named) {
            self.inner.context.push(named);
        }
        self
    }
    /// What ends a write that was made for one version of the table, when the table is at another: `LB-CONFLICT`.
    pub fn moved_on(wanted: impl fmt::Display) -> Self {
        Error::new(Code::CONFLICT, "the table is not at the version that this write was made for")
            .with("wanted", wanted)
            .help("look at the newest version and decide again")
    }
    /// Says the next step.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.inner.help = Some(help.into());
        self
    }
    /// The same failure under another code, where a caller asked in other terms.
    pub(crate) fn told_as(mut self, code: Code) -> Self {
        self.inner.code = code;
        self
    }
    /// Keeps the cause.
    pub(crate) fn caused_by(mut self, source: impl Into<Source>) -> Self {
        self.inner.source = Some(source.into());
        self
    }
    /// Whether the commit that ended so may be in the log all the same: the files that it names may be part of the table.
    pub(crate) fn may_have_landed(&self) -> bool {
        self.code() == Code::COMMIT_UNKNOWN
    }
    /// The stable code.
    pub fn code(&self) -> Code {
        self.inner.code
    }
    /// What a caller can do about it.
    pub fn kind(&self) -> ErrorKind {
        self.inner.code.kind
    }
    /// One sentence: what was found.
    pub fn message(&self) -> &str {
        &self.inner.message
    }
    /// The objects concerned, in the order in which they were named.
    pub fn context(&self) -> &[(&'static str, String)] {
        &self.inner.context
    }
    /// The next step, if there is one.
    pub fn next_step(&self) -> Option<&str> {
        let usual = matches!(self.code(), Code::LOG_STATE | Code::CKPT)
            .then_some("run the doctor on the table; an older version may still be readable with --version");
        self.inner.help.as_deref().or(usual)
    }
    /// Whether the same call may succeed when it is made again.
    pub fn is_retryable(&self) -> bool {
        matches!(self.kind(), ErrorKind::Conflict | ErrorKind::Storage)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.inner.code.text, self.inner.message)?;
        for (i, (key, value)) in self.inner.context.iter().enumerate() {
            write!(f, "{}{key}: {value}", if i == 0 { " (" } else { ", " })?;
        }
        if !self.inner.context.is_empty() {
            write!(f, ")")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        if let Some(source) = &self.inner.source {
            write!(f, "; caused by: {source}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.inner.source.as_deref().map(|s| s as &(dyn std::error::Error + 'static))
    }
}

impl From<arrow::error::ArrowError> for Error {
    fn from(e: arrow::error::ArrowError) -> Self {
        Error::new(Code::INTERNAL, format!("an Arrow kernel failed: {e}")).caused_by(e)
    }
}

/// A result with lakebed's error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

#[cfg(test)]
#[path = "error_tests.rs"]
mod tests;
