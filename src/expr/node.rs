//! The expression tree and its builders. Kind: shape. Spec: EXP.
//!
//! `And` and `Or` hold any number of terms, so long chains stay flat and no walk over a tree goes deeper than `DEPTH_MAX`.

use super::parse;
use crate::error::Result;
use crate::schema::{DataType, FieldPath, Scalar};

/// How deep an expression may nest.
pub(super) const DEPTH_MAX: usize = 64;
/// How many terms the text of an expression may have; the elements of an `IN` list do not count.
pub(super) const TERMS_MAX: usize = 10_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Eq,
    NotEq,
    Lt,
    LtEq,
    Gt,
    GtEq,
    /// `<=>`: null equals null, and the answer is never null.
    NullSafeEq,
}

impl Comparison {
    /// The comparison that says the same with its sides exchanged.
    pub fn flipped(self) -> Self {
        match self {
            Comparison::Lt => Comparison::Gt,
            Comparison::LtEq => Comparison::GtEq,
            Comparison::Gt => Comparison::Lt,
            Comparison::GtEq => Comparison::LtEq,
            same => same,
        }
    }
    /// The comparison that is true where this is false; `<=>` has none.
    pub fn negated(self) -> Option<Self> {
        Some(match self {
            Comparison::Eq => Comparison::NotEq,
            Comparison::NotEq => Comparison::Eq,
            Comparison::Lt => Comparison::GtEq,
            Comparison::LtEq => Comparison::Gt,
            Comparison::Gt => Comparison::LtEq,
            Comparison::GtEq => Comparison::Lt,
            Comparison::NullSafeEq => return None,
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    Column(FieldPath),
    Literal(Scalar, DataType),
    Compare(Comparison, Box<Node>, Box<Node>),
    Arithmetic(Arithmetic, Box<Node>, Box<Node>),
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
    IsNull(Box<Node>),
    In(Box<Node>, Vec<Node>),
    /// `escape` is the character that makes `%` and `_` stand for themselves.
    Like {
        value: Box<Node>,
        pattern: Box<Node>,
        escape: char,
        ignore_case: bool,
    },
    /// Conditions with their values, then the value when none is true.
    Case(Vec<(Node, Node)>, Option<Box<Node>>),
    /// `lenient`: what does not convert is null instead of an error.
    Cast {
        value: Box<Node>,
        to: DataType,
        lenient: bool,
    },
    Call(String, Vec<Node>),
}

impl Node {
    pub fn null(data_type: DataType) -> Node {
        Node::Literal(Scalar::Null, data_type)
    }
    pub fn bool(value: bool) -> Node {
        Node::Literal(Scalar::Boolean(value), DataType::Boolean)
    }
    pub fn is_literal(&self) -> bool {
        matches!(self, Node::Literal(..))
    }
    pub fn is_null_literal(&self) -> bool {
        matches!(self, Node::Literal(Scalar::Null, _))
    }
    pub fn compare(self, op: Comparison, other: Node) -> Node {
        Node::Compare(op, Box::new(self), Box::new(other))
    }
    /// `NOT self`.
    pub fn negate(self) -> Node {
        Node::Not(Box::new(self))
    }
    pub fn null_test(self) -> Node {
        Node::IsNull(Box::new(self))
    }
    pub fn cast(self, to: DataType) -> Node {
        Node::Cast { value: Box::new(self), to, lenient: false }
    }
    /// A conjunction, flattened.
    pub fn all(terms: impl IntoIterator<Item = Node>) -> Node {
        let mut flat = Vec::new();
        for term in terms {
            match term {
                Node::And(inner) => flat.extend(inner),
                other => flat.push(other),
            }
        }
        if flat.len() == 1 { flat.swap_remove(0) } else { Node::And(flat) }
    }
    /// A disjunction, flattened.
    pub fn any(terms: impl IntoIterator<Item = Node>) -> Node {
        let mut flat = Vec::new();
        for term in terms {
            match term {
                Node::Or(inner) => flat.extend(inner),
                other => flat.push(other),
            }
        }
        if flat.len() == 1 { flat.swap_remove(0) } else { Node::Or(flat) }
    }
    /// The same tree with a column replaced by another node.
    pub fn replaced(&self, column: &FieldPath, by: &Node) -> Node {
        let below = |n: &Node| n.replaced(column, by);
        let boxed = |n: &Node| Box::new(n.replaced(column, by));
        let all = |nodes: &[Node]| nodes.iter().map(below).collect::<Vec<_>>();
        match self {
            Node::Column(path) if path == column => by.clone(),
            Node::Column(_) | Node::Literal(..) => self.clone(),
            Node::Compare(op, a, b) => Node::Compare(*op, boxed(a), boxed(b)),
            Node::Arithmetic(op, a, b) => Node::Arithmetic(*op, boxed(a), boxed(b)),
            Node::And(terms) => Node::And(all(terms)),
            Node::Or(terms) => Node::Or(all(terms)),
            Node::Call(name, args) => Node::Call(name.clone(), all(args)),
            Node::Not(a) => Node::Not(boxed(a)),
            Node::IsNull(a) => Node::IsNull(boxed(a)),
            Node::Cast { value, to, lenient } => Node::Cast { value: boxed(value), to: to.clone(), lenient: *lenient },
            Node::In(a, list) => Node::In(boxed(a), all(list)),
            Node::Like { value, pattern, escape, ignore_case } => {
                Node::Like { value: boxed(value), pattern: boxed(pattern), escape: *escape, ignore_case: *ignore_case }
            }
            Node::Case(branches, otherwise) => {
                Node::Case(branches.iter().map(|(w, t)| (below(w), below(t))).collect(), otherwise.as_deref().map(boxed))
            }
        }
    }
    /// Calls `f` with every column that the tree reads.
    pub fn for_each_column<'a>(&'a self, f: &mut impl FnMut(&'a FieldPath)) {
        match self {
            Node::Column(path) => f(path),
            Node::Literal(..) => {}
            Node::Compare(_, a, b) | Node::Arithmetic(_, a, b) => {
                a.for_each_column(f);
                b.for_each_column(f);
            }
            Node::And(terms) | Node::Or(terms) | Node::Call(_, terms) => terms.iter().for_each(|t| t.for_each_column(f)),
            Node::Not(a) | Node::IsNull(a) | Node::Cast { value: a, .. } => a.for_each_column(f),
            Node::In(a, list) => {
                a.for_each_column(f);
                list.iter().for_each(|t| t.for_each_column(f));
            }
            Node::Like { value, pattern, .. } => {
                value.for_each_column(f);
                pattern.for_each_column(f);
            }
            Node::Case(branches, otherwise) => {
                for (when, then) in branches {
                    when.for_each_column(f);
                    then.for_each_column(f);
                }
                if let Some(otherwise) = otherwise {
                    otherwise.for_each_column(f);
                }
            }
        }
    }
    /// The same, to change them.
    pub fn for_each_column_mut(&mut self, f: &mut impl FnMut(&mut FieldPath)) {
        match self {
            Node::Column(path) => f(path),
            Node::Literal(..) => {}
            Node::Compare(_, a, b) | Node::Arithmetic(_, a, b) => {
                a.for_each_column_mut(f);
                b.for_each_column_mut(f);
            }
            Node::And(terms) | Node::Or(terms) | Node::Call(_, terms) => terms.iter_mut().for_each(|t| t.for_each_column_mut(f)),
            Node::Not(a) | Node::IsNull(a) | Node::Cast { value: a, .. } => a.for_each_column_mut(f),
            Node::In(a, list) => {
                a.for_each_column_mut(f);
                list.iter_mut().for_each(|t| t.for_each_column_mut(f));
            }
            Node::Like { value, pattern, .. } => {
                value.for_each_column_mut(f);
                pattern.for_each_column_mut(f);
            }
            Node::Case(branches, otherwise) => {
                for (when, then) in branches {
                    when.for_each_column_mut(f);
                    then.for_each_column_mut(f);
                }
                if let Some(otherwise) = otherwise {
                    otherwise.for_each_column_mut(f);
                }
            }
        }
    }
}

/// An expression over the columns of a table, not yet bound to one.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    pub(super) node: Node,
}

/// A column by name (`a`, `a.b`, `` `odd name` ``).
pub fn col(name: &str) -> Expr {
    Expr { node: Node::Column(parse::column_path(name)) }
}

/// The top-level column of exactly this name.
pub(crate) fn column(name: &str) -> Expr {
    Expr { node: Node::Column(vec![name.to_owned()]) }
}

/// A literal.
pub fn lit(value: impl Into<Scalar>) -> Expr {
    let value = value.into();
    let data_type = type_of(&value);
    Expr { node: Node::Literal(value, data_type) }
}

pub(super) fn type_of(value: &Scalar) -> DataType {
    match value {
        Scalar::Null => DataType::Void,
        Scalar::String(_) => DataType::String,
        Scalar::Long(_) => DataType::Long,
        Scalar::Integer(_) => DataType::Integer,
        Scalar::Short(_) => DataType::Short,
        Scalar::Byte(_) => DataType::Byte,
        Scalar::Float(_) => DataType::Float,
        Scalar::Double(_) => DataType::Double,
        Scalar::Decimal { precision, scale, .. } => DataType::Decimal { precision: *precision, scale: *scale },
        Scalar::Boolean(_) => DataType::Boolean,
        Scalar::Binary(_) => DataType::Binary,
        Scalar::Date(_) => DataType::Date,
        Scalar::Timestamp(_) => DataType::Timestamp,
        Scalar::TimestampNtz(_) => DataType::TimestampNtz,
    }
}

macro_rules! comparisons {
    ($($(#[$doc:meta])* $name:ident = $op:ident;)*) => {
        $($(#[$doc])* pub fn $name(self, other: Expr) -> Expr {
            Expr { node: self.node.compare(Comparison::$op, other.node) }
        })*
    };
}

#[allow(clippy::should_implement_trait)] // `not` reads as SQL; `!` is not offered
impl Expr {
    /// Whether it is one value, whatever the row.
    pub(crate) fn is_literal(&self) -> bool {
        self.node.is_literal()
    }
    /// Parses SQL text of Spark's dialect. `LB-EXPR` with the position when it does not parse, `LB-LIMIT` when it nests deeper than
    /// 64 levels or has more than 10,000 terms.
    pub fn sql(text: &str) -> Result<Expr> {
        Ok(Expr { node: parse::expression(text)? })
    }
    /// The paths that the expression names as columns.
    pub(crate) fn column_paths(&self) -> Vec<FieldPath> {
        let mut paths = Vec::new();
        self.node.for_each_column(&mut |path| paths.push(path.clone()));
        paths
    }
    comparisons! {
        /// `self = other`.
        eq = Eq;
        /// `self <> other`.
        not_eq = NotEq;
        /// `self < other`.
        lt = Lt;
        /// `self <= other`.
        lt_eq = LtEq;
        /// `self > other`.
        gt = Gt;
        /// `self >= other`.
        gt_eq = GtEq;
        /// `self <=> other`: null equals null.
        null_safe_eq = NullSafeEq;
    }
    /// `self AND other`.
    pub fn and(self, other: Expr) -> Expr {
        Expr { node: Node::all([self.node, other.node]) }
    }
    /// `self OR other`.
    pub fn or(self, other: Expr) -> Expr {
        Expr { node: Node::any([self.node, other.node]) }
    }
    /// `NOT self`.
    pub fn not(self) -> Expr {
        Expr { node: self.node.negate() }
    }
    /// `CAST(self AS to)`.
    pub(crate) fn cast(&self, to: &DataType) -> Expr {
        Expr { node: self.node.clone().cast(to.clone()) }
    }
    /// Whether this is the word DEFAULT alone, which stands for a column's default where no column is called so.
    pub(crate) fn is_default(&self) -> bool {
        matches!(&self.node, Node::Column(path) if matches!(path.as_slice(), [name] if name.eq_ignore_ascii_case("default")))
    }
    /// The path of a column; `None` for any other expression.
    pub(crate) fn into_path(self) -> Option<FieldPath> {
        if let Node::Column(path) = self.node { Some(path) } else { None }
    }
    /// `self IS NULL`.
    pub fn is_null(self) -> Expr {
        Expr { node: self.node.null_test() }
    }
    /// `self IS NOT NULL`.
    pub fn is_not_null(self) -> Expr {
        Expr { node: self.node.null_test().negate() }
    }
    /// `self IN (…)`; an empty list matches nothing.
    pub fn in_list(self, list: impl IntoIterator<Item = Expr>) -> Expr {
        Expr { node: Node::In(Box::new(self.node), list.into_iter().map(|e| e.node).collect()) }
    }
    /// `self BETWEEN low AND high`.
    pub fn between(self, low: Expr, high: Expr) -> Expr {
        self.clone().gt_eq(low).and(self.lt_eq(high))
    }
    /// `self LIKE pattern`, with `\` as the escape character.
    pub fn like(self, pattern: &str) -> Expr {
        let pattern = Node::Literal(Scalar::String(pattern.to_owned()), DataType::String);
        Expr { node: Node::Like { value: Box::new(self.node), pattern: Box::new(pattern), escape: '\\', ignore_case: false } }
    }
}
