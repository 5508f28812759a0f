//! The keys of column metadata that have a meaning. Kind: shape. Spec: SCH.

pub(crate) const COMMENT: &str = "comment";
pub(crate) const MAPPING_ID: &str = "delta.columnMapping.id";
pub(crate) const MAPPING_NAME: &str = "delta.columnMapping.physicalName";
pub(crate) const MAPPING_NESTED_IDS: &str = "delta.columnMapping.nested.ids";
pub(crate) const INVARIANTS: &str = "delta.invariants";
pub(crate) const GENERATION_EXPRESSION: &str = "delta.generationExpression";
pub(crate) const IDENTITY_PREFIX: &str = "delta.identity.";
pub(crate) const CURRENT_DEFAULT: &str = "CURRENT_DEFAULT";
pub(crate) const TYPE_CHANGES: &str = "delta.typeChanges";
pub(crate) const COLLATIONS: &str = "__COLLATIONS";
/// Holds `char(n)` or `varchar(n)` of a string column.
pub(crate) const CHAR_VARCHAR: &str = "__CHAR_VARCHAR_TYPE_STRING";
