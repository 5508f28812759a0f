//! "Can this container of rows match?" over columnar statistics. Kind: pure. Spec: SKIP.
//!
//! A predicate becomes a tree of tests, with negations pushed down to the comparisons (which keeps nulls null), so that every test
//! asks only "can this be TRUE for some row?". Invariant: what is unknown, or not understood, counts as yes.

use super::node::{Comparison, Node};
use super::{BoundExpr, eval, kernels};
use crate::error::Result;
use crate::schema::{DataType, FieldPath, Scalar, Struct};
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Scalar as ArrowScalar, UInt64Array, make_comparator};
use arrow::buffer::BooleanBuffer;
use arrow::compute::kernels::cmp;
use arrow::compute::{SortOptions, nullif, sort, starts_with};
use arrow::datatypes::{Float32Type, Float64Type};
use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

/// A list with more values is searched by halves instead of value by value.
const LIST_SCANNED_MAX: usize = 8;

/// Statistics of many containers (files, row groups, pages), one row each. Everything may be unknown (`None`, or null in a row).
pub trait ColumnStats {
    /// How many containers.
    fn containers(&self) -> usize;
    /// A value that is <= every non-null value of the leaf column (NaN aside), in the column's Arrow type.
    fn min(&self, column: &FieldPath) -> Option<ArrayRef>;
    /// A value that is >= every non-null value (NaN aside).
    fn max(&self, column: &FieldPath) -> Option<ArrayRef>;
    /// How many values are null; null where that is not exactly known.
    fn null_count(&self, column: &FieldPath) -> Option<UInt64Array>;
    /// How many rows.
    fn row_count(&self) -> Option<UInt64Array>;
    /// Where the column may hold this value (an array of one row), as a bloom filter knows it.
    fn may_contain(&self, column: &FieldPath, value: &ArrayRef) -> Option<BooleanBuffer> {
        let _ = (column, value);
        None
    }
}

/// A predicate turned into a test over statistics.
#[derive(Clone, Debug)]
pub struct Pruner {
    test: Test,
    columns: Vec<FieldPath>,
}

#[derive(Clone, Debug)]
enum Test {
    Constant(bool),
    All(Vec<Test>),
    Any(Vec<Test>),
    Compare(Leaf, Comparison, ArrayRef),
    /// Sorted values without nulls.
    In(Leaf, ArrayRef),
    /// The text begins with this.
    Prefix(Leaf, String),
    /// The text is there and does not begin with this.
    NotPrefix(Leaf, String),
    IsNull(FieldPath),
    IsNotNull(FieldPath),
}

type Bound = Arc<dyn Fn(&ArrayRef) -> Result<ArrayRef> + Send + Sync>;

/// A column, or a function of one that never falls where the column rises.
#[derive(Clone)]
struct Leaf {
    column: FieldPath,
    function: Option<Bound>,
    /// Floating statistics do not show NaN.
    float: bool,
}

impl Leaf {
    /// Equal values have equal bytes.
    fn is_exact(&self) -> bool {
        self.function.is_none() && !self.float
    }
}

impl fmt::Debug for Leaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.column.join("."), if self.function.is_some() { " (a function of it)" } else { "" })
    }
}

impl Pruner {
    /// Prepares the test. Parts of the predicate that statistics cannot decide count as "may match".
    pub fn new(filter: &BoundExpr, schema: &Struct) -> Result<Pruner> {
        if !matches!(filter.data_type(), DataType::Boolean | DataType::Void) {
            return Err(eval::not_a_condition(filter.node(), filter.data_type()));
        }
        let test = Builder { schema }.test(filter.node(), true);
        let mut columns = Vec::new();
        test.columns(&mut columns);
        Ok(Pruner { test, columns })
    }
    /// Leaf columns (logical paths) whose statistics the test reads. Empty: it keeps everything, or nothing.
    pub fn columns(&self) -> &[FieldPath] {
        &self.columns
    }
    /// Those of them that are compared for equality, so that `ColumnStats::may_contain` may be asked.
    pub fn looked_up(&self) -> Vec<&FieldPath> {
        let mut out = Vec::new();
        self.test.looked_up(&mut out);
        out
    }
    /// One value a container: false only if no row in it can match. Cost: a few passes over the statistics of each comparison.
    pub fn keep(&self, stats: &dyn ColumnStats) -> Result<BooleanArray> {
        let run = Run { stats, containers: stats.containers() };
        Ok(BooleanArray::new(run.test(&self.test)?, None))
    }
}

impl Test {
    fn looked_up<'a>(&'a self, out: &mut Vec<&'a FieldPath>) {
        match self {
            Test::All(tests) | Test::Any(tests) => tests.iter().for_each(|t| t.looked_up(out)),
            Test::Compare(leaf, Comparison::Eq, _) | Test::In(leaf, _) if leaf.is_exact() => out.push(&leaf.column),
            _ => {}
        }
    }
    fn columns(&self, out: &mut Vec<FieldPath>) {
        let mut add = |path: &FieldPath| {
            if !out.contains(path) {
                out.push(path.clone());
            }
        };
        match self {
            Test::Constant(_) => {}
            Test::All(tests) | Test::Any(tests) => tests.iter().for_each(|t| t.columns(out)),
            Test::Compare(leaf, ..) | Test::In(leaf, _) | Test::Prefix(leaf, _) | Test::NotPrefix(leaf, _) => add(&leaf.column),
            Test::IsNull(path) | Test::IsNotNull(path) => add(path),
        }
    }
}

struct Builder<'a> {
    schema: &'a Struct,
}

impl Builder<'_> {
    /// The test "can `node` be TRUE" (or FALSE, when `wanted` is false).
    fn test(&self, node: &Node, wanted: bool) -> Test {
        match (node, wanted) {
            (Node::Literal(Scalar::Boolean(v), _), _) => Test::Constant(*v == wanted),
            (Node::Literal(Scalar::Null, _), _) => Test::Constant(false),
            (Node::Not(inner), _) => self.test(inner, !wanted),
            (Node::And(terms), true) | (Node::Or(terms), false) => all(terms.iter().map(|t| self.test(t, wanted))),
            (Node::Or(terms), true) | (Node::And(terms), false) => any(terms.iter().map(|t| self.test(t, wanted))),
            (Node::IsNull(inner), _) => match (inner.as_ref(), wanted) {
                (Node::Column(path), true) if self.is_leaf(path) => Test::IsNull(path.clone()),
                (Node::Column(path), false) if self.is_leaf(path) => Test::IsNotNull(path.clone()),
                _ => Test::Constant(true),
            },
            (Node::Column(_), _) => self.compare(node, Comparison::Eq, &Scalar::Boolean(wanted), &DataType::Boolean),
            (Node::Compare(op, value, literal), _) => self.comparison(*op, value, literal, wanted),
            (Node::In(value, list), _) => self.list(value, list, wanted),
            (Node::Like { value, pattern, escape, ignore_case: false }, _) => match pattern.as_ref() {
                Node::Literal(Scalar::String(pattern), _) => self.like(value, pattern, *escape, wanted),
                _ => Test::Constant(true),
            },
            (Node::Call(name, args), _) if name == "startswith" => match args.as_slice() {
                [value, Node::Literal(Scalar::String(prefix), _)] => self.prefix(value, prefix.clone(), wanted),
                _ => Test::Constant(true),
            },
            _ => Test::Constant(true),
        }
    }

    fn comparison(&self, op: Comparison, value: &Node, literal: &Node, wanted: bool) -> Test {
        let Node::Literal(literal, data_type) = literal else { return Test::Constant(true) };
        match (op, literal) {
            // `p <=> TRUE` is how `p IS TRUE` is spelled; what is not TRUE is FALSE or NULL.
            (Comparison::NullSafeEq, Scalar::Boolean(v)) if wanted => self.test(value, *v),
            (Comparison::NullSafeEq, Scalar::Boolean(v)) => any([self.test(value, !*v), self.nullable(value)]),
            (Comparison::NullSafeEq, Scalar::Null) => Test::Constant(true),
            (Comparison::NullSafeEq, _) if wanted => self.compare(value, Comparison::Eq, literal, data_type),
            (Comparison::NullSafeEq, _) => match value {
                Node::Column(path) if self.is_leaf(path) => {
                    any([self.compare(value, Comparison::NotEq, literal, data_type), Test::IsNull(path.clone())])
                }
                _ => Test::Constant(true),
            },
            (_, Scalar::Null) => Test::Constant(false),
            (op, _) if wanted => self.compare(value, op, literal, data_type),
            (op, _) => match op.negated() {
                Some(op) => self.compare(value, op, literal, data_type),
                None => Test::Constant(true),
            },
        }
    }

    /// The test "can `node` be NULL": only where a column that it reads is, as far as that is known of the node.
    fn nullable(&self, node: &Node) -> Test {
        let all_of = |nodes: &[Node]| any(nodes.iter().map(|n| self.nullable(n)));
        match node {
            Node::Literal(value, _) => Test::Constant(*value == Scalar::Null),
            Node::Column(path) if self.is_leaf(path) => Test::IsNull(path.clone()),
            Node::IsNull(_) | Node::Compare(Comparison::NullSafeEq, ..) => Test::Constant(false),
            Node::Compare(_, a, b) => any([self.nullable(a), self.nullable(b)]),
            Node::And(terms) | Node::Or(terms) => all_of(terms),
            Node::Not(inner) => self.nullable(inner),
            Node::In(value, list) => any([self.nullable(value), all_of(list)]),
            _ => Test::Constant(true),
        }
    }

    fn compare(&self, value: &Node, op: Comparison, literal: &Scalar, data_type: &DataType) -> Test {
        let literal = eval::canonical_literal(&Node::Literal(literal.clone(), data_type.clone()));
        let Node::Literal(literal, data_type) = literal else { return Test::Constant(true) };
        match (self.leaf(value), literal.to_array(&data_type, 1)) {
            (Some(leaf), Ok(literal)) => Test::Compare(leaf, op, literal),
            _ => Test::Constant(true),
        }
    }

    fn list(&self, value: &Node, list: &[Node], wanted: bool) -> Test {
        let literals: Option<Vec<(&Scalar, &DataType)>> =
            list.iter().map(|n| if let Node::Literal(v, t) = n { Some((v, t)) } else { None }).collect();
        let Some(mut literals) = literals else { return Test::Constant(true) };
        let some = literals.len();
        literals.retain(|(v, _)| **v != Scalar::Null);
        match (wanted, literals.first()) {
            // With a null in the list, what is not in it is NULL, never TRUE.
            (false, _) if literals.len() < some => Test::Constant(false),
            (false, _) if literals.len() <= LIST_SCANNED_MAX => {
                all(literals.iter().map(|(v, t)| self.compare(value, Comparison::NotEq, v, t)))
            }
            (false, _) => Test::Constant(true),
            (true, None) => Test::Constant(false),
            (true, Some((_, data_type))) => {
                let nan = |v: &Scalar| matches!(v, Scalar::Double(v) if v.is_nan()) || matches!(v, Scalar::Float(v) if v.is_nan());
                if literals.len() <= LIST_SCANNED_MAX || literals.iter().any(|(v, _)| nan(v)) {
                    return any(literals.iter().map(|(v, t)| self.compare(value, Comparison::Eq, v, t)));
                }
                let arrays: Result<Vec<ArrayRef>> = literals.iter().map(|(v, _)| v.to_array(data_type, 1)).collect();
                let sorted = arrays.ok().and_then(|arrays| {
                    let arrays: Vec<&dyn Array> = arrays.iter().map(|a| a.as_ref()).collect();
                    let all = kernels::canonical(&arrow::compute::concat(&arrays).ok()?);
                    sort(&all, Some(SortOptions { descending: false, nulls_first: true })).ok()
                });
                match (self.leaf(value), sorted) {
                    (Some(leaf), Some(values)) => Test::In(leaf, values),
                    _ => Test::Constant(true),
                }
            }
        }
    }

    fn like(&self, value: &Node, pattern: &str, escape: char, wanted: bool) -> Test {
        let mut prefix = String::new();
        let mut chars = pattern.chars();
        let rest = loop {
            match chars.next() {
                None => {
                    let op = if wanted { Comparison::Eq } else { Comparison::NotEq };
                    return self.compare(value, op, &Scalar::String(prefix), &DataType::String);
                }
                Some(c) if c == escape => match chars.next() {
                    Some(next) => prefix.push(next),
                    None => return Test::Constant(true),
                },
                Some(c @ ('%' | '_')) => break (c, chars.as_str().to_owned()),
                Some(c) => prefix.push(c),
            }
        };
        let only_prefix = rest.0 == '%' && rest.1.chars().all(|c| c == '%');
        if wanted || only_prefix { self.prefix(value, prefix, wanted) } else { Test::Constant(true) }
    }

    fn prefix(&self, value: &Node, prefix: String, wanted: bool) -> Test {
        match (self.leaf(value), wanted) {
            (Some(leaf), true) => Test::Prefix(leaf, prefix),
            (Some(leaf), false) => Test::NotPrefix(leaf, prefix),
            (None, _) => Test::Constant(true),
        }
    }

    fn is_leaf(&self, path: &FieldPath) -> bool {
        eval::type_at(self.schema, path).is_some_and(super::coerce::is_atomic)
    }

    fn leaf(&self, value: &Node) -> Option<Leaf> {
        if let Node::Column(path) = value {
            let data_type = eval::type_at(self.schema, path).filter(|t| super::coerce::is_atomic(t))?;
            return Some(Leaf { column: path.clone(), function: None, float: super::coerce::is_float(data_type) });
        }
        let (column, result) = self.rising(value)?;
        let from = eval::type_at(self.schema, &column)?;
        let function = eval::over_column(value, &column, from).ok()?;
        let float = super::coerce::is_float(from) || super::coerce::is_float(&result);
        Some(Leaf { column, function: Some(Arc::new(function)), float })
    }

    /// The column that a function never falls with, and the type of the function's values; `None` when that is not certain.
    fn rising(&self, value: &Node) -> Option<(FieldPath, DataType)> {
        use DataType::*;
        match value {
            Node::Column(path) => Some((path.clone(), eval::type_at(self.schema, path)?.clone())),
            Node::Cast { value, to, .. } => {
                let (column, from) = self.rising(value)?;
                let rises = match (&from, to) {
                    (Byte, Short | Integer | Long | Double) | (Short, Integer | Long | Double) | (Integer, Long | Double) => true,
                    (Long, Double) | (Float, Double) => true,
                    (Byte | Short | Integer | Long, Decimal { precision, scale }) => precision.saturating_sub(*scale) >= 20,
                    (Decimal { precision: p, scale: s }, Decimal { precision: q, scale: t }) => {
                        t >= s && q.saturating_sub(*t) >= p.saturating_sub(*s)
                    }
                    (Timestamp | TimestampNtz, Date) | (Date, Timestamp | TimestampNtz) => true,
                    (Timestamp, TimestampNtz) | (TimestampNtz, Timestamp) => true,
                    _ => false,
                };
                rises.then_some((column, to.clone()))
            }
            Node::Call(name, args) if name == "year" => {
                let (column, from) = self.rising(args.first()?)?;
                matches!(from, Date | Timestamp | TimestampNtz).then_some((column, Integer))
            }
            _ => None,
        }
    }
}

fn all(tests: impl IntoIterator<Item = Test>) -> Test {
    let mut out = Vec::new();
    for test in tests {
        match test {
            Test::Constant(true) => {}
            Test::Constant(false) => return Test::Constant(false),
            other => out.push(other),
        }
    }
    if out.is_empty() { Test::Constant(true) } else { Test::All(out) }
}

fn any(tests: impl IntoIterator<Item = Test>) -> Test {
    let mut out = Vec::new();
    for test in tests {
        match test {
            Test::Constant(false) => {}
            Test::Constant(true) => return Test::Constant(true),
            other => out.push(other),
        }
    }
    if out.is_empty() { Test::Constant(false) } else { Test::Any(out) }
}

/// One run of a test over the statistics of some containers.
struct Run<'a> {
    stats: &'a dyn ColumnStats,
    containers: usize,
}

impl Run<'_> {
    fn test(&self, test: &Test) -> Result<BooleanBuffer> {
        Ok(match test {
            Test::Constant(true) => BooleanBuffer::new_set(self.containers),
            Test::Constant(false) => BooleanBuffer::new_unset(self.containers),
            Test::All(tests) => {
                let mut out = BooleanBuffer::new_set(self.containers);
                for test in tests {
                    out = &out & &self.test(test)?;
                }
                out
            }
            Test::Any(tests) => {
                let mut out = BooleanBuffer::new_unset(self.containers);
                for test in tests {
                    out = &out | &self.test(test)?;
                }
                out
            }
            Test::IsNull(column) => match self.stats.null_count(column) {
                Some(nulls) => yes_if_unknown(&cmp::neq(&nulls, &UInt64Array::new_scalar(0))?),
                None => BooleanBuffer::new_set(self.containers),
            },
            Test::IsNotNull(column) => self.has_values(column)?,
            Test::Compare(leaf, op, value) => {
                let literal = ArrowScalar::new(Arc::clone(value));
                let mut out = self.has_values(&leaf.column)?;
                if let (Comparison::Eq, true) = (op, leaf.is_exact())
                    && let Some(held) = self.stats.may_contain(&leaf.column, value)
                {
                    out = &out & &held;
                }
                let (min, max) = (self.min(leaf)?, self.max(leaf)?);
                // What NaN satisfies, an upper bound that may not know of NaN cannot rule out.
                let nan = leaf.float && is_nan(literal.clone().into_inner().as_ref());
                let upper = max.as_ref().filter(|_| !leaf.float || (*op == Comparison::Eq && !nan));
                let (lower, upper) = match op {
                    Comparison::Lt => (min.map(|m| cmp::lt(&m, &literal)), None),
                    Comparison::LtEq => (min.map(|m| cmp::lt_eq(&m, &literal)), None),
                    Comparison::Gt => (None, upper.map(|m| cmp::gt(m, &literal))),
                    Comparison::GtEq => (None, upper.map(|m| cmp::gt_eq(m, &literal))),
                    Comparison::Eq => (min.map(|m| cmp::lt_eq(&m, &literal)), upper.map(|m| cmp::gt_eq(m, &literal))),
                    Comparison::NotEq => match (min, upper) {
                        (Some(min), Some(max)) => {
                            let below = yes_if_unknown(&cmp::neq(&min, &literal)?);
                            let above = yes_if_unknown(&cmp::neq(max, &literal)?);
                            return Ok(&out & &(&below | &above));
                        }
                        _ => (None, None),
                    },
                    Comparison::NullSafeEq => (None, None),
                };
                for part in [lower, upper].into_iter().flatten() {
                    out = &out & &yes_if_unknown(&part?);
                }
                out
            }
            Test::In(leaf, values) => {
                let mut out = self.has_values(&leaf.column)?;
                if let (Some(min), Some(max)) = (self.min(leaf)?, self.max(leaf)?) {
                    out = &out & &overlaps(&min, &max, values)?;
                }
                if leaf.is_exact() {
                    let held: Option<Vec<_>> =
                        (0..values.len()).map(|at| self.stats.may_contain(&leaf.column, &values.slice(at, 1))).collect();
                    let any = held.and_then(|held| held.into_iter().reduce(|a, b| &a | &b));
                    out = any.map_or(out.clone(), |held| &out & &held);
                }
                out
            }
            Test::Prefix(leaf, prefix) => {
                let mut out = self.has_values(&leaf.column)?;
                let min = self.min(leaf)?;
                if let Some(max) = self.max(leaf)? {
                    let low = Scalar::String(prefix.clone()).to_array(&DataType::String, 1)?;
                    out = &out & &yes_if_unknown(&cmp::gt_eq(&max, &ArrowScalar::new(low))?);
                }
                if let (Some(min), Some(end)) = (min, after_prefix(prefix)) {
                    let high = Scalar::String(end).to_array(&DataType::String, 1)?;
                    out = &out & &yes_if_unknown(&cmp::lt(&min, &ArrowScalar::new(high))?);
                }
                out
            }
            Test::NotPrefix(leaf, prefix) => {
                let out = self.has_values(&leaf.column)?;
                match (self.min(leaf)?, self.max(leaf)?) {
                    (Some(min), Some(max)) => {
                        let prefix = ArrowScalar::new(Scalar::String(prefix.clone()).to_array(&DataType::String, 1)?);
                        let both = arrow::compute::and(&starts_with(&min, &prefix)?, &starts_with(&max, &prefix)?)?;
                        &out & &yes_if_unknown(&arrow::compute::not(&both)?)
                    }
                    _ => out,
                }
            }
        })
    }

    /// Containers in which the column may have a value that is not null.
    fn has_values(&self, column: &FieldPath) -> Result<BooleanBuffer> {
        match (self.stats.null_count(column), self.stats.row_count()) {
            (Some(nulls), Some(rows)) => Ok(yes_if_unknown(&cmp::lt(&nulls, &rows)?)),
            _ => Ok(BooleanBuffer::new_set(self.containers)),
        }
    }

    fn min(&self, leaf: &Leaf) -> Result<Option<ArrayRef>> {
        let bound = self.bound(leaf, self.stats.min(&leaf.column))?;
        // A minimum of NaN says nothing: writers differ in how they order it.
        match bound {
            Some(bound) if leaf.float => {
                let nan = nan_mask(&bound);
                Ok(Some(nullif(&bound, &nan)?))
            }
            bound => Ok(bound),
        }
    }
    fn max(&self, leaf: &Leaf) -> Result<Option<ArrayRef>> {
        self.bound(leaf, self.stats.max(&leaf.column))
    }
    fn bound(&self, leaf: &Leaf, bound: Option<ArrayRef>) -> Result<Option<ArrayRef>> {
        let Some(bound) = bound else { return Ok(None) };
        let bound = match &leaf.function {
            // A bound that the function refuses (a date out of range) is no bound.
            Some(function) => match function(&bound) {
                Ok(bound) => bound,
                Err(_) => return Ok(None),
            },
            None => bound,
        };
        Ok(Some(kernels::canonical(&bound)))
    }
}

fn yes_if_unknown(mask: &BooleanArray) -> BooleanBuffer {
    match mask.nulls() {
        Some(nulls) => mask.values() | &!nulls.inner(),
        None => mask.values().clone(),
    }
}

fn is_nan(array: &dyn Array) -> bool {
    match array.data_type() {
        arrow::datatypes::DataType::Float64 => array.as_primitive::<Float64Type>().iter().flatten().any(f64::is_nan),
        arrow::datatypes::DataType::Float32 => array.as_primitive::<Float32Type>().iter().flatten().any(f32::is_nan),
        _ => false,
    }
}

fn nan_mask(array: &ArrayRef) -> BooleanArray {
    match array.data_type() {
        arrow::datatypes::DataType::Float64 => BooleanArray::from_unary(array.as_primitive::<Float64Type>(), f64::is_nan),
        arrow::datatypes::DataType::Float32 => BooleanArray::from_unary(array.as_primitive::<Float32Type>(), f32::is_nan),
        _ => BooleanArray::from(vec![false; array.len()]),
    }
}

/// Containers whose range holds one of the sorted values; unknown bounds are open.
fn overlaps(min: &ArrayRef, max: &ArrayRef, values: &ArrayRef) -> Result<BooleanBuffer> {
    let above = make_comparator(values.as_ref(), min.as_ref(), SortOptions::default())?;
    let below = make_comparator(values.as_ref(), max.as_ref(), SortOptions::default())?;
    Ok(BooleanBuffer::collect_bool(min.len(), |row| {
        let first = if min.is_null(row) {
            0
        } else {
            let (mut low, mut high) = (0, values.len());
            while low < high {
                let middle = (low + high) / 2;
                if above(middle, row) == Ordering::Less { low = middle + 1 } else { high = middle }
            }
            low
        };
        first < values.len() && (max.is_null(row) || below(first, row) != Ordering::Greater)
    }))
}

/// The least text that is greater than every text with this prefix; `None` when there is none.
fn after_prefix(prefix: &str) -> Option<String> {
    let mut chars: Vec<char> = prefix.chars().collect();
    while let Some(last) = chars.pop() {
        let next = match last {
            '\u{D7FF}' => Some('\u{E000}'),
            c => char::from_u32(u32::from(c) + 1),
        };
        if let Some(next) = next {
            chars.push(next);
            return Some(chars.into_iter().collect());
        }
    }
    None
}

#[cfg(test)]
#[path = "prune_tests.rs"]
mod tests;
