//! Expression tree + table schema -> typed tree: names resolved, types coerced, constants folded. Kind: pure. Spec: EXP.
//!
//! Invariant: both sides of every comparison in the result have one type, and a literal stands on the right.

use super::coerce::{self, Fit, common_type, fit, is_atomic, is_integer, is_number};
use super::node::{Arithmetic, Comparison, DEPTH_MAX, Node, type_of};
use super::{eval, functions, library};
use crate::env::Timestamp;
use crate::error::{Code, Error, Result};
use crate::schema::{DataType, Field, FieldPath, Scalar, Struct, TextLimit};
use datafusion_common::utils::datafusion_strsim::levenshtein;
use std::collections::HashMap;

/// A bound node and its type.
pub(super) type Typed = (Node, DataType);

/// Binds the `node` of a query to the columns of `schema`.
pub(super) fn bind(node: &Node, schema: &Struct) -> Result<Typed> {
    Binder { schema, now: None, fills: true }.bind(node, 0)
}

/// `bind` where the current time may be asked for: it is `now`.
pub(super) fn bind_at(node: &Node, schema: &Struct, now: Timestamp) -> Result<Typed> {
    Binder { schema, now: Some(now), fills: true }.bind(node, 0)
}

/// Binds the `node` of a rule. `now` is what the current time is, where it may be asked for.
pub(super) fn bind_rule(node: &Node, schema: &Struct, now: Option<Timestamp>) -> Result<Typed> {
    Binder { schema, now, fills: false }.bind(node, 0)
}

/// `bind_rule` to a type that a value of the expression is stored in, where the language converts by itself.
pub(super) fn bind_as(node: &Node, schema: &Struct, to: &DataType, now: Option<Timestamp>) -> Result<Typed> {
    let (node, data_type) = bind_rule(node, schema, now)?;
    if node.is_null_literal() {
        return Ok((Node::null(to.clone()), to.clone()));
    }
    Ok((convert((node, data_type), to)?, to.clone()))
}

struct Binder<'a> {
    schema: &'a Struct,
    now: Option<Timestamp>,
    /// Whether text that is compared with a column of CHAR is filled up to its length, as queries do and rules do not.
    fills: bool,
}

impl Binder<'_> {
    fn bind(&self, node: &Node, depth: usize) -> Result<Typed> {
        if depth > DEPTH_MAX {
            return Err(Error::new(Code::LIMIT, format!("the expression nests too deep; the limit is {DEPTH_MAX}")));
        }
        let below = |n: &Node| self.bind(n, depth + 1);
        let bound = match node {
            Node::Column(path) => return self.column(path),
            Node::Literal(value, data_type) => return Ok((Node::Literal(value.clone(), data_type.clone()), data_type.clone())),
            Node::Compare(op, a, b) => {
                let (left, right) = (below(a)?, below(b)?);
                match (self.char_length(a), self.char_length(b)) {
                    (Some(n), None) => compare_char(*op, left, n, right)?,
                    (None, Some(n)) => compare_char(op.flipped(), right, n, left)?,
                    (Some(n), Some(m)) => compare(*op, filled_to(left, n, m), filled_to(right, m, n))?,
                    (None, None) => compare(*op, left, right)?,
                }
            }
            Node::And(terms) => conjunction(self.predicates(terms, depth)?),
            Node::Or(terms) => disjunction(self.predicates(terms, depth)?),
            Node::Not(inner) => predicate(below(inner)?)?.negate(),
            Node::IsNull(inner) => below(inner)?.0.null_test(),
            Node::In(value, list) => {
                let mut items = list.iter().map(below).collect::<Result<Vec<_>>>()?;
                if let Some(n) = self.char_length(value) {
                    items.iter_mut().for_each(|item| fill_literal(&mut item.0, n));
                }
                within(below(value)?, items)?
            }
            Node::Like { value, pattern, escape, ignore_case } => Node::Like {
                value: Box::new(convert(below(value)?, &DataType::String)?),
                pattern: Box::new(convert(below(pattern)?, &DataType::String)?),
                escape: *escape,
                ignore_case: *ignore_case,
            },
            Node::Arithmetic(op, a, b) => return self.typed(arithmetic(*op, below(a)?, below(b)?)?),
            Node::Case(branches, otherwise) => {
                let mut whens = Vec::new();
                let mut values = Vec::new();
                for (when, then) in branches {
                    whens.push(predicate(below(when)?)?);
                    values.push(below(then)?);
                }
                if let Some(otherwise) = otherwise {
                    values.push(below(otherwise)?);
                }
                return case(whens, values);
            }
            Node::Cast { value, to, lenient } => return cast(below(value)?, to, *lenient),
            Node::Call(name, args) if args.is_empty() && is_current(name) => return self.current(name),
            Node::Call(name, _) if !self.fills && library::INEXACT.contains(&name.as_str()) => {
                return Err(Error::new(
                    Code::EXPR,
                    format!("what `{name}` gives differs among engines in its last digit or its form, which has no place in a rule"),
                )
                .with("function", name));
            }
            Node::Call(name, args) => {
                let args = args.iter().map(below).collect::<Result<Vec<_>>>()?;
                return self.typed(functions::call(name, args)?);
            }
        };
        fold(bound, DataType::Boolean)
    }

    /// A node whose type the engine decides.
    fn typed(&self, node: Node) -> Result<Typed> {
        if let Node::Literal(_, t) = &node {
            let t = t.clone();
            return Ok((node, t));
        }
        let data_type = eval::data_type(&node, self.schema)?;
        fold(node, data_type)
    }

    /// How long the text of a column of CHAR is, when that counts.
    fn char_length(&self, node: &Node) -> Option<usize> {
        let Node::Column(path) = node else { return None };
        let [name] = path.as_slice() else { return None };
        let field = self.schema.field(name).filter(|_| self.fills)?;
        TextLimit::of(field).ok().flatten()?.filled()
    }

    fn predicates(&self, terms: &[Node], depth: usize) -> Result<Vec<Node>> {
        terms.iter().map(|t| predicate(self.bind(t, depth + 1)?)).collect()
    }

    /// The value of a function that tells the time or the place of the write.
    fn current(&self, name: &str) -> Result<Typed> {
        if name == "current_timezone" {
            return Ok((Node::Literal(Scalar::String("UTC".to_owned()), DataType::String), DataType::String));
        }
        let Some(now) = self.now else {
            return Err(Error::new(Code::EXPR, format!("`{name}` gives another value each time, which has no place here"))
                .with("function", name)
                .help("write the value itself"));
        };
        let micros = now.millis().saturating_mul(1000);
        let value = match name {
            "current_date" | "curdate" => Scalar::Date(i32::try_from(micros.div_euclid(86_400_000_000)).unwrap_or(i32::MAX)),
            "localtimestamp" => Scalar::TimestampNtz(micros),
            _ => Scalar::Timestamp(micros),
        };
        let data_type = type_of(&value);
        Ok((Node::Literal(value, data_type.clone()), data_type))
    }

    fn column(&self, path: &FieldPath) -> Result<Typed> {
        if let [name] = path.as_slice()
            && is_current(&name.to_ascii_lowercase())
            && self.schema.field(name).is_none()
        {
            return self.current(&name.to_ascii_lowercase());
        }
        let mut found = Vec::with_capacity(path.len());
        let mut fields = self.schema;
        let mut field: Option<&Field> = None;
        for name in path {
            if let Some(parent) = field {
                fields = match &parent.data_type {
                    DataType::Struct(inner) => inner,
                    other => {
                        return Err(Error::new(Code::EXPR, format!("`{}` has no field `{name}`: it is a {other}", found.join("."))));
                    }
                };
            }
            let next = fields.field(name).ok_or_else(|| {
                let names: Vec<&str> = fields.fields.iter().map(|f| f.name.as_str()).collect();
                let whole = path.join(".");
                Error::new(Code::EXPR, format!("there is no column `{whole}`")).with("column", &whole).help(near(name, &names))
            })?;
            found.push(next.name.clone());
            field = Some(next);
        }
        match field {
            Some(field) => Ok((Node::Column(found), field.data_type.clone())),
            None => Err(Error::new(Code::EXPR, "a column has no name")),
        }
    }
}

/// Whether a name stands for the current time or place, with parentheses or without.
fn is_current(name: &str) -> bool {
    ["current_timestamp", "now", "current_date", "curdate", "localtimestamp", "current_timezone"].contains(&name)
}

/// The names of `all` that look like `name`, else all of them.
pub(super) fn near(name: &str, all: &[&str]) -> String {
    let lower = name.to_lowercase();
    let mut close: Vec<(usize, &str)> = all.iter().map(|n| (levenshtein(&lower, &n.to_lowercase()), *n)).collect();
    close.sort();
    let mut likely: Vec<&str> = close.iter().filter(|(d, _)| *d <= 1 + lower.chars().count() / 3).map(|(_, n)| *n).take(3).collect();
    let prefix = if likely.is_empty() { "there are" } else { "did you mean" };
    let rest = if likely.is_empty() {
        likely = all.iter().copied().take(20).collect();
        if all.len() > 20 { ", …" } else { "" }
    } else {
        "?"
    };
    format!("{prefix} {}{rest}", likely.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", "))
}

/// A condition: boolean, or the literal NULL.
fn predicate((node, data_type): Typed) -> Result<Node> {
    match data_type {
        DataType::Boolean => Ok(node),
        DataType::Void => Ok(Node::null(DataType::Boolean)),
        other => Err(Error::new(Code::EXPR, format!("{node} is a {other} where a condition is needed"))),
    }
}

fn conjunction(terms: Vec<Node>) -> Node {
    if terms.contains(&Node::bool(false)) {
        return Node::bool(false);
    }
    match Node::all(terms.into_iter().filter(|t| *t != Node::bool(true))) {
        Node::And(none) if none.is_empty() => Node::bool(true),
        node => node,
    }
}

/// A disjunction in which equalities of one value with literals have become one `IN`.
fn disjunction(terms: Vec<Node>) -> Node {
    if terms.contains(&Node::bool(true)) {
        return Node::bool(true);
    }
    let terms = match Node::any(terms.into_iter().filter(|t| *t != Node::bool(false))) {
        Node::Or(terms) => terms,
        one => vec![one],
    };
    let mut out: Vec<Node> = Vec::with_capacity(terms.len());
    let mut lists: HashMap<String, usize> = HashMap::new();
    for term in terms {
        let (value, items) = match term {
            Node::Compare(Comparison::Eq, value, item) if item.is_literal() => (value, vec![*item]),
            Node::In(value, items) => (value, items),
            other => {
                out.push(other);
                continue;
            }
        };
        match lists.get(&value.to_string()).and_then(|at| out.get_mut(*at)) {
            Some(Node::In(_, list)) => list.extend(items),
            _ => {
                lists.insert(value.to_string(), out.len());
                out.push(Node::In(value, items));
            }
        }
    }
    for node in &mut out {
        if let Node::In(value, items) = node
            && items.len() == 1
            && let Some(item) = items.pop()
        {
            *node = std::mem::replace(value.as_mut(), Node::bool(false)).compare(Comparison::Eq, item);
        }
    }
    match Node::any(out) {
        Node::Or(none) if none.is_empty() => Node::bool(false),
        node => node,
    }
}

/// FALSE, or NULL where `value` is null.
fn never(value: Node) -> Node {
    Node::And(vec![value.null_test(), Node::null(DataType::Boolean)])
}
/// TRUE, or NULL where `value` is null.
fn always(value: Node) -> Node {
    Node::Or(vec![value.null_test().negate(), Node::null(DataType::Boolean)])
}

fn cannot_compare(a: &Typed, b: &Typed) -> Error {
    Error::new(Code::EXPR, format!("{} ({}) cannot be compared with {} ({})", a.0, a.1, b.0, b.1))
}

/// The value of a literal that is compared with something of type `to`: text takes the type of the other side.
fn literal_for(value: &Scalar, to: &DataType) -> Result<Scalar> {
    let Scalar::String(text) = value else { return Ok(value.clone()) };
    let parsed = match to {
        DataType::String => return Ok(value.clone()),
        t if is_number(t) => coerce::parse_number(text),
        t => coerce::parse(text, t),
    };
    parsed.ok_or_else(|| Error::new(Code::EXPR, format!("'{text}' is not a {to}, and cannot be compared with one")))
}

pub(super) fn compare(op: Comparison, left: Typed, right: Typed) -> Result<Node> {
    let (op, left, mut right) = if left.0.is_literal() && !right.0.is_literal() { (op.flipped(), right, left) } else { (op, left, right) };
    if !is_atomic(&left.1) || !is_atomic(&right.1) {
        if right.0.is_null_literal() && op == Comparison::NullSafeEq {
            return Ok(left.0.null_test());
        }
        return Err(cannot_compare(&left, &right));
    }
    if let Node::Literal(value, _) = &right.0
        && !left.0.is_literal()
    {
        if *value == Scalar::Null {
            return Ok(if op == Comparison::NullSafeEq { left.0.null_test() } else { Node::null(DataType::Boolean) });
        }
        if common_type(&left.1, &right.1).is_none() {
            return Err(cannot_compare(&left, &right));
        }
        let value = literal_for(value, &left.1)?;
        use Comparison::*;
        let decided = match fit(&value, &left.1) {
            Fit::Exact(value) => return Ok(left.0.compare(op, Node::Literal(value, left.1))),
            Fit::Unknown => None,
            Fit::Above(floor) => match op {
                Lt | LtEq => return Ok(left.0.compare(LtEq, Node::Literal(floor, left.1))),
                Gt | GtEq => return Ok(left.0.compare(Gt, Node::Literal(floor, left.1))),
                other => Some(other == NotEq),
            },
            Fit::TooLarge => Some(matches!(op, Lt | LtEq | NotEq)),
            Fit::TooSmall => Some(matches!(op, Gt | GtEq | NotEq)),
        };
        match decided {
            Some(_) if op == NullSafeEq => return Ok(Node::bool(false)),
            Some(true) => return Ok(always(left.0)),
            Some(false) => return Ok(never(left.0)),
            None => {
                let data_type = type_of(&value);
                right = (Node::Literal(value, data_type.clone()), data_type);
            }
        }
    }
    let Some(shared) = common_type(&left.1, &right.1) else { return Err(cannot_compare(&left, &right)) };
    Ok(convert(left, &shared)?.compare(op, convert(right, &shared)?))
}

/// A comparison of a column whose text has `length` characters, blanks at the end included, with a value that may have fewer or more.
fn compare_char(op: Comparison, column: Typed, length: usize, mut value: Typed) -> Result<Node> {
    use Comparison::*;
    fill_literal(&mut value.0, length);
    let Node::Literal(Scalar::String(text), _) = &value.0 else { return compare(op, column, value) };
    let Some((end, _)) = text.char_indices().nth(length) else { return compare(op, column, value) };
    // The column is filled up to the length of the value, whose rest is no blanks.
    let (head, rest) = text.split_at(end);
    let greater = rest > " ".repeat(rest.len()).as_str();
    let head = (Node::Literal(Scalar::String(head.to_owned()), DataType::String), DataType::String);
    match op {
        Eq => Ok(never(column.0)),
        NotEq => Ok(always(column.0)),
        NullSafeEq => Ok(Node::bool(false)),
        Lt | LtEq => compare(if greater { LtEq } else { Lt }, column, head),
        Gt | GtEq => compare(if greater { Gt } else { GtEq }, column, head),
    }
}

/// Fills up literal text to so many characters; blanks beyond them are cut off.
fn fill_literal(node: &mut Node, length: usize) {
    let Node::Literal(Scalar::String(text), _) = node else { return };
    match text.char_indices().nth(length) {
        Some((end, _)) if text[end..].bytes().all(|b| b == b' ') => text.truncate(end),
        Some(_) => {}
        None => text.push_str(&" ".repeat(length - text.chars().count())),
    }
}

/// A column whose text has `length` characters, filled up to the length of another.
fn filled_to((node, data_type): Typed, length: usize, other: usize) -> Typed {
    if other <= length {
        return (node, data_type);
    }
    let blanks = Node::Literal(Scalar::String(" ".repeat(other - length)), DataType::String);
    (Node::Call("concat".to_owned(), vec![node, blanks]), data_type)
}

fn within(value: Typed, list: Vec<Typed>) -> Result<Node> {
    if !is_atomic(&value.1) {
        return Err(Error::new(Code::EXPR, format!("{} ({}) cannot be compared", value.0, value.1)));
    }
    let mut items = Vec::with_capacity(list.len());
    let mut exact = !value.0.is_literal();
    let mut has_null = false;
    for (item, data_type) in &list {
        match item {
            Node::Literal(Scalar::Null, _) => has_null = true,
            Node::Literal(literal, _) if exact && common_type(&value.1, data_type).is_some() => {
                match fit(&literal_for(literal, &value.1)?, &value.1) {
                    Fit::Exact(v) => items.push(Node::Literal(v, value.1.clone())),
                    Fit::Unknown => exact = false,
                    _ => {}
                }
            }
            _ => exact = false,
        }
    }
    if !exact {
        let equalities = list.into_iter().map(|item| compare(Comparison::Eq, value.clone(), item)).collect::<Result<Vec<_>>>()?;
        return Ok(if equalities.is_empty() { never(value.0) } else { Node::any(equalities) });
    }
    if items.is_empty() {
        return Ok(if has_null { Node::null(DataType::Boolean) } else { never(value.0) });
    }
    if has_null {
        items.push(Node::null(value.1));
    }
    Ok(Node::In(Box::new(value.0), items))
}

/// The value in another type, where the language converts by itself.
pub(super) fn convert((node, from): Typed, to: &DataType) -> Result<Node> {
    if from == *to {
        return Ok(node);
    }
    if let Node::Literal(value, _) = &node {
        let converted = match value {
            Scalar::Null => Some(Scalar::Null),
            Scalar::String(text) => coerce::parse(text, to),
            value => match fit(value, to) {
                Fit::Exact(v) => Some(v),
                _ => None,
            },
        };
        if let Some(value) = converted {
            return Ok(Node::Literal(value, to.clone()));
        }
    }
    Ok(cast((node, from), to, false)?.0)
}

/// An explicit conversion.
fn cast((node, from): Typed, to: &DataType, lenient: bool) -> Result<Typed> {
    let timelike = |t: &DataType| matches!(t, DataType::Date | DataType::Timestamp | DataType::TimestampNtz);
    let refused = !is_atomic(&from)
        || !is_atomic(to)
        || *to == DataType::Void
        || (timelike(&from) && (is_number(to) || *to == DataType::Boolean || *to == DataType::Binary))
        || ((is_number(&from) || from == DataType::Boolean || from == DataType::Binary) && timelike(to))
        || (is_number(&from) != is_number(to) && (from == DataType::Binary || *to == DataType::Binary));
    if refused {
        return Err(Error::new(Code::EXPR, format!("a {from} cannot be converted to {to}: {node}")));
    }
    if from == *to {
        return Ok((node, from));
    }
    if node.is_null_literal() {
        return Ok((Node::null(to.clone()), to.clone()));
    }
    if let Node::Literal(Scalar::String(text), _) = &node {
        return match coerce::parse(text, to) {
            Some(value) => Ok((Node::Literal(value, to.clone()), to.clone())),
            None if lenient => Ok((Node::null(to.clone()), to.clone())),
            None => Err(Error::new(Code::EXPR, format!("'{text}' is not a {to}"))),
        };
    }
    let value = if from == DataType::String && *to != DataType::Binary { Node::Call("trim".to_owned(), vec![node]) } else { node };
    fold(Node::Cast { value: Box::new(value), to: to.clone(), lenient }, to.clone())
}

/// The branches of a CASE in their common type; `values` may hold one more than `whens`: what holds otherwise.
pub(super) fn case(whens: Vec<Node>, values: Vec<Typed>) -> Result<Typed> {
    let mut shared = DataType::Void;
    for (value, data_type) in &values {
        shared = common_type(&shared, data_type)
            .ok_or_else(|| Error::new(Code::EXPR, format!("the branches of a CASE differ in type: {value} is no {shared}")))?;
    }
    if shared == DataType::Void {
        return Ok((Node::null(DataType::Void), DataType::Void));
    }
    let mut values = values.into_iter().map(|v| convert(v, &shared)).collect::<Result<Vec<_>>>()?;
    let otherwise = if values.len() > whens.len() { values.pop().map(Box::new) } else { None };
    fold(Node::Case(whens.into_iter().zip(values).collect(), otherwise), shared)
}

/// `left op right`, converted as Spark does.
pub(super) fn arithmetic(op: Arithmetic, left: Typed, right: Typed) -> Result<Node> {
    use Arithmetic::*;
    match (&left.1, &right.1) {
        (DataType::Date, t) if is_integer(t) && op == Add => return functions::call("date_add", vec![left, right]),
        (DataType::Date, t) if is_integer(t) && op == Subtract => return functions::call("date_sub", vec![left, right]),
        (DataType::Date, DataType::Date) if op == Subtract => return functions::call("datediff", vec![left, right]),
        _ => {}
    }
    let number = |side: Typed| -> Result<Typed> {
        match (&side.0, &side.1) {
            (_, t) if is_number(t) => Ok(side),
            (_, DataType::Void) => Ok((Node::null(DataType::Integer), DataType::Integer)),
            (Node::Literal(Scalar::String(text), _), _) => match coerce::parse_number(text) {
                Some(v) => {
                    let t = type_of(&v);
                    Ok((Node::Literal(v, t.clone()), t))
                }
                None => Err(Error::new(Code::EXPR, format!("'{text}' is not a number"))),
            },
            (_, DataType::String) => Ok((convert(side, &DataType::Double)?, DataType::Double)),
            (node, t) => Err(Error::new(Code::EXPR, format!("{node} is a {t} where a number is needed"))),
        }
    };
    let (left, right) = (number(left)?, number(right)?);
    let decimal = |t: &DataType| matches!(t, DataType::Decimal { .. });
    let Some(mut shared) = common_type(&left.1, &right.1) else {
        return Err(Error::new(Code::EXPR, format!("{} and {} cannot be combined", left.1, right.1)));
    };
    let (left, right) = if (decimal(&left.1) || decimal(&right.1)) && !coerce::is_float(&left.1) && !coerce::is_float(&right.1) {
        // Decimals keep their own precision; the engine derives that of the result.
        let own = |side: Typed| -> Result<Typed> {
            if decimal(&side.1) {
                return Ok(side);
            }
            let to = DataType::Decimal { precision: coerce::digits(&side.0, &side.1), scale: 0 };
            Ok((convert(side, &to)?, to))
        };
        (own(left)?.0, own(right)?.0)
    } else {
        if op == Divide && is_integer(&shared) {
            shared = DataType::Double;
        }
        (convert(left, &shared)?, convert(right, &shared)?)
    };
    Ok(Node::Arithmetic(op, Box::new(left), Box::new(right)))
}

/// A divisor, null where it is zero: what `try_divide` and `try_mod` divide by.
pub(super) fn not_zero(divisor: Node, data_type: &DataType) -> Result<Node> {
    let zero = compare(
        Comparison::Eq,
        (divisor.clone(), data_type.clone()),
        (Node::Literal(Scalar::Integer(0), DataType::Integer), DataType::Integer),
    )?;
    match fold(zero, DataType::Boolean)?.0 {
        Node::Literal(Scalar::Boolean(false), _) => Ok(divisor),
        zero => Ok(Node::Case(vec![(zero.negate(), divisor)], None)),
    }
}

/// The node, or its value when nothing in it varies. A constant that cannot be computed stays, and fails when a row needs it.
pub(super) fn fold(node: Node, data_type: DataType) -> Result<Typed> {
    let literal = |n: &Node| n.is_literal();
    let constant = match &node {
        Node::Literal(..) | Node::Column(_) => false,
        Node::Compare(_, a, b) | Node::Arithmetic(_, a, b) => literal(a) && literal(b),
        Node::And(terms) | Node::Or(terms) | Node::Call(_, terms) => terms.iter().all(literal),
        Node::Not(a) | Node::IsNull(a) | Node::Cast { value: a, .. } => literal(a),
        Node::In(a, list) => literal(a) && list.iter().all(literal),
        Node::Like { value, pattern, .. } => literal(value) && literal(pattern),
        Node::Case(branches, otherwise) => {
            branches.iter().all(|(w, t)| literal(w) && literal(t)) && otherwise.as_deref().is_none_or(literal)
        }
    };
    if constant && let Ok(value) = eval::constant(&node) {
        return Ok((Node::Literal(value, data_type.clone()), data_type));
    }
    Ok((node, data_type))
}
