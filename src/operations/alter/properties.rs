//! Alterations of properties, comments and the protocol, as plans. Kind: pure. Spec: ALT, PRP.

use super::Plan;
use crate::env::Env;
use crate::error::{Code, Error, Result};
use crate::features::{TableChange, TableState, canonical_key, feature_to_add, is_internal};
use crate::log::StringMap;
use serde_json::{Map, Value, json};

/// The property that stands for the comment of the table.
const COMMENT: &str = "comment";
const CONSTRAINTS: &str = "delta.constraints.";

pub(super) fn comment(text: String) -> Plan {
    let properties = json!({ COMMENT: text });
    let change = TableChange { description: Some(text), ..TableChange::default() };
    Plan::new("SET TBLPROPERTIES", change).parameter("properties", properties.to_string())
}

pub(super) fn set(mut properties: StringMap) -> Result<Plan> {
    properties.keys().try_for_each(|key| check_key(key, "alter … add-constraint"))?;
    let shown: Map<String, Value> = properties.iter().map(|(key, value)| (canonical_key(key), value.as_str().into())).collect();
    let description = properties.remove(COMMENT);
    let change = TableChange { set: properties, description, ..TableChange::default() };
    Ok(Plan::new("SET TBLPROPERTIES", change).parameter("properties", Value::Object(shown).to_string()))
}

pub(super) fn unset(keys: Vec<String>) -> Result<Plan> {
    keys.iter().try_for_each(|key| check_key(key, "alter … drop-constraint"))?;
    match keys.iter().find(|key| is_internal(key)) {
        Some(key) => Err(Error::new(Code::PROPERTY, "the property is set by engines only").with("property", key)),
        None => Ok(unset_any(keys)),
    }
}

/// As `unset`, also for properties that engines set.
pub(super) fn unset_any(mut keys: Vec<String>) -> Plan {
    let shown = Value::from(keys.clone()).to_string();
    let description = keys.iter().any(|key| key == COMMENT).then(String::new);
    keys.retain(|key| key != COMMENT);
    let change = TableChange { unset: keys, description, ..TableChange::default() };
    Plan::new("UNSET TBLPROPERTIES", change).parameter("properties", shown).parameter("ifExists", true)
}

/// Constraints have alterations of their own, which look at the rows.
fn check_key(key: &str, instead: &str) -> Result<()> {
    if !key.get(..CONSTRAINTS.len()).is_some_and(|start| start.eq_ignore_ascii_case(CONSTRAINTS)) {
        return Ok(());
    }
    Err(Error::new(Code::PROPERTY, "constraints are not set as properties").with("property", key).help(format!("use `{instead}`")))
}

pub(super) fn add_feature(state: &TableState, name: &str, env: &Env) -> Result<Plan> {
    let change = TableChange { features: vec![feature_to_add(name)?], ..TableChange::default() };
    let after = change.clone().apply(state, env)?;
    let protocol = after.state.protocol();
    let shown = json!({
        "minReaderVersion": protocol.min_reader_version,
        "minWriterVersion": protocol.min_writer_version,
        "readerFeatures": protocol.reader_features,
        "writerFeatures": protocol.writer_features,
    });
    Ok(Plan::new("UPGRADE PROTOCOL", change).parameter("newProtocol", shown.to_string()))
}
