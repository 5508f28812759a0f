//! Expressions over two tables at once: whose column a name means, and what of a condition concerns which table. Kind: pure. Spec: MRG.
//!
//! A resolved expression reads the columns of the joint schema: those of the target under their own names, those of the source under
//! joint names, which no target column has. Invariant: a name that could mean columns of both tables is refused.

use super::bind;
use super::eval::BoundExpr;
use super::node::{Comparison, Expr, Node};
use crate::error::{Code, Error, Result};
use crate::schema::{DataType, Field, FieldPath, Scalar, Struct};

/// One of the two tables.
#[derive(Clone, Debug)]
pub(crate) struct Side {
    pub alias: String,
    pub schema: Struct,
}

/// Target and source, as expressions see them.
#[derive(Clone, Debug)]
pub(crate) struct Sides {
    pub target: Side,
    pub source: Side,
    /// What stands before a source column in its joint name.
    prefix: String,
}

/// Which tables an expression may read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sight {
    Both,
    Target,
    Source,
}

/// An equality between a value of the target and one of the source, over the joint schema, in one type.
#[derive(Clone, Debug)]
pub(crate) struct Equality {
    /// As it was written, over the target alone.
    pub target_value: Expr,
    pub target: BoundExpr,
    pub source: BoundExpr,
    /// Whether null equals null.
    pub null_safe: bool,
}

impl Side {
    fn is_called(&self, name: &str) -> bool {
        self.alias.to_lowercase() == name.to_lowercase()
    }
    fn has(&self, column: &str) -> bool {
        self.schema.index_of(column).is_some()
    }
}

impl Sides {
    /// `LB-EXPR` when both have one name.
    pub fn new(target: Side, source: Side) -> Result<Sides> {
        if target.is_called(&source.alias) {
            return Err(Error::new(Code::EXPR, format!("target and source are both called `{}`", source.alias))
                .help("give the source another name"));
        }
        let mut prefix = format!("{}.", source.alias);
        while target.schema.fields.iter().any(|f| f.name.to_lowercase().starts_with(&prefix.to_lowercase())) {
            prefix.insert(0, '_');
        }
        Ok(Sides { target, source, prefix })
    }
    /// The joint name of a source column.
    pub fn joint_name(&self, source_column: &str) -> String {
        format!("{}{source_column}", self.prefix)
    }
    /// The source's column of a joint name.
    pub fn source_column<'a>(&self, joint: &'a str) -> Option<&'a str> {
        joint.strip_prefix(self.prefix.as_str())
    }
    /// All columns of the target, then all of the source under their joint names.
    pub fn joint(&self) -> Struct {
        let source = self.source.schema.fields.iter().map(|f| Field { name: self.joint_name(&f.name), ..f.clone() });
        Struct { fields: self.target.schema.fields.iter().cloned().chain(source).collect() }
    }
    /// The expression with every name replaced by the one column that it means. `LB-EXPR` for names that mean none or several.
    pub fn resolve(&self, expr: &Expr, sight: Sight) -> Result<Expr> {
        let mut node = expr.node.clone();
        let mut failure = None;
        node.for_each_column_mut(&mut |path| match self.column(path, sight) {
            Ok(found) => *path = found,
            Err(e) => failure = failure.take().or(Some(e)),
        });
        failure.map_or(Ok(Expr { node }), Err)
    }
    /// The source column of this name, as a resolved expression.
    pub fn source_value(&self, column: &str) -> Expr {
        Expr { node: Node::Column(vec![self.joint_name(column)]) }
    }
    /// A column of the target that is assigned to, without the target's name before it.
    pub fn assigned(&self, path: &FieldPath) -> FieldPath {
        match path.as_slice() {
            [first, rest @ ..] if !rest.is_empty() && self.target.is_called(first) => rest.to_vec(),
            _ => path.clone(),
        }
    }

    fn column(&self, path: &FieldPath, sight: Sight) -> Result<FieldPath> {
        let in_target = |path: &[String]| path.to_vec();
        let in_source = |path: &[String]| {
            let own = self.source.schema.field(&path[0]).map_or(&path[0], |f| &f.name);
            let mut joint = path.to_vec();
            joint[0] = self.joint_name(own);
            joint
        };
        let whole = path.join(".");
        let (sees_target, sees_source) = (sight != Sight::Source, sight != Sight::Target);
        let Some((first, rest)) = path.split_first() else { return Err(Error::new(Code::EXPR, "a column has no name")) };
        // A table's name before a column goes before a column of that name with a field.
        if let Some(second) = rest.first() {
            if sees_target && self.target.is_called(first) && self.target.has(second) {
                return Ok(in_target(rest));
            }
            if sees_source && self.source.is_called(first) && self.source.has(second) {
                return Ok(in_source(rest));
            }
        }
        match (sees_target && self.target.has(first), sees_source && self.source.has(first)) {
            (true, true) => {
                Err(Error::new(Code::EXPR, format!("`{whole}` could be a column of `{}` or of `{}`", self.target.alias, self.source.alias))
                    .with("column", &whole)
                    .help(format!("write `{}.{whole}` or `{}.{whole}`", self.target.alias, self.source.alias)))
            }
            (true, false) => Ok(in_target(path)),
            (false, true) => Ok(in_source(path)),
            (false, false) => Err(self.unknown(path, sight)),
        }
    }

    fn unknown(&self, path: &FieldPath, sight: Sight) -> Error {
        let whole = path.join(".");
        let hidden = |side: &Side, other: Sight| {
            sight == other && (side.is_called(&path[0]) && path.get(1).is_some_and(|c| side.has(c)) || side.has(&path[0]))
        };
        if hidden(&self.source, Sight::Target) {
            return Error::new(Code::EXPR, format!("`{whole}` is a column of the source, which has no row here")).with("column", whole);
        }
        if hidden(&self.target, Sight::Source) {
            return Error::new(Code::EXPR, format!("`{whole}` is a column of the target, which has no row here")).with("column", whole);
        }
        let mut names = Vec::new();
        for (side, seen) in [(&self.target, sight != Sight::Source), (&self.source, sight != Sight::Target)] {
            if seen {
                names.extend(side.schema.fields.iter().map(|f| format!("{}.{}", side.alias, f.name)));
            }
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        Error::new(Code::EXPR, format!("there is no column `{whole}`")).with("column", &whole).help(bind::near(&whole, &names))
    }

    /// The parts of a resolved condition that must all be TRUE, those first that read the target alone; constants count as such.
    pub fn conjuncts(&self, resolved: &Expr) -> (Vec<Expr>, Vec<Expr>) {
        let terms = match &resolved.node {
            Node::And(terms) => terms.clone(),
            other => vec![other.clone()],
        };
        terms.into_iter().map(|node| Expr { node }).partition(|e| !self.reads(&e.node).1)
    }
    /// Whether target and source columns are read.
    fn reads(&self, node: &Node) -> (bool, bool) {
        let mut reads = (false, false);
        node.for_each_column(&mut |path| {
            let source = self.source_column(&path[0]).is_some();
            reads.0 |= !source;
            reads.1 |= source;
        });
        reads
    }
    /// The resolved conjunct as an equality between a value of each table; `None` when it is something else.
    pub fn equality(&self, conjunct: &Expr, joint: &Struct) -> Result<Option<Equality>> {
        let Node::Compare(op @ (Comparison::Eq | Comparison::NullSafeEq), a, b) = &conjunct.node else { return Ok(None) };
        let target_left = match (self.reads(a), self.reads(b)) {
            ((true, false), (false, true)) => true,
            ((false, true), (true, false)) => false,
            _ => return Ok(None),
        };
        let Node::Compare(bound_op, x, y) = bind::bind(&conjunct.node, joint)?.0 else { return Ok(None) };
        if bound_op != *op || self.reads(&x) != self.reads(a) {
            return Ok(None);
        }
        let (value, x, y) = if target_left { (a, x, y) } else { (b, y, x) };
        Ok(Some(Equality {
            target_value: Expr { node: value.as_ref().clone() },
            target: BoundExpr::of(*x, joint)?,
            source: BoundExpr::of(*y, joint)?,
            null_safe: *op == Comparison::NullSafeEq,
        }))
    }
}

/// A literal of a known type.
pub(crate) fn typed_literal(value: Scalar, data_type: &DataType) -> Expr {
    Expr { node: Node::Literal(value, data_type.clone()) }
}

impl Expr {
    /// Its SQL text as it was written.
    pub(crate) fn text(&self) -> String {
        self.node.to_string()
    }
}

#[cfg(test)]
#[path = "sides_tests.rs"]
mod tests;
