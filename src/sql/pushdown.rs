//! A planner's condition -> ours. Kind: pure. Spec: SQL.
//!
//! Invariant: what is given to a scan is also applied above it, so a condition that is left out here costs time and never rows. A
//! condition must not be stronger than the planner's: what has another meaning here is left out.

use super::library;
use crate::expr::{CANONICAL, Expr, col, lit};
use crate::schema::{Scalar, Struct};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::{Between, Cast, InList, Like, ScalarFunction};
use datafusion::logical_expr::{BinaryExpr, Expr as Planned, Operator};

/// What a scan of these columns may be asked: a condition that binds, and that has a value for every row, since the scan computes it
/// also for rows that other conditions guard.
pub(super) fn sure(planned: &Planned, columns: &Struct) -> Option<Expr> {
    condition(planned).filter(|c| c.bind(columns).is_ok_and(|bound| !bound.may_fail()))
}

/// The condition in our terms, or a weaker one; `None` when nothing of it can be said.
fn condition(planned: &Planned) -> Option<Expr> {
    match planned {
        Planned::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => match (condition(left), condition(right)) {
            (Some(a), Some(b)) => Some(a.and(b)),
            (a, b) => a.or(b),
        },
        other => exact(other),
    }
}

/// The same condition, not a weaker one.
fn exact(planned: &Planned) -> Option<Expr> {
    Some(match planned {
        Planned::BinaryExpr(BinaryExpr { left, op, right }) => {
            if matches!(op, Operator::And | Operator::Or) {
                let (a, b) = (exact(left)?, exact(right)?);
                return Some(if *op == Operator::And { a.and(b) } else { a.or(b) });
            }
            let (a, b) = (value(left)?, value(right)?);
            match op {
                Operator::Eq => a.eq(b),
                Operator::NotEq => a.not_eq(b),
                Operator::Lt => a.lt(b),
                Operator::LtEq => a.lt_eq(b),
                Operator::Gt => a.gt(b),
                Operator::GtEq => a.gt_eq(b),
                Operator::IsNotDistinctFrom => a.null_safe_eq(b),
                _ => return None,
            }
        }
        Planned::Not(inner) => exact(inner)?.not(),
        Planned::IsNull(inner) => value(inner)?.is_null(),
        Planned::IsNotNull(inner) => value(inner)?.is_not_null(),
        Planned::InList(InList { expr, list, negated }) => {
            let found = value(expr)?.in_list(list.iter().map(value).collect::<Option<Vec<_>>>()?);
            if *negated { found.not() } else { found }
        }
        Planned::Between(Between { expr, negated, low, high }) => {
            let found = value(expr)?.between(value(low)?, value(high)?);
            if *negated { found.not() } else { found }
        }
        Planned::Like(Like { negated, expr, pattern, escape_char: None, case_insensitive: false }) => {
            let Planned::Literal(pattern, _) = pattern.as_ref() else { return None };
            let pattern = pattern.try_as_str()??;
            if pattern.contains('\\') {
                return None;
            }
            let found = value(expr)?.like(pattern);
            if *negated { found.not() } else { found }
        }
        Planned::Column(_) => column(planned)?,
        Planned::ScalarFunction(call) => library::own(call, value)?,
        _ => return None,
    })
}

fn value(planned: &Planned) -> Option<Expr> {
    if let Planned::ScalarFunction(call) = planned {
        // Our comparisons have their own form of floating numbers.
        if call.func.name() == CANONICAL {
            return value(call.args.first()?);
        }
        if let Some(own) = library::own(call, value) {
            return Some(own);
        }
    }
    if let Planned::Cast(Cast { expr, field }) = planned {
        return Some(value(expr)?.cast(&library::own_type(field.data_type()).ok()?));
    }
    column(planned).or_else(|| literal(planned))
}

/// A column, or a field of one.
fn column(planned: &Planned) -> Option<Expr> {
    path(planned).map(|path| col(&path))
}

fn path(planned: &Planned) -> Option<String> {
    let quoted = |name: &str| format!("`{}`", name.replace('`', "``"));
    match planned {
        // Hidden columns are none of the table's.
        Planned::Column(column) if !column.name.starts_with(super::tokens::HIDDEN) => Some(quoted(&column.name)),
        Planned::ScalarFunction(ScalarFunction { func, args }) if func.name() == "get_field" && args.len() == 2 => {
            let Planned::Literal(field, _) = &args[1] else { return None };
            Some(format!("{}.{}", path(&args[0])?, quoted(field.try_as_str()??)))
        }
        _ => None,
    }
}

/// A literal that is not null.
fn literal(planned: &Planned) -> Option<Expr> {
    let Planned::Literal(value, _) = planned else { return None };
    Some(lit(match value {
        ScalarValue::Boolean(Some(v)) => Scalar::Boolean(*v),
        ScalarValue::Int8(Some(v)) => Scalar::Byte(*v),
        ScalarValue::Int16(Some(v)) => Scalar::Short(*v),
        ScalarValue::Int32(Some(v)) => Scalar::Integer(*v),
        ScalarValue::Int64(Some(v)) => Scalar::Long(*v),
        ScalarValue::Float32(Some(v)) => Scalar::Float(*v),
        ScalarValue::Float64(Some(v)) => Scalar::Double(*v),
        ScalarValue::Decimal128(Some(v), precision, scale) => {
            Scalar::Decimal { value: *v, precision: *precision, scale: u8::try_from(*scale).ok()? }
        }
        ScalarValue::Utf8(Some(v)) | ScalarValue::LargeUtf8(Some(v)) | ScalarValue::Utf8View(Some(v)) => Scalar::String(v.clone()),
        ScalarValue::Binary(Some(v)) | ScalarValue::LargeBinary(Some(v)) | ScalarValue::BinaryView(Some(v)) => Scalar::Binary(v.clone()),
        ScalarValue::Date32(Some(v)) => Scalar::Date(*v),
        ScalarValue::TimestampMicrosecond(Some(v), Some(_)) => Scalar::Timestamp(*v),
        ScalarValue::TimestampMicrosecond(Some(v), None) => Scalar::TimestampNtz(*v),
        _ => return None,
    }))
}

#[cfg(test)]
#[path = "pushdown_tests.rs"]
mod tests;
