//! What an alteration must know of the rows that are there. Kind: edge. Spec: ALT.

use super::Plan;
use crate::error::{Code, Error, Result};
use crate::expr::Expr;
use crate::operations::numbers::synchronised;
use crate::schema::Struct;
use crate::schema::paths::quoted_path;
use crate::snapshot::{FileQuery, Snapshot};
use crate::transaction::ReadScope;
use futures::TryStreamExt;
use std::sync::Arc;

/// The plan, when the table has no file.
pub(super) async fn none_at_all(base: &Arc<Snapshot>, mut plan: Plan) -> Result<Plan> {
    let mut files = base.files(FileQuery::default());
    while let Some(batch) = files.try_next().await? {
        if !batch.is_empty() {
            return Err(Error::new(Code::SCHEMA, "a column that forbids null cannot be added to a table that holds rows")
                .help("add it without NOT NULL, fill it, then set NOT NULL"));
        }
    }
    plan.reads.push(ReadScope::Table);
    Ok(plan)
}

/// The plan, when no row has null in the column where what it is inside of is not null.
pub(super) async fn not_null(base: &Arc<Snapshot>, column: &[String], mut plan: Plan) -> Result<Plan> {
    let path = base.state().schema().locate(column)?.path;
    let mut sql = format!("{} IS NULL", quoted_path(&path));
    if let [parents @ .., _] = path.as_slice()
        && !parents.is_empty()
    {
        sql += &format!(" AND {} IS NOT NULL", quoted_path(parents));
    }
    let nulls = base.scan().filter(Expr::sql(&sql)?).build()?.count().await?;
    if nulls > 0 {
        return Err(Error::new(Code::CONSTRAINT, "rows of the table have null in the column")
            .with("column", quoted_path(&path))
            .with("rows", nulls)
            .help("give these rows a value or delete them first"));
    }
    plan.reads.push(ReadScope::Table);
    Ok(plan)
}

/// The plan, when the condition is TRUE for every row.
pub(super) async fn all_fulfil(base: &Arc<Snapshot>, condition: &str, mut plan: Plan) -> Result<Plan> {
    let all = base.scan().build()?.count().await?;
    let fulfilling = base.scan().filter(Expr::sql(condition)?).build()?.count().await?;
    let broken = all.saturating_sub(fulfilling);
    if broken > 0 {
        return Err(Error::new(Code::CONSTRAINT, "rows of the table do not fulfil the new constraint")
            .with("condition", condition)
            .with("rows", broken)
            .help("correct these rows first; the condition must be TRUE for every row, NULL is not enough"));
    }
    plan.reads.push(ReadScope::Table);
    Ok(plan)
}

/// The plan that brings the numbers of a column in line with the rows; it changes nothing when they are already.
pub(super) async fn sync_identity(base: &Arc<Snapshot>, column: &[String]) -> Result<Plan> {
    let at = base.state().schema().locate(column)?;
    let name = quoted_path(&at.path);
    let schema = match synchronised(base, at.path.first().filter(|_| at.path.len() == 1).unwrap_or(&name)).await? {
        Some(metadata) => Some(Struct::from_json(&metadata.schema_string)?),
        None => None,
    };
    let mut plan = super::columns::described_change(schema, &at);
    plan.reads.push(ReadScope::Table);
    Ok(plan)
}
