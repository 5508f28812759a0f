//! What a filter on some columns says about columns that are computed from them. Kind: pure. Spec: SKIP.
//!
//! Invariant: a row for which the filter is TRUE, and whose computed columns hold what their expressions give, fulfils what is implied,
//! in whatever time zone the row was written.

use super::node::{Comparison, Expr, Node};
use super::{BoundExpr, eval};
use crate::schema::{DataType, FieldPath, Scalar, Struct};

/// A column, its type, and the expression that it is computed by.
pub(crate) type Computed = (String, DataType, BoundExpr);

/// No zone is further from UTC, in microseconds. Engines compute days and hours in the zone of their session, which the table does not
/// tell.
const ZONE_MAX: i64 = 18 * 3_600_000_000;
/// Formats whose texts are ordered as their times are, for years of four digits.
const SORTABLE: &[&str] =
    &["yyyy", "yyyy-MM", "yyyy-MM-dd", "yyyy-MM-dd-HH", "yyyy-MM-dd HH", "yyyy-MM-dd HH:mm", "yyyyMM", "yyyyMMdd", "yyyyMMddHH"];

/// What `filter` says about the columns `computed`; `None` when it says nothing.
pub(crate) fn implied(filter: &BoundExpr, schema: &Struct, computed: Vec<Computed>) -> Option<Expr> {
    let terms = match filter.node() {
        Node::And(terms) => terms.as_slice(),
        one => std::slice::from_ref(one),
    };
    let facts: Vec<Fact<'_>> = terms.iter().filter_map(Fact::of).collect();
    let mut found = Vec::new();
    for fact in facts.iter() {
        let Some(data_type) = eval::type_at(schema, fact.column) else { continue };
        for (name, gives, expr) in &computed {
            if reads_only(expr.node(), fact.column) {
                let in_our_era = facts.iter().any(|other| other.column == fact.column && other.is_in_our_era());
                let in_order = in_our_era || !is_format(expr.node());
                found.extend(about(fact, data_type, name, gives, expr.node(), in_order));
            }
        }
        found.extend(calendar(fact, data_type, &computed));
    }
    (!found.is_empty()).then(|| Expr { node: Node::all(found) })
}

/// What one term of a conjunction says about one column.
struct Fact<'a> {
    column: &'a FieldPath,
    says: Says<'a>,
}

enum Says<'a> {
    IsNull,
    /// It is one of these.
    OneOf(Vec<&'a Scalar>),
    /// It is not greater; never null.
    AtMost(&'a Scalar),
    /// It is not less; never null.
    AtLeast(&'a Scalar),
}

impl<'a> Fact<'a> {
    fn of(term: &'a Node) -> Option<Fact<'a>> {
        let literal = |node: &'a Node| match node {
            Node::Literal(value, _) if *value != Scalar::Null => Some(value),
            _ => None,
        };
        let (column, says) = match term {
            Node::IsNull(inner) => (inner, Says::IsNull),
            Node::Compare(op, column, value) => {
                let value = literal(value)?;
                let says = match op {
                    Comparison::Eq | Comparison::NullSafeEq => Says::OneOf(vec![value]),
                    Comparison::Lt | Comparison::LtEq => Says::AtMost(value),
                    Comparison::Gt | Comparison::GtEq => Says::AtLeast(value),
                    Comparison::NotEq => return None,
                };
                (column, says)
            }
            // A NULL in the list makes no row TRUE.
            Node::In(column, list) => (column, Says::OneOf(list.iter().filter_map(literal).collect())),
            _ => return None,
        };
        match column.as_ref() {
            Node::Column(column) => Some(Fact { column, says }),
            _ => None,
        }
    }
}

impl Fact<'_> {
    /// Whether it lets only times after the year 0 pass, in any zone. Years before it have no sign in a format.
    fn is_in_our_era(&self) -> bool {
        const YEAR_1: i64 = -62_135_596_800_000_000;
        let after = |value: &Scalar| match value {
            Scalar::Timestamp(micros) => *micros >= YEAR_1 + 2 * ZONE_MAX,
            Scalar::TimestampNtz(micros) => *micros >= YEAR_1,
            Scalar::Date(day) => i64::from(*day) >= YEAR_1 / 86_400_000_000,
            _ => false,
        };
        match &self.says {
            Says::AtLeast(value) => after(value),
            Says::OneOf(values) => values.iter().all(|value| after(value)),
            Says::AtMost(_) | Says::IsNull => false,
        }
    }
}

fn is_format(node: &Node) -> bool {
    matches!(node, Node::Call(name, _) if name == "date_format")
}

fn reads_only(node: &Node, column: &FieldPath) -> bool {
    let mut only = true;
    node.for_each_column(&mut |path| only &= path == column);
    only
}

fn about(fact: &Fact<'_>, data_type: &DataType, name: &str, gives: &DataType, expr: &Node, in_order: bool) -> Option<Node> {
    // Zeros of two signs and values of two texts are equal, and yet what is computed from them may differ.
    let exact = !matches!(data_type, DataType::Float | DataType::Double);
    let itself = matches!(expr, Node::Column(_));
    let slack = if *data_type == DataType::Timestamp && !itself { ZONE_MAX } else { 0 };
    let column = Node::Column(vec![name.to_owned()]);
    let compare = |op, value: Scalar| column.clone().compare(op, Node::Literal(value, gives.clone()));
    let at = |value: &Scalar, shift: i64| value_of(expr, fact.column, shifted(value, shift)?, data_type);
    let at_least = |value: &Scalar| Some(compare(Comparison::GtEq, at(value, -slack).filter(not_null)?));
    let at_most = |value: &Scalar| Some(compare(Comparison::LtEq, at(value, slack).filter(not_null)?));
    let or_null = |node: Node| Node::any([node, column.clone().null_test()].into_iter().chain(beyond_four_digits(expr, &column, gives)));
    match &fact.says {
        Says::IsNull => Some(compare(Comparison::NullSafeEq, at(&Scalar::Null, 0)?)),
        Says::OneOf(values) if slack == 0 && exact => {
            let each = values.iter().map(|v| Some(compare(Comparison::NullSafeEq, at(v, 0)?))).collect::<Option<Vec<_>>>()?;
            Some(Node::any(each))
        }
        _ if !in_order || !rises(expr) => None,
        Says::OneOf(values) => {
            let each = values.iter().map(|v| Some(Node::all([at_least(v)?, at_most(v)?]))).collect::<Option<Vec<_>>>()?;
            Some(or_null(Node::any(each)))
        }
        Says::AtMost(value) => Some(or_null(at_most(value)?)),
        Says::AtLeast(value) => Some(or_null(at_least(value)?)),
    }
}

fn not_null(value: &Scalar) -> bool {
    *value != Scalar::Null
}

/// A time so many microseconds later.
fn shifted(value: &Scalar, micros: i64) -> Option<Scalar> {
    match value {
        Scalar::Timestamp(v) => v.checked_add(micros).map(Scalar::Timestamp),
        other => Some(other.clone()),
    }
}

/// What `expr` gives for a value of the only column that it reads.
fn value_of(expr: &Node, column: &FieldPath, value: Scalar, data_type: &DataType) -> Option<Scalar> {
    let replaced = expr.replaced(column, &Node::Literal(value, data_type.clone()));
    eval::constant(&replaced).ok()
}

/// Whether a node over one column never falls where the column rises.
fn rises(node: &Node) -> bool {
    match node {
        Node::Column(_) => true,
        Node::Cast { value, to, lenient: false } => {
            matches!(to, DataType::Date | DataType::Timestamp | DataType::TimestampNtz) && rises_in_time(value)
        }
        Node::Call(name, args) => match (name.as_str(), args.as_slice()) {
            ("year", [time]) => rises_in_time(time),
            ("date_trunc", [unit, time]) | ("trunc", [time, unit]) => unit.is_literal() && rises_in_time(time),
            ("date_format", [time, Node::Literal(Scalar::String(format), _)]) => SORTABLE.contains(&format.as_str()) && rises_in_time(time),
            ("substring", [text, Node::Literal(Scalar::Integer(0 | 1), _), Node::Literal(Scalar::Integer(_), _)]) => {
                matches!(text, Node::Column(_))
            }
            _ => false,
        },
        _ => false,
    }
}

/// `rises` of a date or a time: text in front of a cast is not ordered as the times are.
fn rises_in_time(node: &Node) -> bool {
    match node {
        Node::Column(_) => true,
        Node::Call(name, _) if name == "date_format" || name == "substring" => false,
        other => rises(other),
    }
}

/// Texts of years that are not of four digits begin with a sign, and are in no order.
fn beyond_four_digits(expr: &Node, column: &Node, gives: &DataType) -> Option<Node> {
    is_format(expr).then(|| column.clone().compare(Comparison::Lt, Node::Literal(Scalar::String("0".to_owned()), gives.clone())))
}

/// What follows for year, month, day and hour of a time together, as far as each is computed and all above it are.
fn calendar(fact: &Fact<'_>, data_type: &DataType, computed: &[Computed]) -> Option<Node> {
    let part = |wanted: &str| {
        computed.iter().find(|(_, _, expr)| {
            matches!(expr.node(), Node::Call(name, args) if name == wanted && matches!(args.as_slice(), [Node::Column(path)] if path == fact.column))
        })
    };
    let parts: Vec<&Computed> = ["year", "month", "day", "hour"].iter().map_while(|name| part(name)).collect();
    if parts.len() < 2 || !matches!(data_type, DataType::Date | DataType::Timestamp | DataType::TimestampNtz) {
        return None;
    }
    let slack = if *data_type == DataType::Timestamp { ZONE_MAX } else { 0 };
    // (a, b, c) compared in order: a beyond, or a equal and b beyond, …, or all equal.
    let bound = |value: &Scalar, op: Comparison, slack: i64| -> Option<Node> {
        let value = shifted(value, slack)?;
        let mut equal: Vec<Node> = Vec::new();
        let mut any = Vec::new();
        for (name, gives, expr) in &parts {
            let limit = value_of(expr.node(), fact.column, value.clone(), data_type).filter(not_null)?;
            let column = Node::Column(vec![name.clone()]);
            let literal = Node::Literal(limit, gives.clone());
            any.push(Node::all(equal.iter().cloned().chain([column.clone().compare(op, literal.clone())])));
            any.push(column.clone().null_test());
            equal.push(column.compare(Comparison::Eq, literal));
        }
        any.push(Node::all(equal));
        Some(Node::any(any))
    };
    let at_least = |value: &Scalar| bound(value, Comparison::Gt, -slack);
    let at_most = |value: &Scalar| bound(value, Comparison::Lt, slack);
    match &fact.says {
        Says::AtLeast(value) => at_least(value),
        Says::AtMost(value) => at_most(value),
        Says::OneOf(values) if slack > 0 => {
            let each = values.iter().map(|v| Some(Node::all([at_least(v)?, at_most(v)?]))).collect::<Option<Vec<_>>>()?;
            Some(Node::any(each))
        }
        _ => None,
    }
}

#[cfg(test)]
#[path = "implied_tests.rs"]
mod tests;
