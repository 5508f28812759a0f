//! Expressions: the only place that knows DataFusion's expression types. Kind: pure. Spec: EXP, SKIP.
//!
//! `Expr` is what callers hand in (SQL text of Spark's dialect, or built in Rust); `BoundExpr` is the same bound to a table schema
//! (names resolved case-insensitively, types coerced); `Pruner` answers "can this container of rows match?" from statistics.
//! Invariant: a `Pruner` may keep too much, never too little.

mod bind;
mod call;
mod clause;
mod coerce;
mod display;
mod eval;
mod functions;
mod guard;
mod implied;
mod kernels;
mod library;
mod node;
mod parse;
mod prune;
mod regex;
mod sides;
mod total;

pub(crate) use call::{Argument, Operation, function_names, part_of_time, placeholder};
pub use clause::MergeClause;
pub(crate) use clause::{Assignments, MergeAction, MergeRows};
pub use eval::BoundExpr;
pub(crate) use eval::{ZERO_HELP, may_fail};
pub(crate) use implied::implied;
pub(crate) use kernels::canonical as canonical_values;
pub(crate) use kernels::{
    CANONICAL, canonical_float, decimal_quotient, has_own_text, parsed_json, plain_binary, quotient, remainder, text,
};
pub(crate) use node::column;
pub use node::{Expr, col, lit};
pub use prune::{ColumnStats, Pruner};
pub(crate) use sides::{Equality, Side, Sides, Sight, typed_literal};
pub(crate) use total::{cast_is_total, function_is_total};
