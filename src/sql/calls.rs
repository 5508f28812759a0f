//! Calls and operators as Spark writes them -> as the planner knows them. Kind: pure. Spec: SQL.

use crate::error::{Code, Error, Result};
use datafusion::sql::sqlparser::ast::{
    AccessExpr, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, Ident, Interval, ObjectName,
    UnaryOperator, Value,
};
use datafusion::sql::sqlparser::dialect::Dialect;
use datafusion::sql::sqlparser::parser::Parser;

/// Functions that are known by another name, with the same arguments.
const NAMES: &[(&str, &str)] = &[
    ("approx_count_distinct", "approx_distinct"),
    ("any_value", "first_value"),
    ("dateadd", "date_add"),
    ("datepart", "date_part"),
    ("explode", "unnest"),
    ("first", "first_value"),
    ("last", "last_value"),
    ("sort_array", "array_sort"),
];

/// Functions of Spark that the engine has with another meaning, and what it would do instead.
const OTHERWISE: &[(&str, &str)] = &[
    ("array_position", "would give NULL for what is not there, instead of 0"),
    ("array_prepend", "would take the element first"),
    ("array_remove", "would remove the first of equal elements only"),
    ("array_sort", "would put nulls first"),
    ("arrays_overlap", "would not give NULL where an element is unknown"),
    ("arrays_zip", "would name the fields otherwise"),
    ("decode", "would read base64 and hexadecimal text instead of a charset"),
    ("encode", "would write base64 and hexadecimal text instead of a charset"),
    ("flatten", "would leave out arrays that are NULL"),
    ("json_tuple", "would be one struct instead of columns"),
    ("range", "would be an array"),
    ("regexp_count", "would read the pattern in another language"),
    ("regexp_instr", "would read the pattern in another language"),
    ("to_char", "would read the pattern in another language"),
    ("to_time", "would read the pattern in another language"),
    ("to_varchar", "would read the pattern in another language"),
    ("version", "would be that of the engine below"),
];

fn text(text: &str) -> Expr {
    Expr::Value(Value::SingleQuotedString(text.to_owned()).into())
}

fn argument(expr: Expr) -> FunctionArg {
    FunctionArg::Unnamed(FunctionArgExpr::Expr(expr))
}

/// Rewrites one expression; those inside of it come later. `LB-SQL` for a function that would mean something else.
pub(super) fn rewrite(expr: &mut Expr, dialect: &dyn Dialect) -> Result<()> {
    match expr {
        Expr::RLike { negated, expr: value, pattern, .. } => {
            let (negated, args) = (*negated, vec![value.as_ref().clone(), pattern.as_ref().clone()]);
            let matches = function("rlike", args);
            *expr = if negated { Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(matches) } } else { matches };
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
        Expr::Function(function) => call(function, dialect)?,
        Expr::Interval(Interval { value, leading_field: None, .. }) if !value.to_string().contains(char::is_alphabetic) => {
            return Err(Error::new(Code::SQL, format!("the interval {value} has no unit")).help("say of what: INTERVAL '5' DAY"));
        }
        _ => {}
    }
    Ok(())
}

fn arguments(args: Vec<Expr>) -> FunctionArguments {
    FunctionArguments::List(FunctionArgumentList {
        duplicate_treatment: None,
        args: args.into_iter().map(argument).collect(),
        clauses: Vec::new(),
    })
}

fn function(name: &str, args: Vec<Expr>) -> Expr {
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: arguments(args),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

fn call(function: &mut Function, dialect: &dyn Dialect) -> Result<()> {
    let Function { name, args: FunctionArguments::List(list), .. } = function else { return Ok(()) };
    let [part] = name.0.as_slice() else { return Ok(()) };
    let Some(called) = part.as_ident().map(|ident| ident.value.to_lowercase()) else { return Ok(()) };
    let called = called.as_str();
    if let Some((_, otherwise)) = OTHERWISE.iter().find(|(spark, _)| *spark == called) {
        return Err(Error::new(Code::SQL, format!("the function `{called}` is not supported: it {otherwise}")).with("function", called));
    }
    let mut rename = |to: &str| *name = ObjectName::from(vec![Ident::new(to)]);
    if let Some((_, known)) = NAMES.iter().find(|(spark, _)| *spark == called) {
        rename(known);
    } else if called == "map" {
        let plain = |arg: &FunctionArg| match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(value)) => Some(value.clone()),
            _ => None,
        };
        let values: Option<Vec<Expr>> = list.args.iter().map(plain).collect();
        let Some(values) = values.filter(|values| values.len().is_multiple_of(2)) else {
            return Err(Error::new(Code::SQL, "`map` takes keys, each with its value"));
        };
        let half = |first: usize| self::function("array", values.iter().skip(first).step_by(2).cloned().collect());
        list.args = vec![argument(half(0)), argument(half(1))];
        rename("map_from_arrays");
    } else if let ("ltrim" | "rtrim", [trimmed, text]) = (called, list.args.as_mut_slice()) {
        // What is trimmed away comes first.
        std::mem::swap(trimmed, text);
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
    Ok(())
}

/// Puts an expression into a frame; one whose text does not parse again stays as it is.
fn with_parsed(expr: &mut Expr, frame: &str, dialect: &dyn Dialect) {
    const HOLE: &str = "__hole";
    let Ok(mut parser) = Parser::new(dialect).try_with_sql(&frame.replace("{}", HOLE)) else { return };
    let Ok(mut framed) = parser.parse_expr() else { return };
    let Expr::Case { conditions, .. } = &mut framed else { return };
    let Some(when) = conditions.first_mut() else { return };
    std::mem::swap(&mut when.condition, expr);
    *expr = framed;
}
