//! Column types that became wider; old files are cast when they are read. Kind: pure. Spec: FEA.

use super::spec::{Active, FeatureSpec, Hooks, Scope, Support};
use super::{TableFeature, TableState};
use crate::error::{Code, Error, Result};
use crate::schema::{DataType, any_field, metadata_key};
use serde_json::Value;

pub(super) const SPEC: FeatureSpec = FeatureSpec {
    feature: TableFeature::TypeWidening,
    name: "typeWidening",
    aliases: &["typeWidening-preview"],
    scope: Scope::ReaderWriter,
    legacy: None,
    requires: &[],
    active: Active::WhenProperty("delta.enableTypeWidening"),
    support: Support::Read,
    joins_quietly: true,
    hooks: Hooks { check_read: Some(check_read), ..Hooks::NONE },
};

/// Every recorded change must be one that this build knows how to cast.
fn check_read(state: &TableState) -> Result<()> {
    let mut found = None;
    any_field(state.schema(), |field| {
        let Some(changes) = field.metadata.get(metadata_key::TYPE_CHANGES) else { return false };
        found = changes.as_array().map_or(Some(changes), |changes| changes.iter().find(|change| !is_widening(change))).map(|change| {
            Error::new(Code::FEATURE_READ, format!("the recorded type change {change} is not a widening that this build knows"))
                .with("column", &field.name)
                .help("rewrite the table with the engine that changed the type")
        });
        found.is_some()
    });
    found.map_or(Ok(()), Err)
}

fn is_widening(change: &Value) -> bool {
    let side = |key: &str| change.get(key).and_then(|value| DataType::from_json_value(value).ok());
    match (side("fromType"), side("toType")) {
        (Some(from), Some(to)) => can_widen(&from, &to),
        _ => false,
    }
}

/// Whether every value of `from` is read as the same value of `to`.
pub(crate) fn can_widen(from: &DataType, to: &DataType) -> bool {
    use DataType::{Byte, Date, Decimal, Double, Float, Integer, Long, Short, TimestampNtz, Void};
    match (from, to) {
        (Void, _)
        | (Byte, Short | Integer | Long | Double)
        | (Short, Integer | Long | Double)
        | (Integer, Long | Double)
        | (Float, Double)
        | (Date, TimestampNtz) => true,
        (Byte | Short | Integer, Decimal { precision, scale }) => *precision >= 10 && precision - 10 >= *scale,
        (Long, Decimal { precision, scale }) => *precision >= 20 && precision - 20 >= *scale,
        (Decimal { precision, scale }, Decimal { precision: p, scale: s }) => s >= scale && p >= precision && p - precision >= s - scale,
        _ => false,
    }
}

#[cfg(test)]
#[path = "type_widening_tests.rs"]
mod tests;
