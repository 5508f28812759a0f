//! Calls and operators as Spark writes them -> as the planner knows them. Kind: pure. Spec: SQL.

use datafusion::sql::sqlparser::ast::{
    AccessExpr, BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, ObjectName, Value,
};
use datafusion::sql::sqlparser::dialect::Dialect;
use datafusion::sql::sqlparser::parser::Parser;

/// Functions that the planner knows by another name, with the same arguments.
const NAMES: &[(&str, &str)] = &[
    ("approx_count_distinct", "approx_distinct"),
    ("explode", "unnest"),
    ("first", "first_value"),
    ("last", "last_value"),
    ("any_value", "first_value"),
    ("sign", "signum"),
    ("sort_array", "array_sort"),
    ("unix_timestamp", "to_unixtime"),
];

/// Functions of a date that are parts of it.
const PARTS: &[(&str, &str)] = &[
    ("year", "year"),
    ("quarter", "quarter"),
    ("month", "month"),
    ("day", "day"),
    ("dayofmonth", "day"),
    ("dayofweek", "dayofweek"),
    ("dayofyear", "doy"),
    ("weekofyear", "week"),
];

/// Functions whose second argument is an INT.
const WITH_INT: &[&str] = &["date_add", "dateadd", "date_sub", "add_months"];

fn text(text: &str) -> Expr {
    Expr::Value(Value::SingleQuotedString(text.to_owned()).into())
}

fn argument(expr: Expr) -> FunctionArg {
    FunctionArg::Unnamed(FunctionArgExpr::Expr(expr))
}

/// Rewrites one expression; those inside of it come later.
pub(super) fn rewrite(expr: &mut Expr, dialect: &dyn Dialect) {
    match expr {
        Expr::RLike { negated, expr: value, pattern, .. } => {
            let op = if *negated { BinaryOperator::PGRegexNotMatch } else { BinaryOperator::PGRegexMatch };
            *expr = Expr::BinaryOp { left: value.clone(), op, right: pattern.clone() };
        }
        Expr::CompoundFieldAccess { access_chain, .. } => {
            for access in access_chain {
                if let AccessExpr::Dot(name) = access
                    && let Expr::Identifier(ident) = name
                {
                    *name = text(&ident.value.to_lowercase());
                }
            }
        }
        Expr::Function(function) => call(function, dialect),
        _ => {}
    }
}

fn call(function: &mut Function, dialect: &dyn Dialect) {
    let Function { name, args: FunctionArguments::List(list), .. } = function else { return };
    let [part] = name.0.as_slice() else { return };
    let Some(called) = part.as_ident().map(|ident| ident.value.to_lowercase()) else { return };
    let called = called.as_str();
    let mut rename = |to: &str| *name = ObjectName::from(vec![Ident::new(to)]);
    if let Some((_, known)) = NAMES.iter().find(|(spark, _)| *spark == called) {
        rename(known);
    } else if let Some((_, part)) = PARTS.iter().find(|(spark, _)| *spark == called)
        && list.args.len() == 1
    {
        rename("date_part");
        list.args.insert(0, argument(text(part)));
    } else if WITH_INT.contains(&called) {
        if let [_, FunctionArg::Unnamed(FunctionArgExpr::Expr(count))] = list.args.as_mut_slice() {
            with_parsed(count, "CAST({} AS INT)", dialect);
        }
    } else if called == "regexp_replace" && list.args.len() == 3 {
        // Spark replaces every match.
        list.args.push(argument(text("g")));
    } else if called == "locate" && list.args.len() == 2 {
        rename("strpos");
        list.args.swap(0, 1);
    } else if called == "count_if" {
        if let [FunctionArg::Unnamed(FunctionArgExpr::Expr(condition))] = list.args.as_mut_slice() {
            with_parsed(condition, "CASE WHEN {} THEN 1 END", dialect);
            rename("count");
        }
    } else if called == "named_struct" {
        for name in list.args.iter_mut().step_by(2) {
            if let FunctionArg::Unnamed(FunctionArgExpr::Expr(name)) = name
                && let Expr::Value(value) = &*name
                && let Value::SingleQuotedString(field) | Value::DoubleQuotedString(field) = &value.value
            {
                *name = text(&field.to_lowercase());
            }
        }
    }
}

/// Puts an expression into a frame; one whose text does not parse again stays as it is.
fn with_parsed(expr: &mut Expr, frame: &str, dialect: &dyn Dialect) {
    const HOLE: &str = "__hole";
    let Ok(mut parser) = Parser::new(dialect).try_with_sql(&frame.replace("{}", HOLE)) else { return };
    let Ok(mut framed) = parser.parse_expr() else { return };
    let hole = match &mut framed {
        Expr::Cast { expr: inner, .. } => inner.as_mut(),
        Expr::Case { conditions, .. } => match conditions.first_mut() {
            Some(when) => &mut when.condition,
            None => return,
        },
        _ => return,
    };
    std::mem::swap(hole, expr);
    *expr = framed;
}
