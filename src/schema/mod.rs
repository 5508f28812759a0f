//! Types and values of the table format, free of I/O. Kind: pure. Spec: SCH, PV.

mod arrow;
mod json;
mod types;
mod value;

pub use types::{DataType, Field, Struct};
pub use value::Scalar;

/// The path of a nested field: `["address", "city"]`.
pub type FieldPath = Vec<String>;
