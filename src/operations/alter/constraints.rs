//! Alterations of CHECK constraints, as plans. Kind: pure. Spec: ALT.

use super::Plan;
use crate::error::{Code, Error, Result};
use crate::expr::Expr;
use crate::features::{TableChange, TableState};
use crate::schema::DataType;

fn key(name: &str) -> String {
    format!("delta.constraints.{}", name.trim().to_lowercase())
}

pub(super) fn add(state: &TableState, name: &str, condition: &str) -> Result<Plan> {
    let refused = |what: String| Error::new(Code::CONSTRAINT, what).with("constraint", name);
    if name.trim().is_empty() {
        return Err(refused("a constraint needs a name".to_owned()));
    }
    if let Some(old) = state.property(&key(name)) {
        return Err(refused("there is a constraint of this name already".to_owned()).with("condition", old).help("drop it first"));
    }
    match Expr::sql(condition)?.bind(state.schema())?.data_type() {
        DataType::Boolean => {}
        other => return Err(refused(format!("a constraint must be a condition; this is {other}")).with("condition", condition)),
    }
    let set = [(key(name), condition.trim().to_owned())].into();
    let change = TableChange { set, ..TableChange::default() };
    Ok(Plan::new("ADD CONSTRAINT", change).parameter("name", name).parameter("expr", condition.trim()))
}

pub(super) fn drop(state: &TableState, name: &str, if_exists: bool) -> Result<Plan> {
    let old = state.property(&key(name));
    let change = TableChange { unset: vec![key(name)], ..TableChange::default() };
    let plan = Plan::new("DROP CONSTRAINT", change).parameter("name", name);
    match old {
        Some(old) => Ok(plan.parameter("expr", old).parameter("existed", "true")),
        None if if_exists => Ok(plan.parameter("existed", "false")),
        None => Err(Error::new(Code::INPUT, "there is no constraint of this name")
            .with("constraint", name)
            .help("look at the table's properties `delta.constraints.…`; --if-exists (in SQL: IF EXISTS) passes over it")),
    }
}
