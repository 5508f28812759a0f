//! The functions and conversions of our own expressions, in queries. Kind: pure. Spec: SQL.
//!
//! Invariant: what a query computes by a function that `crate::expr` knows has the value that DELETE and UPDATE see, or is refused
//! as they refuse it. `coalesce` and its like stay with the engine, which computes only the arguments that are needed.

use super::failure::planner;
use super::shape::{plain_array, renamed};
use super::spark::part_of;
use crate::error::{Code, Result};
use crate::expr::{Argument, BoundExpr, Expr as Own, Operation, cast_is_total, function_is_total, function_names, placeholder};
use crate::schema::{self, Scalar, Struct};
use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, FieldRef, Schema};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, DataFusionError, Result as Planning, ScalarValue, plan_err};
use datafusion::functions_nested::concat::array_concat_udf;
use datafusion::functions_nested::reverse::array_reverse_udf;
use datafusion::logical_expr::expr::{Cast, ScalarFunction, TryCast};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprSchemable, LogicalPlan, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion_spark::function::string::concat_ws;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, LazyLock};

/// What the engine does as Spark does, and better: arguments that are not needed are not computed, and trims may say what they trim.
const ENGINE: &[&str] = &["coalesce", "if", "ifnull", "nvl", "nvl2", "nullif", "parse_json", "trim", "btrim", "ltrim", "rtrim"];

/// Every function that the engine leaves to us.
pub(super) fn all() -> impl Iterator<Item = Arc<ScalarUDF>> {
    function_names().filter(|name| !ENGINE.contains(name)).map(function)
}

/// A function by its name, bound when its arguments are known.
pub(super) fn function(name: &str) -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(Call { name: name.to_owned(), operation: Operation::Call(name.to_owned()), bound: None }))
}

/// A call of a function of ours.
pub(super) fn call(name: &str, args: Vec<Expr>) -> Expr {
    Expr::ScalarFunction(ScalarFunction::new_udf(function(name), args))
}

#[derive(Debug)]
struct Call {
    name: String,
    operation: Operation,
    bound: Option<Bound>,
}

/// A call whose types and literals are decided: what later becomes constant does not change them.
#[derive(Clone, Debug)]
struct Bound {
    value: BoundExpr,
    args: Vec<Argument>,
}

impl Call {
    /// What two calls share only when they are the same.
    fn key(&self) -> Option<String> {
        self.bound.as_ref().map(|bound| format!("{}: {:?}", bound.value.to_sql(), bound.args))
    }
}
impl Call {
    /// The engine's function for arrays, where ours knows only text.
    fn of_lists<'a>(&self, mut types: impl Iterator<Item = &'a DataType>) -> Option<Arc<ScalarUDF>> {
        let engine = match self.name.as_str() {
            "concat" => array_concat_udf,
            "concat_ws" => concat_ws,
            "reverse" => array_reverse_udf,
            _ => return None,
        };
        types.any(|t| matches!(t, DataType::List(_))).then(engine)
    }
}
impl PartialEq for Call {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.operation == other.operation && self.key() == other.key()
    }
}
impl Eq for Call {}
impl Hash for Call {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
        self.key().hash(state);
    }
}

/// A refusal of our expressions is one of the statement's.
fn told(e: crate::error::Error) -> DataFusionError {
    planner(if e.code() == Code::EXPR { e.told_as(Code::SQL) } else { e })
}

/// The type in our terms.
pub(super) fn own_type(data_type: &DataType) -> Result<schema::DataType> {
    let one = Schema::new(vec![arrow::datatypes::Field::new("c", data_type.clone(), true)]);
    let found = Struct::from_arrow(&one)?.fields.into_iter().next();
    Ok(found.map_or(schema::DataType::Void, |field| field.data_type))
}

/// An argument; a whole literal has the least type that Spark gives it.
fn argument(data_type: &DataType, literal: Option<&ScalarValue>) -> Result<Argument> {
    let value = literal.and_then(|value| Scalar::from_array(&value.to_array_of_size(1).ok()?, 0).ok());
    Ok(match value {
        Some(Scalar::Long(value)) if i32::try_from(value).is_ok() => {
            Argument { data_type: schema::DataType::Integer, value: i32::try_from(value).ok().map(Scalar::Integer) }
        }
        value => Argument { data_type: own_type(data_type)?, value },
    })
}

fn bound<'a>(operation: &Operation, args: impl Iterator<Item = (&'a DataType, Option<&'a ScalarValue>)>) -> Planning<Bound> {
    let args = args.map(|(data_type, literal)| argument(data_type, literal)).collect::<Result<Vec<_>>>().map_err(told)?;
    let unknown = |arg: &Argument| Argument { data_type: arg.data_type.clone(), value: None };
    match operation.bind(&args) {
        Ok(value) => Ok(Bound { value, args }),
        // A constant without a value fails where it is needed, if it is.
        Err(e) if args.iter().all(|arg| arg.value.is_some()) => {
            let args: Vec<Argument> = args.iter().map(unknown).collect();
            operation.bind(&args).map(|value| Bound { value, args }).map_err(|_| told(e))
        }
        Err(e) => Err(told(e)),
    }
}

impl Bound {
    fn field(&self, name: &str) -> Result<FieldRef> {
        schema::Field::new(name, self.value.data_type().clone(), true).to_arrow().map(Arc::new)
    }
    fn evaluate(&self, args: &[ColumnarValue], rows: usize, to: &DataType) -> Planning<ColumnarValue> {
        let read: Vec<(String, &ColumnarValue)> = args
            .iter()
            .enumerate()
            .map(|(at, arg)| (placeholder(at), arg))
            .filter(|(name, _)| self.value.columns().contains(name))
            .collect();
        let scalar = read.iter().all(|(_, arg)| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if scalar { 1 } else { rows };
        let mut fields = Vec::with_capacity(read.len());
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(read.len());
        for (name, arg) in read {
            let column = plain_array(&arg.to_array(rows)?).map_err(told)?;
            fields.push(arrow::datatypes::Field::new(name, column.data_type().clone(), true));
            columns.push(column);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)?;
        let values = self.value.evaluate(&batch).and_then(|values| renamed(&values, to)).map_err(told)?;
        Ok(if scalar { ColumnarValue::Scalar(ScalarValue::try_from_array(&values, 0)?) } else { ColumnarValue::Array(values) })
    }
}

static ANY: LazyLock<Signature> = LazyLock::new(|| Signature::user_defined(Volatility::Immutable));

impl ScalarUDFImpl for Call {
    fn name(&self) -> &str {
        &self.name
    }
    fn signature(&self) -> &Signature {
        &ANY
    }
    fn coerce_types(&self, types: &[DataType]) -> Planning<Vec<DataType>> {
        Ok(types.to_vec())
    }
    fn return_type(&self, _: &[DataType]) -> Planning<DataType> {
        plan_err!("the type of `{}` depends on its arguments", self.name)
    }
    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Planning<FieldRef> {
        if let Some(engine) = self.of_lists(args.arg_fields.iter().map(|field| field.data_type())) {
            return engine.return_field_from_args(args);
        }
        if let Some(bound) = &self.bound {
            return bound.field(&self.name).map_err(told);
        }
        let types = args.arg_fields.iter().map(|field| field.data_type());
        bound(&self.operation, types.zip(args.scalar_arguments.iter().copied()))?.field(&self.name).map_err(told)
    }
    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Planning<ColumnarValue> {
        if let Some(bound) = &self.bound {
            return bound.evaluate(&args.args, args.number_rows, args.return_field.data_type());
        }
        let literals = args.args.iter().map(|arg| if let ColumnarValue::Scalar(value) = arg { Some(value) } else { None });
        let types = args.arg_fields.iter().map(|field| field.data_type());
        bound(&self.operation, types.zip(literals))?.evaluate(&args.args, args.number_rows, args.return_field.data_type())
    }
}

/// A plan in whose expressions types are decided, with its calls bound and conversions of our meaning.
pub(super) fn bound_plan(plan: LogicalPlan) -> Planning<LogicalPlan> {
    each_expression(plan, &|expr, schema| expr.transform_up(|expr| meant(expr, schema)))
}

/// A plan with other expressions under the same names; not in scans, whose conditions only leave out files.
pub(super) fn each_expression(plan: LogicalPlan, change: &dyn Fn(Expr, &DFSchema) -> Planning<Transformed<Expr>>) -> Planning<LogicalPlan> {
    let rewritten = plan.transform_up_with_subqueries(|plan| {
        if matches!(plan, LogicalPlan::TableScan(_)) {
            return Ok(Transformed::no(plan));
        }
        let schema = merge_schema(&plan.inputs());
        let names = NamePreserver::new(&plan);
        let rewritten = plan.map_expressions(|expr| {
            let name = names.save(&expr);
            Ok(change(expr, &schema)?.update_data(|expr| name.restore(expr)))
        })?;
        if rewritten.transformed { rewritten.map_data(LogicalPlan::recompute_schema) } else { Ok(rewritten) }
    })?;
    Ok(rewritten.data)
}

fn meant(expr: Expr, schema: &DFSchema) -> Planning<Transformed<Expr>> {
    match expr {
        Expr::ScalarFunction(ScalarFunction { func, args }) => {
            if let Some(found) = func.inner().downcast_ref::<Call>().filter(|call| call.bound.is_none()) {
                let types = args.iter().map(|arg| arg.get_type(schema)).collect::<Planning<Vec<_>>>()?;
                if let Some(engine) = found.of_lists(types.iter()) {
                    return Ok(Transformed::yes(Expr::ScalarFunction(ScalarFunction::new_udf(engine, args))));
                }
                return Ok(Transformed::yes(bound_call(&found.name, found.operation.clone(), args, schema)?));
            }
            if func.name() == "date_part" {
                // As EXTRACT.
                return meant(part_of(args)?, schema);
            }
            Ok(Transformed::no(Expr::ScalarFunction(ScalarFunction { func, args })))
        }
        Expr::Cast(Cast { expr: value, field }) => match conversion(&value, field.data_type(), false, schema)? {
            Some(operation) => Ok(Transformed::yes(bound_call("cast", operation, vec![*value], schema)?)),
            None => Ok(Transformed::no(Expr::Cast(Cast { expr: value, field }))),
        },
        Expr::TryCast(TryCast { expr: value, field }) => match conversion(&value, field.data_type(), true, schema)? {
            Some(operation) => Ok(Transformed::yes(bound_call("try_cast", operation, vec![*value], schema)?)),
            None => Ok(Transformed::no(Expr::TryCast(TryCast { expr: value, field }))),
        },
        Expr::Negative(value) if value.get_type(schema).is_ok_and(|t| t.is_integer()) => {
            Ok(Transformed::yes(bound_call("negative", Operation::Call("negative".to_owned()), vec![*value], schema)?))
        }
        other => Ok(Transformed::no(other)),
    }
}

/// The call of an operation, or its value where nothing in it varies.
fn bound_call(name: &str, operation: Operation, args: Vec<Expr>, schema: &DFSchema) -> Planning<Expr> {
    let types = args.iter().map(|arg| arg.get_type(schema)).collect::<Planning<Vec<_>>>()?;
    let literals = args.iter().map(|arg| if let Expr::Literal(value, _) = arg { Some(value) } else { None });
    let bound = bound(&operation, types.iter().zip(literals))?;
    let to = bound.field(name).map_err(told)?;
    // A whole number that is no literal of the text stays a call, lest it be taken for one.
    if bound.value.is_literal()
        && *to.data_type() != DataType::Int64
        && let ColumnarValue::Scalar(value) = bound.evaluate(&[], 1, to.data_type())?
    {
        return Ok(Expr::Literal(value, None));
    }
    let call = Call { name: name.to_owned(), operation, bound: Some(bound) };
    Ok(Expr::ScalarFunction(ScalarFunction::new_udf(Arc::new(ScalarUDF::from(call)), args)))
}

/// The conversion of a value without parts when it is ours; `None` where the engine's is the same. What we refuse is refused.
fn conversion(value: &Expr, to: &DataType, lenient: bool, schema: &DFSchema) -> Planning<Option<Operation>> {
    let Ok(from) = value.get_type(schema) else { return Ok(None) };
    let (Ok(own_from), Ok(own_to)) = (own_type(&from), own_type(to)) else { return Ok(None) };
    if to.is_nested() || from.is_nested() && own_to != schema::DataType::String {
        return Ok(None);
    }
    let operation = Operation::Cast { to: own_to.clone(), lenient };
    operation.bind(&[Argument { data_type: own_from.clone(), value: None }]).map_err(told)?;
    let reads_text = own_from == schema::DataType::String && !matches!(own_to, schema::DataType::String | schema::DataType::Binary);
    // The engine's rules compare the value before it is narrowed.
    let narrows = from.is_numeric() && to.is_numeric() && !cast_is_total(&from, to);
    Ok((reads_text || narrows).then_some(operation))
}

/// Whether a function of the engine or of ours has a value for all arguments.
pub(super) fn is_total(function: &ScalarUDF) -> bool {
    match function.inner().downcast_ref::<Call>() {
        Some(Call { bound: Some(bound), .. }) => !bound.value.may_fail(),
        _ => function_is_total(function.name()),
    }
}

/// The call of an operation of ours, with the arguments in our terms; `None` for what is no such call.
pub(super) fn own(expr: &ScalarFunction, argument: impl Fn(&Expr) -> Option<Own>) -> Option<Own> {
    let call = expr.func.inner().downcast_ref::<Call>()?;
    let bound = call.bound.as_ref()?;
    let args = expr.args.iter().zip(&bound.args).map(|(arg, known)| match &known.value {
        Some(value) => Some(crate::expr::typed_literal(value.clone(), &known.data_type)),
        None => argument(arg),
    });
    Some(call.operation.of(args.collect::<Option<Vec<_>>>()?))
}
