//! What decides a row guards what may fail beside it. Kind: pure. Spec: EXP.
//!
//! The engine's AND and OR compute both sides for all rows of a batch, and its rules move computations below filters. Invariant: a
//! rewritten plan gives the same rows, or rows where the other failed.

use super::library::{each_expression, is_total};
use crate::expr::{cast_is_total, may_fail};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result as Planning};
use datafusion::execution::SessionStateBuilder;
use datafusion::logical_expr::expr::{AggregateFunction, Cast};
use datafusion::logical_expr::utils::{conjunction, disjunction, split_binary_owned};
use datafusion::logical_expr::{BinaryExpr, Case, Expr, ExprSchemable, LogicalPlan, Operator, lit, when};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::physical_optimizer::projection_pushdown::ProjectionPushdown;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::joins::NestedLoopJoinExec;
use datafusion::physical_plan::projection::{ProjectionExec, remove_unnecessary_projections, try_embed_projection};
use std::sync::Arc;

/// An optimized plan in which each term of AND and OR that may fail is computed only for rows that the terms before it have not decided, and the arguments
/// of an aggregate only for rows that its FILTER takes. Terms that have a value for every row come first. To be called when no logical rule runs any more:
/// some of them take such expressions apart.
pub(super) fn guarded(plan: LogicalPlan) -> Planning<LogicalPlan> {
    each_expression(plan, &|expr, schema| within(expr, schema, chain, DEEP))
}

/// A plan to be optimized in which terms that have a value for every row come first, and FILTER guards: the engine's rules lift out what is computed twice,
/// but not out of a term that another one guards, nor out of a branch.
pub(super) fn ordered(plan: LogicalPlan) -> Planning<LogicalPlan> {
    each_expression(plan, &|expr, schema| within(expr, schema, sure_first, usize::MAX))
}

/// What becomes of a chain of terms.
type Chain = fn(Vec<Expr>, Operator, &DFSchema) -> Expr;

/// How many chains deep in each other are guarded: the terms that decide stand twice in a plan, so that each doubles what lies in it.
const DEEP: usize = 5;

fn within(expr: Expr, schema: &DFSchema, chain: Chain, deep: usize) -> Planning<Transformed<Expr>> {
    expr.transform_down(|expr| match expr {
        Expr::BinaryExpr(BinaryExpr { op: op @ (Operator::And | Operator::Or), .. })
            if deep > 0 && fails(&expr, schema) && !expr.is_volatile() =>
        {
            let terms = split_binary_owned(expr, op).into_iter().map(|term| within(term, schema, chain, deep - 1).data());
            Ok(Transformed::new(chain(terms.collect::<Planning<_>>()?, op, schema), true, TreeNodeRecursion::Jump))
        }
        Expr::AggregateFunction(AggregateFunction { func, mut params }) if params.args.iter().any(|arg| fails(arg, schema)) => {
            let Some(filter) = params.filter.clone().filter(|filter| !filter.is_volatile()) else {
                return Ok(Transformed::no(Expr::AggregateFunction(AggregateFunction { func, params })));
            };
            for arg in params.args.iter_mut().filter(|arg| fails(arg, schema) && !guards(&filter, arg)) {
                *arg = when(filter.as_ref().clone(), arg.clone()).end()?;
            }
            Ok(Transformed::yes(Expr::AggregateFunction(AggregateFunction { func, params })))
        }
        other => Ok(Transformed::no(other)),
    })
}

/// Whether an argument is computed only where a filter is true.
fn guards(filter: &Expr, argument: &Expr) -> bool {
    let Expr::Case(Case { expr: None, when_then_expr, else_expr: None }) = argument else { return false };
    matches!(when_then_expr.as_slice(), [(when, _)] if when.as_ref() == filter)
}

/// The terms together.
fn all(terms: Vec<Expr>, op: Operator) -> Option<Expr> {
    if op == Operator::And { conjunction(terms) } else { disjunction(terms) }
}

/// The terms that have a value for every row as one, then the others.
fn steps(terms: Vec<Expr>, op: Operator, schema: &DFSchema) -> Vec<Expr> {
    let (failing, sure): (Vec<Expr>, Vec<Expr>) = terms.into_iter().partition(|term| fails(term, schema));
    all(sure, op).into_iter().chain(failing).collect()
}

fn sure_first(terms: Vec<Expr>, op: Operator, schema: &DFSchema) -> Expr {
    all(steps(terms, op, schema), op).unwrap_or_else(|| lit(op == Operator::And))
}

/// A chain of more than one term.
fn chain(terms: Vec<Expr>, op: Operator, schema: &DFSchema) -> Expr {
    let empty = op == Operator::And;
    let steps = steps(terms, op, schema);
    let guards = steps.split_last().map_or(&[][..], |(_, guards)| guards);
    let decided = |step: Expr| if empty { step.is_false() } else { step.is_true() };
    let when_then_expr: Vec<_> = guards.iter().map(|step| (Box::new(decided(step.clone())), Box::new(lit(!empty)))).collect();
    let undecided = all(steps.clone(), op).unwrap_or_else(|| lit(empty));
    if when_then_expr.is_empty() {
        return undecided;
    }
    Expr::Case(Case { expr: None, when_then_expr, else_expr: Some(Box::new(undecided)) })
}

/// Whether a row may have no value. What is not known to have one for every row may fail.
fn fails(expr: &Expr, schema: &DFSchema) -> bool {
    use Operator::{Divide, Minus, Modulo, Multiply, Plus};
    let is_float = |expr: &Expr| expr.get_type(schema).is_ok_and(|t| t.is_floating());
    let itself = |expr: &Expr| match expr {
        Expr::Cast(Cast { expr: value, field }) => !value.get_type(schema).is_ok_and(|from| cast_is_total(&from, field.data_type())),
        Expr::BinaryExpr(BinaryExpr { op: Plus | Minus | Multiply | Divide | Modulo, .. }) | Expr::Negative(_) => !is_float(expr),
        Expr::ScalarFunction(function) => !is_total(&function.func),
        Expr::HigherOrderFunction(_) => true,
        _ => false,
    };
    expr.exists(|expr| Ok(itself(expr))).unwrap_or(true)
}

/// The engine's physical rules, one of them with care.
pub(super) fn with_guards(builder: SessionStateBuilder) -> SessionStateBuilder {
    let careful = |rule: Arc<dyn PhysicalOptimizerRule + Send + Sync>| -> Arc<dyn PhysicalOptimizerRule + Send + Sync> {
        if rule.name() == ProjectionPushdown::new().name() { Arc::new(Projections) } else { rule }
    };
    builder.with_physical_optimizer_rules(PhysicalOptimizer::new().rules.into_iter().map(careful).collect())
}

/// `ProjectionPushdown`, but what may fail goes neither below a filter nor out of a join's condition.
#[derive(Debug)]
struct Projections;

impl PhysicalOptimizerRule for Projections {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, config: &ConfigOptions) -> Planning<Arc<dyn ExecutionPlan>> {
        if !plan.exists(|plan| Ok(computes_what_may_fail(plan)))? {
            return ProjectionPushdown::new().optimize(plan, config);
        }
        plan.transform_down(|plan| {
            let Some(projection) = plan.downcast_ref::<ProjectionExec>() else { return Ok(Transformed::no(plan)) };
            match projection.input().downcast_ref::<FilterExec>() {
                Some(filter) if projection.expr().iter().any(|column| !column.expr.is::<Column>()) => {
                    let embedded = try_embed_projection(projection, filter)?.filter(|new| new.schema() == plan.schema());
                    Ok(embedded.map_or_else(|| Transformed::no(Arc::clone(&plan)), Transformed::yes))
                }
                _ => remove_unnecessary_projections(plan),
            }
        })
        .data()
    }
    fn name(&self) -> &str {
        "ProjectionPushdown"
    }
    fn schema_check(&self) -> bool {
        true
    }
}

fn computes_what_may_fail(plan: &Arc<dyn ExecutionPlan>) -> bool {
    if let Some(projection) = plan.downcast_ref::<ProjectionExec>() {
        let schema = projection.input().schema();
        return projection.expr().iter().any(|column| may_fail(&column.expr, &schema, is_total));
    }
    let condition = plan.downcast_ref::<NestedLoopJoinExec>().and_then(|join| join.filter());
    condition.is_some_and(|filter| may_fail(filter.expression(), filter.schema(), is_total))
}
