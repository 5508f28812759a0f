//! SQL text or built expressions -> bound expressions. Kind: pure. Spec: EXP.

use crate::error::Result;
use crate::schema::{Scalar, Struct};
use arrow::array::{ArrayRef, BooleanArray, RecordBatch};

/// An expression over the columns of a table, not yet bound to one.
#[derive(Clone, Debug)]
pub struct Expr {
    #[allow(dead_code)]
    sql: String,
}

/// A column by name (`a`, `a.b`, `` `odd name` ``).
pub fn col(name: &str) -> Expr {
    let _ = name;
    todo!("expr room")
}
/// A literal.
pub fn lit(value: impl Into<Scalar>) -> Expr {
    let _ = value.into();
    todo!("expr room")
}

impl Expr {
    /// Parses SQL text. `LB-EXPR` with the position when it does not parse.
    pub fn sql(text: &str) -> Result<Expr> {
        let _ = text;
        todo!("expr room")
    }
    /// Binds to a schema: resolves names, coerces types, folds constants. `LB-EXPR` names what does not fit.
    pub fn bind(&self, schema: &Struct) -> Result<BoundExpr> {
        let _ = schema;
        todo!("expr room")
    }
}

/// An expression bound to a schema. Cheap to clone, shareable.
#[derive(Clone, Debug)]
pub struct BoundExpr {}

impl BoundExpr {
    /// Top-level columns (logical names in schema spelling) that the expression reads.
    pub fn columns(&self) -> &[String] {
        todo!("expr room")
    }
    /// Evaluates over a batch that has at least those columns, found by name, in the Arrow form of the schema.
    pub fn evaluate(&self, batch: &RecordBatch) -> Result<ArrayRef> {
        let _ = batch;
        todo!("expr room")
    }
    /// Rows for which the predicate is TRUE (NULL and FALSE are false; the mask has no nulls).
    pub fn matches(&self, batch: &RecordBatch) -> Result<BooleanArray> {
        let _ = batch;
        todo!("expr room")
    }
    /// Whether it reads only these columns.
    pub fn reads_only(&self, columns: &[String]) -> bool {
        let _ = columns;
        todo!("expr room")
    }
    /// Canonical SQL text.
    pub fn to_sql(&self) -> String {
        todo!("expr room")
    }
}
