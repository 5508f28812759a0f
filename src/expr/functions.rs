//! The functions that expressions may call, by their Spark names. Kind: pure. Spec: EXP.
//!
//! A call becomes simpler nodes where the language has them, else a call that the evaluator knows. All functions are deterministic:
//! nothing here reads a clock or draws randomness.

use super::bind::{Typed, arithmetic, case, compare, convert, near, not_zero};
use super::coerce::{is_integer, is_number};
use super::library;
use super::node::{Arithmetic, Comparison, Node, type_of};
use crate::error::{Code, Error, Result};
use crate::schema::{DataType, Scalar};

/// The names that `call` knows beside those of the library.
pub(super) const NAMES: &[&str] = &[
    "abs",
    "bigint",
    "boolean",
    "btrim",
    "ceil",
    "ceiling",
    "char_length",
    "character_length",
    "coalesce",
    "concat",
    "contains",
    "date",
    "date_add",
    "date_diff",
    "date_sub",
    "date_trunc",
    "datediff",
    "day",
    "dayofmonth",
    "dayofweek",
    "dayofyear",
    "div",
    "double",
    "endswith",
    "float",
    "floor",
    "greatest",
    "hour",
    "if",
    "ifnull",
    "int",
    "isnan",
    "isnotnull",
    "isnull",
    "least",
    "left",
    "len",
    "length",
    "lower",
    "lcase",
    "ltrim",
    "minute",
    "mod",
    "month",
    "negative",
    "nullif",
    "nvl",
    "nvl2",
    "octet_length",
    "quarter",
    "regexp_like",
    "replace",
    "right",
    "rlike",
    "rtrim",
    "second",
    "sign",
    "signum",
    "smallint",
    "startswith",
    "string",
    "substr",
    "substring",
    "timestamp",
    "tinyint",
    "to_date",
    "to_timestamp",
    "trim",
    "try_divide",
    "try_mod",
    "ucase",
    "upper",
    "week",
    "weekofyear",
    "year",
];

/// What an argument must be.
#[derive(Clone, Copy)]
enum Want {
    Text,
    Integer,
    /// A date or a timestamp.
    Time,
}

/// The node that a call stands for.
pub(super) fn call(name: &str, args: Vec<Typed>) -> Result<Node> {
    use DataType as T;
    let args = match library::call(name, args).or_else(|args| library::call_by_type(name, args)) {
        Ok(node) => return node,
        Err(args) => args,
    };
    let count = args.len();
    let mut given = args.into_iter();
    let mut next = || given.next().unwrap_or((Node::null(T::Void), T::Void));
    let arity = |least: usize, most: usize| {
        if (least..=most).contains(&count) {
            Ok(())
        } else {
            Err(Error::new(Code::EXPR, format!("the function `{name}` was called with {count} arguments")).with("function", name))
        }
    };
    let known = |engine: &str, args: Vec<Node>| Ok(Node::Call(engine.to_owned(), args));
    match name {
        "lower" | "lcase" => arity(1, 1).and_then(|()| known("lower", vec![wanted(next(), Want::Text)?])),
        "upper" | "ucase" => arity(1, 1).and_then(|()| known("upper", vec![wanted(next(), Want::Text)?])),
        "length" | "len" | "char_length" | "character_length" => {
            arity(1, 1)?;
            known("length", vec![wanted(next(), Want::Text)?])
        }
        "octet_length" => arity(1, 1).and_then(|()| known("octet_length", vec![wanted(next(), Want::Text)?])),
        "trim" | "btrim" => arity(1, 1).and_then(|()| known("trim", vec![wanted(next(), Want::Text)?])),
        "ltrim" | "rtrim" => arity(1, 1).and_then(|()| known(name, vec![wanted(next(), Want::Text)?])),
        "startswith" | "endswith" | "contains" => {
            arity(2, 2)?;
            known(name, vec![wanted(next(), Want::Text)?, wanted(next(), Want::Text)?])
        }
        "rlike" | "regexp_like" => {
            arity(2, 2)?;
            let (value, pattern) = (wanted(next(), Want::Text)?, wanted(next(), Want::Text)?);
            let pattern = match &pattern {
                Node::Literal(Scalar::String(regex), _) => text(&super::regex::translated(regex)?),
                _ => pattern,
            };
            known("rlike", vec![value, pattern])
        }
        "replace" => {
            arity(2, 3)?;
            let (value, from) = (wanted(next(), Want::Text)?, wanted(next(), Want::Text)?);
            let to = if count == 3 { wanted(next(), Want::Text)? } else { text("") };
            known("replace", vec![value, from, to])
        }
        "concat" => {
            arity(1, 64)?;
            let first = wanted(next(), Want::Text)?;
            (1..count).try_fold(first, |left, _| known("concat", vec![left, wanted(next(), Want::Text)?]))
        }
        "substring" | "substr" => {
            arity(2, 3)?;
            let (value, start) = (wanted(next(), Want::Text)?, wanted(next(), Want::Integer)?);
            let length = if count == 3 { wanted(next(), Want::Integer)? } else { integer(i32::MAX) };
            known("substring", vec![value, start, length])
        }
        "left" => {
            arity(2, 2)?;
            known("substring", vec![wanted(next(), Want::Text)?, integer(1), wanted(next(), Want::Integer)?])
        }
        "right" => {
            arity(2, 2)?;
            known("right", vec![wanted(next(), Want::Text)?, wanted(next(), Want::Integer)?])
        }
        "year" | "quarter" | "month" | "hour" | "minute" | "second" | "dayofweek" | "dayofyear" => {
            arity(1, 1)?;
            known(name, vec![wanted(next(), Want::Time)?])
        }
        "day" | "dayofmonth" => arity(1, 1).and_then(|()| known("day", vec![wanted(next(), Want::Time)?])),
        "week" | "weekofyear" => arity(1, 1).and_then(|()| known("weekofyear", vec![wanted(next(), Want::Time)?])),
        "date_trunc" => {
            arity(2, 2)?;
            let (unit, value) = (next(), next());
            let Node::Literal(Scalar::String(unit), _) = unit.0 else {
                return Err(Error::new(Code::EXPR, "the first argument of `date_trunc` must be a unit in quotes, such as 'MONTH'"));
            };
            let unit = match unit.to_lowercase().as_str() {
                "yyyy" | "yy" => "year".to_owned(),
                "mon" | "mm" => "month".to_owned(),
                "dd" => "day".to_owned(),
                unit @ ("year" | "quarter" | "month" | "week" | "day" | "hour" | "minute" | "second" | "millisecond" | "microsecond") => {
                    unit.to_owned()
                }
                other => return Err(Error::new(Code::EXPR, format!("`date_trunc` has no unit '{other}'"))),
            };
            let value = if value.1 == T::TimestampNtz { value.0 } else { convert(value, &T::Timestamp)? };
            known("date_trunc", vec![text(&unit), value])
        }
        "date_add" | "date_sub" => {
            arity(2, 2)?;
            let days = convert(next(), &T::Date)?.cast(T::Integer);
            let shift = Box::new(wanted(next(), Want::Integer)?);
            let op = if name == "date_add" { Arithmetic::Add } else { Arithmetic::Subtract };
            Ok(Node::Arithmetic(op, Box::new(days), shift).cast(T::Date))
        }
        "datediff" | "date_diff" => {
            arity(2, 2)?;
            let days = |side: Typed| Ok::<_, Error>(Box::new(convert(side, &T::Date)?.cast(T::Integer)));
            Ok(Node::Arithmetic(Arithmetic::Subtract, days(next())?, days(next())?))
        }
        "abs" => arity(1, 1).and_then(|()| known("abs", vec![number(next())?.0])),
        "negative" => {
            arity(1, 1)?;
            let (value, data_type) = number(next())?;
            if is_integer(&data_type) {
                // The least integer has no opposite, which only the subtraction notices.
                let zero = convert((integer(0), T::Integer), &data_type)?;
                return Ok(Node::Arithmetic(Arithmetic::Subtract, Box::new(zero), Box::new(value)));
            }
            known("negative", vec![value])
        }
        "sign" | "signum" => {
            arity(1, 1)?;
            known("signum", vec![convert(number(next())?, &T::Double)?])
        }
        "floor" | "ceil" | "ceiling" => {
            arity(1, 1)?;
            let value = number(next())?;
            if is_integer(&value.1) {
                return convert(value, &T::Long);
            }
            let name = if name == "floor" { "floor" } else { "ceil" };
            if let T::Decimal { scale, .. } = value.1 {
                return if scale == 0 { Ok(value.0) } else { known(name, vec![value.0]) };
            }
            known("to_long", vec![Node::Call(name.to_owned(), vec![convert(value, &T::Double)?])])
        }
        "mod" => {
            arity(2, 2)?;
            let (a, b) = (number(next())?, number(next())?);
            let shared = super::coerce::common_type(&a.1, &b.1).unwrap_or(T::Double);
            Ok(Node::Arithmetic(Arithmetic::Modulo, Box::new(convert(a, &shared)?), Box::new(convert(b, &shared)?)))
        }
        "try_divide" | "try_mod" => {
            arity(2, 2)?;
            let (a, b) = (number(next())?, number(next())?);
            let divisor = (not_zero(b.0, &b.1)?, b.1);
            arithmetic(if name == "try_mod" { Arithmetic::Modulo } else { Arithmetic::Divide }, a, divisor)
        }
        "div" => {
            arity(2, 2)?;
            let (a, b) = (convert(next(), &T::Long)?, convert(next(), &T::Long)?);
            Ok(Node::Arithmetic(Arithmetic::Divide, Box::new(a), Box::new(b)))
        }
        "isnan" => {
            arity(1, 1)?;
            let value = convert(next(), &T::Double)?;
            let is_nan = value.clone().compare(Comparison::Eq, Node::Literal(Scalar::Double(f64::NAN), T::Double));
            Ok(Node::And(vec![value.null_test().negate(), is_nan]))
        }
        "greatest" | "least" => {
            arity(2, 64)?;
            let all: Vec<Typed> = given.collect();
            let mut shared = T::Void;
            for (_, t) in &all {
                shared = super::coerce::common_type(&shared, t)
                    .ok_or_else(|| Error::new(Code::EXPR, format!("the arguments of `{name}` differ in type")))?;
            }
            known(name, all.into_iter().map(|v| convert(v, &shared)).collect::<Result<_>>()?)
        }
        "coalesce" | "nvl" | "ifnull" => {
            if name == "coalesce" {
                arity(1, 64)?
            } else {
                arity(2, 2)?
            };
            let all: Vec<Typed> = given.collect();
            let whens = all[..all.len() - 1].iter().map(|(v, _)| v.clone().null_test().negate()).collect();
            Ok(case(whens, all)?.0)
        }
        "nvl2" => {
            arity(3, 3)?;
            let value = next();
            Ok(case(vec![value.0.null_test().negate()], vec![next(), next()])?.0)
        }
        "if" => {
            arity(3, 3)?;
            let when = next();
            if when.1 != T::Boolean {
                return Err(Error::new(Code::EXPR, format!("{} is a {} where a condition is needed", when.0, when.1)));
            }
            Ok(case(vec![when.0], vec![next(), next()])?.0)
        }
        "nullif" => {
            arity(2, 2)?;
            let (a, b) = (next(), next());
            let same = compare(Comparison::Eq, a.clone(), b)?;
            Ok(case(vec![same], vec![(Node::null(T::Void), T::Void), a])?.0)
        }
        "isnull" => arity(1, 1).map(|()| next().0.null_test()),
        "isnotnull" => arity(1, 1).map(|()| next().0.null_test().negate()),
        "to_date" | "to_timestamp" if count == 2 => {
            let to = if name == "to_date" { T::Date } else { T::Timestamp };
            let (value, format) = (next(), next().0);
            if value.1 != T::String {
                return convert(value, &to);
            }
            library::pattern(name, &format, true)?;
            let time = Node::Call("parse_time".to_owned(), vec![value.0, format]);
            if to == T::Date { Ok(time.cast(to)) } else { Ok(time) }
        }
        "date" | "to_date" => arity(1, 1).and_then(|()| convert(next(), &T::Date)),
        "timestamp" | "to_timestamp" => arity(1, 1).and_then(|()| convert(next(), &T::Timestamp)),
        "item" => arity(2, 2).and_then(|()| library::item("item", next(), next())),
        "add_interval" => {
            let (value, months, days, micros) = (next(), next().0, next().0, convert(next(), &T::Long)?);
            match value.1 {
                T::Date if matches!(micros, Node::Literal(Scalar::Long(0), _)) => known("add_to_date", vec![value.0, months, days]),
                T::Date | T::Timestamp => known("add_to_time", vec![convert(value, &T::Timestamp)?, months, days, micros]),
                T::TimestampNtz => known("add_to_time", vec![value.0, months, days, micros]),
                other => Err(Error::new(Code::EXPR, format!("an interval cannot be added to {}, a {other}", value.0))),
            }
        }
        "string" => arity(1, 1).and_then(|()| convert(next(), &T::String)),
        "bigint" => arity(1, 1).and_then(|()| convert(next(), &T::Long)),
        "int" => arity(1, 1).and_then(|()| convert(next(), &T::Integer)),
        "smallint" => arity(1, 1).and_then(|()| convert(next(), &T::Short)),
        "tinyint" => arity(1, 1).and_then(|()| convert(next(), &T::Byte)),
        "double" => arity(1, 1).and_then(|()| convert(next(), &T::Double)),
        "float" => arity(1, 1).and_then(|()| convert(next(), &T::Float)),
        "boolean" => arity(1, 1).and_then(|()| convert(next(), &T::Boolean)),
        _ => Err(Error::new(Code::EXPR, format!("there is no function `{name}`"))
            .with("function", name)
            .help(near(name, &library::names().chain(NAMES.iter().copied()).collect::<Vec<_>>()))),
    }
}

fn wanted(value: Typed, want: Want) -> Result<Node> {
    match want {
        Want::Text => convert(value, &DataType::String),
        Want::Integer => convert(value, &DataType::Integer),
        Want::Time => match value.1 {
            DataType::Date | DataType::Timestamp | DataType::TimestampNtz => Ok(value.0),
            _ => convert(value, &DataType::Timestamp),
        },
    }
}

fn number(value: Typed) -> Result<Typed> {
    match &value.1 {
        t if is_number(t) => Ok(value),
        DataType::Void => Ok((Node::null(DataType::Integer), DataType::Integer)),
        DataType::String => Ok((convert(value, &DataType::Double)?, DataType::Double)),
        t => Err(Error::new(Code::EXPR, format!("{} is a {t} where a number is needed", value.0))),
    }
}

fn text(value: &str) -> Node {
    Node::Literal(Scalar::String(value.to_owned()), DataType::String)
}
fn integer(value: i32) -> Node {
    let value = Scalar::Integer(value);
    let data_type = type_of(&value);
    Node::Literal(value, data_type)
}
