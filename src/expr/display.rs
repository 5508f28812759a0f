//! Expression tree -> canonical SQL text. Kind: pure. Spec: EXP.
//!
//! Invariant: the text parses back to an expression of the same meaning.

use super::node::{Arithmetic, Comparison, Node};
use crate::schema::{DataType, Scalar};
use std::fmt;

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Node::Column(path) => list(f, path.iter().map(|p| Name(p)), "."),
            Node::Literal(value, data_type) => literal(f, value, data_type),
            Node::Compare(op, a, b) => write!(f, "({a} {} {b})", comparison(*op)),
            Node::Arithmetic(op, a, b) => write!(f, "({a} {} {b})", arithmetic(*op)),
            Node::And(terms) if terms.is_empty() => f.write_str("true"),
            Node::Or(terms) if terms.is_empty() => f.write_str("false"),
            Node::And(terms) => {
                f.write_str("(")?;
                list(f, terms.iter(), " AND ")?;
                f.write_str(")")
            }
            Node::Or(terms) => {
                f.write_str("(")?;
                list(f, terms.iter(), " OR ")?;
                f.write_str(")")
            }
            Node::Not(inner) => match inner.as_ref() {
                Node::IsNull(value) => write!(f, "({value} IS NOT NULL)"),
                inner => write!(f, "(NOT {inner})"),
            },
            Node::IsNull(value) => write!(f, "({value} IS NULL)"),
            Node::In(value, terms) => {
                write!(f, "({value} IN (")?;
                list(f, terms.iter(), ", ")?;
                f.write_str("))")
            }
            Node::Like { value, pattern, escape, ignore_case } => {
                write!(f, "({value} {} {pattern}", if *ignore_case { "ILIKE" } else { "LIKE" })?;
                if *escape != '\\' {
                    write!(f, " ESCAPE '{escape}'")?;
                }
                f.write_str(")")
            }
            Node::Case(branches, otherwise) => {
                f.write_str("CASE")?;
                for (when, then) in branches {
                    write!(f, " WHEN {when} THEN {then}")?;
                }
                if let Some(otherwise) = otherwise {
                    write!(f, " ELSE {otherwise}")?;
                }
                f.write_str(" END")
            }
            Node::Cast { value, to, lenient } => write!(f, "{}({value} AS {to})", if *lenient { "TRY_CAST" } else { "CAST" }),
            Node::Call(name, args) => {
                write!(f, "{name}(")?;
                list(f, args.iter(), ", ")?;
                f.write_str(")")
            }
        }
    }
}

fn list<T: fmt::Display>(f: &mut fmt::Formatter<'_>, items: impl Iterator<Item = T>, between: &str) -> fmt::Result {
    for (i, item) in items.enumerate() {
        if i > 0 {
            f.write_str(between)?;
        }
        write!(f, "{item}")?;
    }
    Ok(())
}

/// A name, quoted when it is not plain.
struct Name<'a>(&'a str);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = self.0.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
            && self.0.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            && !super::parse::is_special(self.0);
        if plain { f.write_str(self.0) } else { write!(f, "`{}`", self.0.replace('`', "``")) }
    }
}

fn comparison(op: Comparison) -> &'static str {
    match op {
        Comparison::Eq => "=",
        Comparison::NotEq => "<>",
        Comparison::Lt => "<",
        Comparison::LtEq => "<=",
        Comparison::Gt => ">",
        Comparison::GtEq => ">=",
        Comparison::NullSafeEq => "<=>",
    }
}

fn arithmetic(op: Arithmetic) -> &'static str {
    match op {
        Arithmetic::Add => "+",
        Arithmetic::Subtract => "-",
        Arithmetic::Multiply => "*",
        Arithmetic::Divide => "/",
        Arithmetic::Modulo => "%",
    }
}

fn literal(f: &mut fmt::Formatter<'_>, value: &Scalar, data_type: &DataType) -> fmt::Result {
    let text = || value.to_partition_text().ok().flatten().unwrap_or_default();
    match value {
        Scalar::Null if *data_type == DataType::Void => f.write_str("NULL"),
        Scalar::Null => write!(f, "CAST(NULL AS {data_type})"),
        Scalar::String(s) => write!(f, "'{}'", s.replace('\\', "\\\\").replace('\'', "\\'")),
        Scalar::Long(v) => write!(f, "{v}L"),
        Scalar::Integer(v) => write!(f, "{v}"),
        Scalar::Short(v) => write!(f, "{v}S"),
        Scalar::Byte(v) => write!(f, "{v}Y"),
        Scalar::Float(v) if v.is_finite() => write!(f, "{v:e}F"),
        Scalar::Double(v) if v.is_finite() => write!(f, "{v:e}D"),
        Scalar::Float(_) | Scalar::Double(_) => write!(f, "CAST('{}' AS {data_type})", text()),
        Scalar::Decimal { .. } => write!(f, "CAST('{}' AS {data_type})", text()),
        Scalar::Boolean(v) => write!(f, "{v}"),
        Scalar::Binary(bytes) => {
            f.write_str("X'")?;
            bytes.iter().try_for_each(|b| write!(f, "{b:02X}"))?;
            f.write_str("'")
        }
        Scalar::Date(_) => write!(f, "DATE '{}'", text()),
        Scalar::Timestamp(_) => write!(f, "TIMESTAMP '{}'", text()),
        Scalar::TimestampNtz(_) => write!(f, "TIMESTAMP_NTZ '{}'", text()),
    }
}
