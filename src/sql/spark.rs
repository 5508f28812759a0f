//! Functions, operators and types with Spark's meaning. Kind: pure. Spec: SQL.

use super::{functions, library};
use crate::expr::{canonical_float, has_own_text, part_of_time, text};
use arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result as Planning, ScalarValue, plan_err};
use datafusion::execution::SessionStateBuilder;
use datafusion::logical_expr::expr::{Between, Cast, InList, ScalarFunction};
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr, RawFieldAccessExpr, TypePlanner};
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, GetFieldAccess, LogicalPlan, cast, lit};
use datafusion::optimizer::AnalyzerRule;
use datafusion::sql::sqlparser::ast::{ArrayElemTypeDef, BinaryOperator, DataType as SqlType, ExactNumberInfo, StructBracketKind};
use std::sync::Arc;

/// Functions by Spark's names and meanings, those of the engine where Spark's are the same, and Spark's operators and types.
pub(super) fn with_spark(mut builder: SessionStateBuilder) -> SessionStateBuilder {
    // The first planner that knows an operator decides.
    let planners = builder.expr_planners().get_or_insert_with(Vec::new);
    planners.insert(0, Arc::new(datafusion_spark::planner::SparkFunctionPlanner));
    planners.insert(0, Arc::new(Operators));
    builder
        .scalar_functions()
        .get_or_insert_with(Vec::new)
        .extend(datafusion_spark::all_default_scalar_functions().into_iter().chain(functions::all()).chain(library::all()));
    // The engine's own average keeps decimals, as Spark does.
    let aggregates = datafusion_spark::all_default_aggregate_functions().into_iter().filter(|f| f.name() != "avg");
    builder.aggregate_functions().get_or_insert_with(Vec::new).extend(aggregates);
    builder.window_functions().get_or_insert_with(Vec::new).extend(datafusion_spark::all_default_window_functions());
    builder.with_type_planner(Arc::new(Types)).with_analyzer_rule(Arc::new(Texts))
}

/// `/` gives a fraction, `DIV` a whole number, and both refuse zero; whole numbers do not wrap around.
#[derive(Debug)]
struct Operators;

impl ExprPlanner for Operators {
    fn plan_field_access(&self, raw: RawFieldAccessExpr, schema: &DFSchema) -> Planning<PlannerResult<RawFieldAccessExpr>> {
        let RawFieldAccessExpr { field_access, expr } = raw;
        Ok(match field_access {
            // Elements of a list are counted from zero.
            GetFieldAccess::ListIndex { key } if matches!(expr.get_type(schema)?, DataType::List(_) | DataType::Map(..)) => {
                PlannerResult::Planned(library::call("item", vec![expr, *key]))
            }
            GetFieldAccess::NamedStructField { name } if matches!(expr.get_type(schema)?, DataType::Map(..)) => {
                PlannerResult::Planned(library::call("item", vec![expr, Expr::Literal(name, None)]))
            }
            field_access => PlannerResult::Original(RawFieldAccessExpr { field_access, expr }),
        })
    }
    fn plan_extract(&self, args: Vec<Expr>) -> Planning<PlannerResult<Vec<Expr>>> {
        part_of(args).map(PlannerResult::Planned)
    }
    fn plan_position(&self, args: Vec<Expr>) -> Planning<PlannerResult<Vec<Expr>>> {
        // The planner names the text first.
        Ok(PlannerResult::Planned(library::call("instr", args)))
    }
    fn plan_substring(&self, args: Vec<Expr>) -> Planning<PlannerResult<Vec<Expr>>> {
        Ok(PlannerResult::Planned(library::call("substring", args)))
    }
    fn plan_binary_op(&self, raw: RawBinaryExpr, schema: &DFSchema) -> Planning<PlannerResult<RawBinaryExpr>> {
        use BinaryOperator::{Divide, Minus, Modulo, Multiply, MyIntegerDivide, Plus};
        if !matches!(raw.op, Divide | Minus | Modulo | Multiply | MyIntegerDivide | Plus) {
            return Ok(PlannerResult::Original(raw));
        }
        // Asked once: it walks the whole side.
        let (Ok(left), Ok(right)) = (raw.left.get_type(schema), raw.right.get_type(schema)) else {
            return Ok(PlannerResult::Original(raw));
        };
        let types = [left, right];
        let raw = match moved(raw, &types)? {
            PlannerResult::Original(raw) => raw,
            planned => return Ok(planned),
        };
        if !types.iter().all(|t| t.is_numeric() || matches!(t, DataType::Null | DataType::Utf8)) {
            return Ok(PlannerResult::Original(raw));
        }
        let both_whole = types.iter().all(DataType::is_integer);
        let (left, right) = match types.each_ref().map(|t| matches!(t, DataType::Decimal128(..))) {
            [true, false] => (raw.left, narrow(raw.right)),
            [false, true] => (narrow(raw.left), raw.right),
            _ if both_whole => (least(raw.left), least(raw.right)),
            _ => (raw.left, raw.right),
        };
        let function = match raw.op {
            Divide => functions::divide(),
            Modulo => functions::remainder(),
            MyIntegerDivide => functions::whole_divide(),
            Plus if both_whole => functions::checked("+"),
            Minus if both_whole => functions::checked("-"),
            Multiply if both_whole => functions::checked("*"),
            op => return Ok(PlannerResult::Original(RawBinaryExpr { op, left, right })),
        };
        Ok(PlannerResult::Planned(Expr::ScalarFunction(ScalarFunction::new_udf(function, vec![left, right]))))
    }
}

/// `date + 1`, `date - date`, and dates and times moved by an interval.
fn moved(raw: RawBinaryExpr, types: &[DataType; 2]) -> Planning<PlannerResult<RawBinaryExpr>> {
    let sign = match raw.op {
        BinaryOperator::Plus => 1,
        BinaryOperator::Minus => -1,
        _ => return Ok(PlannerResult::Original(raw)),
    };
    let time = |t: &DataType| matches!(t, DataType::Date32 | DataType::Timestamp(..));
    let (value, shift) = match (&types[0], &types[1]) {
        (DataType::Date32, t) if t.is_integer() => {
            let name = if sign == 1 { "date_add" } else { "date_sub" };
            return Ok(PlannerResult::Planned(library::call(name, vec![raw.left, raw.right])));
        }
        (DataType::Date32, DataType::Date32) if sign == -1 => {
            return Ok(PlannerResult::Planned(library::call("datediff", vec![raw.left, raw.right])));
        }
        (t, DataType::Interval(_)) if time(t) => (&raw.left, &raw.right),
        (DataType::Interval(_), t) if time(t) && sign == 1 => (&raw.right, &raw.left),
        _ => return Ok(PlannerResult::Original(raw)),
    };
    let Expr::Literal(ScalarValue::IntervalMonthDayNano(Some(interval)), _) = shift else { return Ok(PlannerResult::Original(raw)) };
    let micros = interval.nanoseconds / 1_000;
    let (Some(months), Some(days)) = (interval.months.checked_mul(sign), interval.days.checked_mul(sign)) else {
        return plan_err!("the interval is too long");
    };
    if micros * 1_000 != interval.nanoseconds {
        return plan_err!("an interval has no parts below a microsecond");
    }
    let shift = vec![value.clone(), lit(months), lit(days), lit(micros * i64::from(sign))];
    Ok(PlannerResult::Planned(library::call("add_interval", shift)))
}

/// `EXTRACT(part FROM value)` and `date_part(part, value)`.
pub(super) fn part_of(args: Vec<Expr>) -> Planning<Expr> {
    let named = match args.first() {
        Some(Expr::Literal(part, _)) => part.try_as_str().flatten().unwrap_or_default().to_ascii_lowercase(),
        _ => return plan_err!("the part of a time must be a literal"),
    };
    match (part_of_time(&named), args.into_iter().nth(1)) {
        (Some(part), Some(value)) => Ok(library::call(part, vec![value])),
        _ => plan_err!("the part {named} of a time is not supported"),
    }
}

/// A whole literal has the least type that Spark gives it.
fn least(expr: Expr) -> Expr {
    match expr {
        Expr::Literal(ScalarValue::Int64(Some(value)), metadata) => match i32::try_from(value) {
            Ok(value) => Expr::Literal(ScalarValue::Int32(Some(value)), metadata),
            Err(_) => Expr::Literal(ScalarValue::Int64(Some(value)), metadata),
        },
        other => other,
    }
}

/// A whole literal next to a decimal is a decimal of as many digits as it has.
fn narrow(expr: Expr) -> Expr {
    match expr {
        Expr::Literal(ScalarValue::Int64(Some(value)), _) => {
            let digits = value.unsigned_abs().to_string().len() as u8;
            Expr::Literal(ScalarValue::Decimal128(Some(i128::from(value)), digits, 0), None)
        }
        other => other,
    }
}

/// A plan fresh from the planner in which decimals that are compared with floating numbers are floating numbers, too: not every one of those is a decimal.
pub(super) fn fractions(plan: LogicalPlan) -> Planning<LogicalPlan> {
    library::each_expression(plan, &|expr, schema| {
        let of = |expr: &Expr, is: fn(&DataType) -> bool| expr.get_type(schema).is_ok_and(|t| is(&t));
        let mixed = |sides: &[&Expr]| {
            sides.iter().any(|side| of(side, DataType::is_floating)) && sides.iter().any(|side| of(side, DataType::is_decimal))
        };
        let double = |side: Expr| if of(&side, DataType::is_decimal) { as_double(side) } else { side };
        expr.transform_up(|expr| match expr {
            Expr::BinaryExpr(BinaryExpr { left, op, right }) if op.supports_propagation() && mixed(&[&left, &right]) => {
                let (left, right) = (Box::new(double(*left)), Box::new(double(*right)));
                Ok(Transformed::yes(Expr::BinaryExpr(BinaryExpr { left, op, right })))
            }
            Expr::InList(InList { expr, list, negated }) if mixed(&list.iter().chain([expr.as_ref()]).collect::<Vec<_>>()) => {
                let (expr, list) = (Box::new(double(*expr)), list.into_iter().map(double).collect());
                Ok(Transformed::yes(Expr::InList(InList { expr, list, negated })))
            }
            Expr::Between(Between { expr, negated, low, high }) if mixed(&[&expr, &low, &high]) => {
                let [expr, low, high] = [expr, low, high].map(|side| Box::new(double(*side)));
                Ok(Transformed::yes(Expr::Between(Between { expr, negated, low, high })))
            }
            other => Ok(Transformed::no(other)),
        })
    })
}

/// A decimal as a floating number; a literal stays one.
fn as_double(decimal: Expr) -> Expr {
    if let Expr::Literal(ScalarValue::Decimal128(Some(digits), _, scale), _) = &decimal
        && let Ok(value) = format!("{digits}e{}", -i16::from(*scale)).parse::<f64>()
    {
        return lit(value);
    }
    cast(decimal, DataType::Float64)
}

/// Numbers, dates and times as text are spelled as Spark spells them, and floating numbers compare as in Spark: one NaN above all, one zero.
#[derive(Debug)]
struct Texts;

impl AnalyzerRule for Texts {
    fn name(&self) -> &str {
        "texts"
    }
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Planning<LogicalPlan> {
        let compared = |expr: Expr| Expr::ScalarFunction(ScalarFunction::new_udf(canonical_float(), vec![expr]));
        library::each_expression(plan, &|expr, schema| {
            let is_float = |expr: &Expr| expr.get_type(schema).is_ok_and(|t| t.is_floating());
            expr.transform_up(|expr| match expr {
                Expr::Cast(Cast { expr: value, field })
                    if *field.data_type() == DataType::Utf8 && value.get_type(schema).is_ok_and(|t| has_own_text(&t)) =>
                {
                    Ok(Transformed::yes(Expr::ScalarFunction(ScalarFunction::new_udf(text(), vec![*value]))))
                }
                Expr::BinaryExpr(BinaryExpr { left, op, right }) if op.supports_propagation() && is_float(&left) && is_float(&right) => {
                    let (left, right) = (Box::new(compared(*left)), Box::new(compared(*right)));
                    Ok(Transformed::yes(Expr::BinaryExpr(BinaryExpr { left, op, right })))
                }
                Expr::InList(InList { expr, list, negated }) if is_float(&expr) => {
                    let (expr, list) = (Box::new(compared(*expr)), list.into_iter().map(compared).collect());
                    Ok(Transformed::yes(Expr::InList(InList { expr, list, negated })))
                }
                Expr::Between(Between { expr, negated, low, high }) if is_float(&expr) => {
                    let [expr, low, high] = [expr, low, high].map(|side| Box::new(compared(*side)));
                    Ok(Transformed::yes(Expr::Between(Between { expr, negated, low, high })))
                }
                other => Ok(Transformed::no(other)),
            })
        })
    }
}

/// The types that columns of tables have, by Spark's names.
#[derive(Debug)]
struct Types;

impl TypePlanner for Types {
    fn plan_type_field(&self, sql: &SqlType) -> Planning<Option<FieldRef>> {
        Ok(arrow_type(sql).map(|t| Arc::new(Field::new("", t, true))))
    }
}

fn arrow_type(sql: &SqlType) -> Option<DataType> {
    Some(match sql {
        SqlType::Timestamp(..) => timestamp(),
        SqlType::TimestampNtz(_) => DataType::Timestamp(TimeUnit::Microsecond, None),
        SqlType::String(_) | SqlType::Text | SqlType::Varchar(_) | SqlType::Char(_) => DataType::Utf8,
        SqlType::TinyInt(_) => DataType::Int8,
        SqlType::Float(_) | SqlType::Real => DataType::Float32,
        SqlType::Binary(_) => DataType::Binary,
        SqlType::Decimal(ExactNumberInfo::None) | SqlType::Dec(ExactNumberInfo::None) | SqlType::Numeric(ExactNumberInfo::None) => {
            DataType::Decimal128(10, 0)
        }
        SqlType::Array(ArrayElemTypeDef::AngleBracket(element)) => {
            DataType::List(Arc::new(Field::new("element", arrow_type(element)?, true)))
        }
        SqlType::Struct(fields, StructBracketKind::AngleBrackets) => {
            let fields =
                fields.iter().map(|f| Some(Field::new(f.field_name.as_ref()?.value.to_lowercase(), arrow_type(&f.field_type)?, true)));
            DataType::Struct(fields.collect::<Option<Vec<_>>>()?.into())
        }
        SqlType::Custom(name, arguments) if arguments.is_empty() => match name.to_string().to_ascii_lowercase().as_str() {
            "byte" => DataType::Int8,
            "short" => DataType::Int16,
            "long" => DataType::Int64,
            "timestamp_ntz" => DataType::Timestamp(TimeUnit::Microsecond, None),
            "timestamp_ltz" => timestamp(),
            "string" => DataType::Utf8,
            "binary" => DataType::Binary,
            "dec" => DataType::Decimal128(10, 0),
            _ => return None,
        },
        SqlType::BigInt(_) => DataType::Int64,
        SqlType::Int(_) | SqlType::Integer(_) => DataType::Int32,
        SqlType::SmallInt(_) => DataType::Int16,
        SqlType::Boolean => DataType::Boolean,
        SqlType::Date => DataType::Date32,
        SqlType::Double(_) => DataType::Float64,
        _ => return None,
    })
}

fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}
