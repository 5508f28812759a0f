//! Bound expression -> column over a record batch. Kind: pure. Spec: EXP.
//!
//! The engine's physical expressions do the work. They read the leaf columns that the expression names, which are taken out of the
//! batch by name first, with the nulls of their parents. Invariant: floating numbers are compared in one canonical form, so that
//! NaN equals NaN and stands above all, and -0.0 equals 0.0.

use super::bind;
use super::guard::Guarded;
use super::kernels;
use super::node::{Arithmetic, Comparison, Expr, Node};
use super::total::{cast_is_total, function_is_total};
use crate::env::Timestamp;
use crate::error::{Code, Error, Result};
use crate::schema::{DataType, FieldPath, Scalar, Struct};
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, RecordBatchOptions, make_array};
use arrow::buffer::NullBuffer;
use arrow::compute::{CastOptions, can_cast_types, cast_with_options};
use arrow::datatypes::{DataType as ArrowType, Field as ArrowField, Schema as ArrowSchema, SchemaRef};
use arrow::error::ArrowError;
use datafusion_common::config::ConfigOptions;
use datafusion_common::{DataFusionError, ScalarValue};
use datafusion_expr::{Operator, ScalarUDF};
use datafusion_physical_expr::expressions::{
    BinaryExpr, CaseExpr, CastExpr, Column, IsNullExpr, LikeExpr, Literal, NegativeExpr, NotExpr, in_list,
};
use datafusion_physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use std::sync::Arc;

type Physical = Arc<dyn PhysicalExpr>;

/// What to do about a division by zero.
pub(crate) const ZERO_HELP: &str = "use try_divide, try_mod or nullif(divisor, 0) where a zero may give NULL";

/// An expression bound to a schema. Cheap to clone, shareable.
#[derive(Clone, Debug)]
pub struct BoundExpr {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    node: Node,
    data_type: DataType,
    columns: Vec<String>,
    inputs: Inputs,
    physical: Physical,
}

/// The leaf columns that an expression reads, in the order in which the physical expression numbers them.
#[derive(Debug)]
struct Inputs {
    paths: Vec<FieldPath>,
    schema: SchemaRef,
}

impl Expr {
    /// Binds to a schema: resolves names, coerces types, folds constants. `LB-EXPR` names what does not fit.
    pub fn bind(&self, schema: &Struct) -> Result<BoundExpr> {
        BoundExpr::new(bind::bind(&self.node, schema)?, schema)
    }
    /// `bind`, with the time that functions of the current time give.
    pub(crate) fn bind_at(&self, schema: &Struct, now: Timestamp) -> Result<BoundExpr> {
        BoundExpr::new(bind::bind_at(&self.node, schema, now)?, schema)
    }
    /// Binds a rule of a table, in which text that is compared with a column of CHAR stays as it is. `LB-EXPR` as `bind`.
    pub(crate) fn bind_rule(&self, schema: &Struct) -> Result<BoundExpr> {
        BoundExpr::new(bind::bind_rule(&self.node, schema, None)?, schema)
    }
    /// Binds a rule to a schema and to the type of the column that the values are stored in. `now` is the time that functions of the
    /// current time give; without it they are refused. `LB-EXPR` as `bind`.
    pub(crate) fn bind_as(&self, schema: &Struct, to: &DataType, now: Option<Timestamp>) -> Result<BoundExpr> {
        BoundExpr::new(bind::bind_as(&self.node, schema, to, now)?, schema)
    }
}

impl BoundExpr {
    /// A bound node on its own.
    pub(super) fn of(node: Node, schema: &Struct) -> Result<BoundExpr> {
        let data_type = data_type(&node, schema)?;
        BoundExpr::new((node, data_type), schema)
    }
    fn new((node, data_type): bind::Typed, schema: &Struct) -> Result<BoundExpr> {
        let inputs = Inputs::of(&node, schema)?;
        let physical = physical(&node, &inputs)?;
        let mut columns: Vec<String> = Vec::new();
        for path in &inputs.paths {
            if !columns.contains(&path[0]) {
                columns.push(path[0].clone());
            }
        }
        Ok(BoundExpr { inner: Arc::new(Inner { node, data_type, columns, inputs, physical }) })
    }
    /// Top-level columns (logical names in schema spelling) that the expression reads.
    pub fn columns(&self) -> &[String] {
        &self.inner.columns
    }
    /// The type of its values.
    pub fn data_type(&self) -> &DataType {
        &self.inner.data_type
    }
    /// Evaluates over a batch that has at least those columns, found by name, in the Arrow form of the schema. `LB-EXPR` when a
    /// row has no value (a text that does not convert, an overflow), `LB-SCHEMA` when a column is missing.
    pub fn evaluate(&self, batch: &RecordBatch) -> Result<ArrayRef> {
        let rows = batch.num_rows();
        let value = self.inner.physical.evaluate(&self.inner.inputs.batch(batch)?).map_err(failed)?;
        value.into_array(rows).map_err(failed)
    }
    /// Rows for which the predicate is TRUE (NULL and FALSE are false; the mask has no nulls).
    pub fn matches(&self, batch: &RecordBatch) -> Result<BooleanArray> {
        let values = match &self.inner.data_type {
            DataType::Void => return Ok(BooleanArray::from(vec![false; batch.num_rows()])),
            DataType::Boolean => self.evaluate(batch)?,
            other => return Err(not_a_condition(&self.inner.node, other)),
        };
        let values = values.as_boolean();
        Ok(match values.nulls() {
            Some(nulls) => BooleanArray::new(values.values() & nulls.inner(), None),
            None => values.clone(),
        })
    }
    /// Whether an expression without columns has a value. `LB-EXPR` when not.
    pub(crate) fn check_constant(&self) -> Result<()> {
        let one = RecordBatchOptions::new().with_row_count(Some(1));
        self.evaluate(&RecordBatch::try_new_with_options(Arc::new(ArrowSchema::empty()), Vec::new(), &one)?).map(|_| ())
    }
    /// Whether it is the constant NULL.
    pub(crate) fn is_null(&self) -> bool {
        self.inner.node.is_null_literal()
    }
    /// `self AND other`, both conditions over the columns of `schema`; `self` alone when they cannot be combined.
    pub(crate) fn and(&self, other: &BoundExpr, schema: &Struct) -> BoundExpr {
        let node = Node::all([self.inner.node.clone(), other.inner.node.clone()]);
        BoundExpr::new((node, DataType::Boolean), schema).unwrap_or_else(|_| self.clone())
    }
    /// Whether it reads only these columns.
    pub fn reads_only(&self, columns: &[String]) -> bool {
        self.inner.columns.iter().all(|c| columns.contains(c))
    }
    /// Canonical SQL text.
    pub fn to_sql(&self) -> String {
        self.inner.node.to_string()
    }
    /// Whether a row may have no value. What is not known to have one for every row may fail.
    pub(crate) fn may_fail(&self) -> bool {
        may_fail(&self.inner.physical, &self.inner.inputs.schema, total)
    }
    /// Whether it is one value, whatever the row.
    pub(crate) fn is_literal(&self) -> bool {
        self.inner.node.is_literal()
    }
    pub(super) fn node(&self) -> &Node {
        &self.inner.node
    }
}

pub(super) fn not_a_condition(node: &Node, data_type: &DataType) -> Error {
    Error::new(Code::EXPR, format!("{node} is a {data_type} where a condition is needed"))
}

/// The type of a bound node.
pub(super) fn data_type(node: &Node, schema: &Struct) -> Result<DataType> {
    let inputs = Inputs::of(node, schema)?;
    let arrow = physical(node, &inputs)?.data_type(&inputs.schema).map_err(failed)?;
    let found = Struct::from_arrow(&ArrowSchema::new(vec![ArrowField::new("c", arrow, true)]))?;
    found.fields.into_iter().next().map(|f| f.data_type).ok_or_else(|| Error::new(Code::INTERNAL, "a type was lost"))
}

/// The value of a bound node without columns.
pub(super) fn constant(node: &Node) -> Result<Scalar> {
    let inputs = Inputs { paths: Vec::new(), schema: Arc::new(ArrowSchema::empty()) };
    let one =
        RecordBatch::try_new_with_options(Arc::clone(&inputs.schema), Vec::new(), &RecordBatchOptions::new().with_row_count(Some(1)))?;
    let value = physical(node, &inputs)?.evaluate(&one).map_err(failed)?.into_array(1).map_err(failed)?;
    Scalar::from_array(&value, 0)
}

/// A bound node over one column, as a function of an array of that column.
pub(super) fn over_column(node: &Node, column: &FieldPath, data_type: &DataType) -> Result<impl Fn(&ArrayRef) -> Result<ArrayRef> + use<>> {
    let field = ArrowField::new("c", data_type.to_arrow()?, true);
    let inputs = Inputs { paths: vec![column.clone()], schema: Arc::new(ArrowSchema::new(vec![field])) };
    let physical = physical(node, &inputs)?;
    Ok(move |array: &ArrayRef| {
        let batch = RecordBatch::try_new(Arc::clone(&inputs.schema), vec![Arc::clone(array)])?;
        physical.evaluate(&batch).and_then(|v| v.into_array(array.len())).map_err(failed)
    })
}

fn failed(e: DataFusionError) -> Error {
    if let DataFusionError::ArrowError(cause, _) = e.find_root()
        && matches!(**cause, ArrowError::DivideByZero)
    {
        return Error::new(Code::EXPR, "division by zero").help(ZERO_HELP);
    }
    Error::new(Code::EXPR, format!("the expression has no value: {}", e.strip_backtrace()))
}

impl Inputs {
    fn of(node: &Node, schema: &Struct) -> Result<Inputs> {
        let mut paths: Vec<FieldPath> = Vec::new();
        node.for_each_column(&mut |path| {
            if !paths.contains(path) {
                paths.push(path.clone());
            }
        });
        let fields = paths
            .iter()
            .map(|path| {
                let data_type = type_at(schema, path)
                    .ok_or_else(|| Error::new(Code::INTERNAL, format!("the bound column `{}` is not in its schema", path.join("."))))?;
                Ok(ArrowField::new(path.join("."), data_type.to_arrow()?, true))
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Inputs { paths, schema: Arc::new(ArrowSchema::new(fields)) })
    }

    fn batch(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let mut arrays = Vec::with_capacity(self.paths.len());
        let mut fields = Vec::with_capacity(self.paths.len());
        for (path, field) in self.paths.iter().zip(self.schema.fields()) {
            let mut array = leaf(batch, path)?;
            if array.data_type() != field.data_type() && !field.data_type().is_nested() {
                array = cast_with_options(&array, field.data_type(), &CastOptions { safe: false, ..CastOptions::default() })?;
            }
            fields.push(ArrowField::new(field.name(), array.data_type().clone(), true));
            arrays.push(array);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        Ok(RecordBatch::try_new_with_options(Arc::new(ArrowSchema::new(fields)), arrays, &options)?)
    }
}

/// The type of the field at a path in schema spelling.
pub(super) fn type_at<'a>(schema: &'a Struct, path: &[String]) -> Option<&'a DataType> {
    let (first, rest) = path.split_first()?;
    let data_type = &schema.field(first)?.data_type;
    match (rest, data_type) {
        ([], found) => Some(found),
        (rest, DataType::Struct(inner)) => type_at(inner, rest),
        _ => None,
    }
}

/// The column at a path, null wherever one of its parents is.
fn leaf(batch: &RecordBatch, path: &FieldPath) -> Result<ArrayRef> {
    let missing = || Error::new(Code::SCHEMA, format!("the rows have no column `{}`", path.join("."))).with("column", path.join("."));
    let mut names = path.iter();
    let first = names.next().ok_or_else(missing)?;
    let schema = batch.schema_ref();
    let at = schema
        .fields()
        .iter()
        .position(|f| f.name() == first)
        .or_else(|| schema.fields().iter().position(|f| f.name().to_lowercase() == first.to_lowercase()))
        .ok_or_else(missing)?;
    let mut array = Arc::clone(batch.column(at));
    for name in names {
        let parent = array.as_struct_opt().ok_or_else(missing)?;
        let child = parent
            .column_by_name(name)
            .or_else(|| {
                let at = parent.fields().iter().position(|f| f.name().to_lowercase() == name.to_lowercase())?;
                Some(parent.column(at))
            })
            .ok_or_else(missing)?;
        array = match (parent.nulls(), child.data_type()) {
            (None, _) | (_, ArrowType::Null) => Arc::clone(child),
            (Some(_), _) => {
                let nulls = NullBuffer::union(parent.nulls(), child.nulls());
                make_array(child.to_data().into_builder().nulls(nulls).build()?)
            }
        };
    }
    Ok(array)
}

fn physical(node: &Node, inputs: &Inputs) -> Result<Physical> {
    let below = |n: &Node| physical(n, inputs);
    let schema = inputs.schema.as_ref();
    Ok(match node {
        Node::Column(path) => {
            let at = inputs
                .paths
                .iter()
                .position(|p| p == path)
                .ok_or_else(|| Error::new(Code::INTERNAL, format!("the column `{}` is not bound", path.join("."))))?;
            Arc::new(Column::new(schema.field(at).name(), at))
        }
        Node::Literal(value, data_type) => {
            let value = ScalarValue::try_from_array(&value.to_array(data_type, 1)?, 0).map_err(failed)?;
            Arc::new(Literal::new(value))
        }
        Node::Compare(op, a, b) => {
            let (a, b) = (comparable(below(a)?, schema)?, comparable(below(b)?, schema)?);
            Arc::new(BinaryExpr::new(a, comparison(*op), b))
        }
        Node::Arithmetic(op, a, b) => {
            let (a, b) = (below(a)?, below(b)?);
            let op = match op {
                Arithmetic::Add => Operator::Plus,
                Arithmetic::Subtract => Operator::Minus,
                Arithmetic::Multiply => Operator::Multiply,
                Arithmetic::Divide => return function(kernels::quotient(), vec![a, b], schema),
                Arithmetic::Modulo => return function(kernels::remainder(), vec![a, b], schema),
            };
            Arc::new(BinaryExpr::new(a, op, b).with_fail_on_overflow(true))
        }
        Node::And(terms) => guarded(terms, Operator::And, true, inputs)?,
        Node::Or(terms) => guarded(terms, Operator::Or, false, inputs)?,
        Node::Not(inner) => Arc::new(NotExpr::new(below(inner)?)),
        Node::IsNull(inner) => Arc::new(IsNullExpr::new(below(inner)?)),
        Node::In(value, list) => {
            let list = list.iter().map(|item| below(&canonical_literal(item))).collect::<Result<Vec<_>>>()?;
            in_list(comparable(below(value)?, schema)?, list, &false, schema).map_err(failed)?
        }
        Node::Like { value, pattern, escape, ignore_case } => {
            let pattern = match pattern.as_ref() {
                Node::Literal(Scalar::String(text), t) if *escape != '\\' => {
                    below(&Node::Literal(Scalar::String(with_backslashes(text, *escape)), t.clone()))?
                }
                _ if *escape != '\\' => return Err(Error::new(Code::EXPR, "LIKE with ESCAPE needs a literal pattern")),
                other => below(other)?,
            };
            Arc::new(LikeExpr::new(false, *ignore_case, below(value)?, pattern))
        }
        Node::Case(branches, otherwise) => {
            let branches = branches.iter().map(|(w, t)| Ok((below(w)?, below(t)?))).collect::<Result<Vec<_>>>()?;
            let otherwise = otherwise.as_deref().map(below).transpose()?;
            Arc::new(CaseExpr::try_new(None, branches, otherwise).map_err(failed)?)
        }
        Node::Cast { value, to, lenient } => {
            let value = below(value)?;
            let (from, to) = (value.data_type(schema).map_err(failed)?, to.to_arrow()?);
            if !can_cast_types(&from, &to) {
                return Err(Error::new(Code::EXPR, format!("{from} cannot be converted to {to}: {node}")));
            }
            if to == ArrowType::Utf8 && kernels::has_own_text(&from) {
                return function(kernels::text(), vec![value], schema);
            }
            Arc::new(CastExpr::new(value, to, Some(CastOptions { safe: *lenient, ..CastOptions::default() })))
        }
        Node::Call(name, args) => call(name, args.iter().map(below).collect::<Result<Vec<_>>>()?, schema)?,
    })
}

/// A chain in which terms that may fail are computed only for rows that the terms before them have not decided: `b <> 0 AND a / b > 1`.
/// Those that have a value for every row come first.
fn guarded(terms: &[Node], op: Operator, empty: bool, inputs: &Inputs) -> Result<Physical> {
    let terms = terms.iter().map(|term| physical(term, inputs)).collect::<Result<Vec<_>>>()?;
    let (failing, sure): (Vec<Physical>, Vec<Physical>) = terms.into_iter().partition(|term| may_fail(term, &inputs.schema, total));
    if failing.is_empty() {
        return Ok(balanced(&sure, op, empty));
    }
    let sure = (!sure.is_empty()).then(|| balanced(&sure, op, empty));
    Ok(Arc::new(Guarded::new(op, sure.into_iter().chain(failing).collect())))
}

/// Whether a function has a value for all arguments.
fn total(function: &ScalarUDF) -> bool {
    function_is_total(function.name())
}

/// Whether a row may have no value. What is not known to have one for every row may fail; `total` knows functions.
pub(crate) fn may_fail(value: &Physical, schema: &ArrowSchema, total: fn(&ScalarUDF) -> bool) -> bool {
    let is_float = |value: &Physical| value.data_type(schema).is_ok_and(|t| t.is_floating());
    let fails = if let Some(cast) = value.downcast_ref::<CastExpr>() {
        !cast.cast_options().safe && !cast.expr().data_type(schema).is_ok_and(|from| cast_is_total(&from, cast.cast_type()))
    } else if let Some(binary) = value.downcast_ref::<BinaryExpr>() {
        use Operator::{Divide, Minus, Modulo, Multiply, Plus};
        matches!(binary.op(), Plus | Minus | Multiply | Divide | Modulo) && !is_float(value)
    } else if value.is::<NegativeExpr>() {
        !is_float(value)
    } else if let Some(function) = value.downcast_ref::<ScalarFunctionExpr>() {
        !total(function.fun())
    } else {
        false
    };
    fails || value.children().into_iter().any(|child| may_fail(child, schema, total))
}

/// A chain of one operator as a tree of the least height.
fn balanced(terms: &[Physical], op: Operator, empty: bool) -> Physical {
    match terms {
        [] => Arc::new(Literal::new(ScalarValue::Boolean(Some(empty)))),
        [one] => Arc::clone(one),
        many => {
            let (left, right) = many.split_at(many.len() / 2);
            Arc::new(BinaryExpr::new(balanced(left, op, empty), op, balanced(right, op, empty)))
        }
    }
}

/// The value in the form in which it is compared.
fn comparable(value: Physical, schema: &ArrowSchema) -> Result<Physical> {
    match value.data_type(schema).map_err(failed)? {
        ArrowType::Float32 | ArrowType::Float64 => function(kernels::canonical_float(), vec![value], schema),
        _ => Ok(value),
    }
}

/// A literal in the form in which it is compared.
pub(super) fn canonical_literal(node: &Node) -> Node {
    match node {
        Node::Literal(Scalar::Double(v), t) => Node::Literal(Scalar::Double(kernels::canonical_f64(*v)), t.clone()),
        Node::Literal(Scalar::Float(v), t) => Node::Literal(Scalar::Float(kernels::canonical_f32(*v)), t.clone()),
        other => other.clone(),
    }
}

fn with_backslashes(pattern: &str, escape: char) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            c if c == escape => {
                if let Some(next) = chars.next() {
                    out.push('\\');
                    out.push(next);
                }
            }
            '\\' => out.push_str("\\\\"),
            c => out.push(c),
        }
    }
    out
}

fn comparison(op: Comparison) -> Operator {
    match op {
        Comparison::Eq => Operator::Eq,
        Comparison::NotEq => Operator::NotEq,
        Comparison::Lt => Operator::Lt,
        Comparison::LtEq => Operator::LtEq,
        Comparison::Gt => Operator::Gt,
        Comparison::GtEq => Operator::GtEq,
        Comparison::NullSafeEq => Operator::IsNotDistinctFrom,
    }
}

fn function(fun: Arc<ScalarUDF>, args: Vec<Physical>, schema: &ArrowSchema) -> Result<Physical> {
    let options = Arc::new(ConfigOptions::default());
    Ok(Arc::new(ScalarFunctionExpr::try_new(fun, args, schema, options).map_err(failed)?))
}

/// A function that `functions::call` left as a call.
fn call(name: &str, mut args: Vec<Physical>, schema: &ArrowSchema) -> Result<Physical> {
    use datafusion_functions::{core, datetime, math, regex, string, unicode};
    let as_type = |value: Physical, to: ArrowType| -> Physical { Arc::new(CastExpr::new(value, to, None)) };
    let text = |value: &str| -> Physical { Arc::new(Literal::new(ScalarValue::Utf8(Some(value.to_owned())))) };
    let mut part = |name: &str| function(datetime::date_part(), vec![text(name), args.swap_remove(0)], schema);
    let fun = match name {
        "year" | "quarter" | "month" | "day" | "hour" | "minute" | "second" => return part(name),
        "weekofyear" => return part("week"),
        "dayofyear" => return part("doy"),
        "dayofweek" => {
            // Spark counts from Sunday = 1, the engine from Sunday = 0.
            let one: Physical = Arc::new(Literal::new(ScalarValue::Int32(Some(1))));
            return Ok(Arc::new(BinaryExpr::new(part("dow")?, Operator::Plus, one)));
        }
        "negative" => return Ok(Arc::new(NegativeExpr::new(args.swap_remove(0)))),
        "concat" => {
            let right = args.pop().unwrap_or_else(|| text(""));
            let left = args.pop().unwrap_or_else(|| text(""));
            return Ok(Arc::new(BinaryExpr::new(left, Operator::StringConcat, right)));
        }
        "length" => return Ok(as_type(function(unicode::character_length(), args, schema)?, ArrowType::Int32)),
        "octet_length" => return Ok(as_type(function(string::octet_length(), args, schema)?, ArrowType::Int32)),
        "right" => {
            let count = args.pop().unwrap_or_else(|| text(""));
            args.push(as_type(count, ArrowType::Int64));
            return Ok(as_type(function(unicode::right(), args, schema)?, ArrowType::Utf8));
        }
        "date_trunc" => kernels::date_trunc(),
        "lower" => string::lower(),
        "upper" => string::upper(),
        "trim" => string::btrim(),
        "ltrim" => string::ltrim(),
        "rtrim" => string::rtrim(),
        "replace" => string::replace(),
        "startswith" => string::starts_with(),
        "endswith" => string::ends_with(),
        "contains" => string::contains(),
        "rlike" => regex::regexp_like(),
        "regexp_replace" => regex::regexp_replace(),
        "substring" => kernels::substring(),
        "abs" => math::abs(),
        "signum" => math::signum(),
        "floor" | "ceil" if matches!(args[0].data_type(schema).map_err(failed)?, ArrowType::Decimal128(..)) => {
            if name == "floor" {
                kernels::decimal_floor()
            } else {
                kernels::decimal_ceil()
            }
        }
        "floor" => math::floor(),
        "ceil" => math::ceil(),
        "greatest" => core::greatest(),
        "least" => core::least(),
        other => {
            let missing = || Error::new(Code::INTERNAL, format!("the function `{other}` has no kernel"));
            kernels::builtin(other, args.len()).ok_or_else(missing)?
        }
    };
    function(fun, args, schema)
}

#[cfg(test)]
#[path = "eval_tests.rs"]
mod tests;
