//! Types and values of the table format, free of I/O. Kind: pure. Spec: SCH, PV.

mod arrow;
pub(crate) mod calendar;
pub(crate) mod cast_text;
pub(crate) mod evolve;
mod json;
pub(crate) mod metadata_key;
mod new_schema;
mod partition_text;
pub(crate) mod paths;
mod sql;
mod sql_clauses;
mod text_limit;
mod types;
mod value;
mod walk;
mod widening;

pub(crate) use arrow::is_variant;
pub(crate) use new_schema::{ColumnNames, check_new_schema};
pub use paths::column_path;
pub(crate) use sql::simple_type;
pub use sql::{NewColumn, Position};
pub(crate) use text_limit::{TextLimit, check_text_limits};
pub use types::{DataType, Field, Struct};
pub use value::Scalar;
pub(crate) use walk::{any_field, any_type, try_map_fields};
pub(crate) use widening::{can_widen, widens_by_itself};

/// The path of a nested field: `["address", "city"]`.
pub type FieldPath = Vec<String>;

/// How deep types may be nested. Bounds every recursion over types; one level costs three levels of JSON, of which the decoder
/// allows 128.
pub(crate) const DEPTH_MAX: usize = 40;
