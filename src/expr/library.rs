//! Functions that are one kernel each, by their Spark names: what they take and give. Kind: pure. Spec: EXP.

use super::bind::{Typed, convert};
use super::coerce::{is_float, is_integer, is_number};
use super::kernels::Pattern;
use super::node::{Node, type_of};
use crate::error::{Code, Error, Result};
use crate::schema::{DataType, Scalar};

/// What an argument is converted to.
#[derive(Clone, Copy, PartialEq)]
enum Take {
    Text,
    Int,
    Long,
    Double,
    Boolean,
    Date,
    /// A timestamp, or a local one.
    Time,
    Bytes,
    /// Anything that has one value.
    Any,
}

/// A value for an argument that may be left out.
enum Else {
    Text(&'static str),
    Int(i32),
    True,
}

struct Entry {
    names: &'static [&'static str],
    kernel: &'static str,
    takes: &'static [Take],
    /// For the last arguments.
    optional: &'static [Else],
    /// Whether the last argument may come any number of times, also never.
    repeats: bool,
}

const fn f(names: &'static [&'static str], kernel: &'static str, takes: &'static [Take]) -> Entry {
    Entry { names, kernel, takes, optional: &[], repeats: false }
}
const fn opt(names: &'static [&'static str], kernel: &'static str, takes: &'static [Take], optional: &'static [Else]) -> Entry {
    Entry { optional, ..f(names, kernel, takes) }
}

use Take::{Any, Boolean, Bytes, Date, Double, Int, Long, Text, Time};

static ENTRIES: &[Entry] = &[
    f(&["initcap"], "initcap", &[Text]),
    f(&["reverse"], "reverse", &[Text]),
    opt(&["locate", "position"], "locate", &[Text, Text, Int], &[Else::Int(1)]),
    opt(&["lpad"], "lpad", &[Text, Int, Text], &[Else::Text(" ")]),
    opt(&["rpad"], "rpad", &[Text, Int, Text], &[Else::Text(" ")]),
    f(&["translate"], "translate", &[Text, Text, Text]),
    f(&["repeat"], "repeat", &[Text, Int]),
    Entry { repeats: true, ..f(&["concat_ws"], "concat_ws", &[Text, Text]) },
    f(&["split_part"], "split_part", &[Text, Text, Int]),
    f(&["substring_index"], "substring_index", &[Text, Text, Int]),
    f(&["ascii"], "ascii", &[Text]),
    f(&["chr", "char"], "chr", &[Long]),
    f(&["unhex"], "unhex", &[Text]),
    f(&["bin"], "bin", &[Long]),
    f(&["base64"], "base64", &[Bytes]),
    f(&["md5"], "md5", &[Bytes]),
    f(&["crc32"], "crc32", &[Bytes]),
    f(&["levenshtein"], "levenshtein", &[Text, Text]),
    f(&["parse_json"], "parse_json", &[Text]),
    Entry { repeats: true, ..f(&["hash"], "hash", &[Any]) },
    Entry { repeats: true, ..f(&["xxhash64"], "xxhash64", &[Any]) },
    f(&["sqrt"], "sqrt", &[Double]),
    f(&["cbrt"], "cbrt", &[Double]),
    f(&["exp"], "exp", &[Double]),
    f(&["expm1"], "expm1", &[Double]),
    f(&["ln"], "ln", &[Double]),
    f(&["log10"], "log10", &[Double]),
    f(&["log2"], "log2", &[Double]),
    f(&["log1p"], "log1p", &[Double]),
    f(&["sin"], "sin", &[Double]),
    f(&["cos"], "cos", &[Double]),
    f(&["tan"], "tan", &[Double]),
    f(&["asin"], "asin", &[Double]),
    f(&["acos"], "acos", &[Double]),
    f(&["atan"], "atan", &[Double]),
    f(&["sinh"], "sinh", &[Double]),
    f(&["cosh"], "cosh", &[Double]),
    f(&["tanh"], "tanh", &[Double]),
    f(&["degrees"], "degrees", &[Double]),
    f(&["radians"], "radians", &[Double]),
    f(&["rint"], "rint", &[Double]),
    f(&["pow", "power"], "pow", &[Double, Double]),
    f(&["atan2"], "atan2", &[Double, Double]),
    f(&["hypot"], "hypot", &[Double, Double]),
    f(&["factorial"], "factorial", &[Int]),
    f(&["date_format"], "date_format", &[Time, Text]),
    f(&["add_months"], "add_months", &[Date, Int]),
    f(&["last_day"], "last_day", &[Date]),
    f(&["next_day"], "next_day", &[Date, Text]),
    f(&["make_date"], "make_date", &[Int, Int, Int]),
    f(&["trunc"], "trunc", &[Date, Text]),
    f(&["weekday"], "weekday", &[Date]),
    f(&["dayname"], "dayname", &[Date]),
    f(&["monthname"], "monthname", &[Date]),
    opt(&["months_between"], "months_between", &[Time, Time, Boolean], &[Else::True]),
];

/// Names that stand for several kernels, by the types of their arguments.
const BY_TYPE: &[&str] = &[
    "instr",
    "charindex",
    "log",
    "hex",
    "pmod",
    "round",
    "bround",
    "shiftleft",
    "shiftright",
    "unix_timestamp",
    "to_unix_timestamp",
    "unix_seconds",
    "unix_millis",
    "unix_micros",
    "unix_date",
    "timestamp_seconds",
    "timestamp_millis",
    "timestamp_micros",
    "date_from_unix_date",
    "from_unixtime",
    "make_timestamp",
    "split",
    "regexp_replace",
    "regexp_extract",
    "size",
    "cardinality",
    "array_size",
    "array_contains",
    "element_at",
    "space",
    "pi",
    "e",
    "equal_null",
    "positive",
    "bit_length",
];

/// Functions whose last digit differs among engines, or that give variants: good for queries, not for rules that all engines must agree on.
pub(super) const INEXACT: &[&str] = &[
    "exp",
    "expm1",
    "ln",
    "log",
    "log10",
    "log2",
    "log1p",
    "pow",
    "power",
    "cbrt",
    "sin",
    "cos",
    "tan",
    "asin",
    "acos",
    "atan",
    "atan2",
    "sinh",
    "cosh",
    "tanh",
    "hypot",
    "parse_json",
];

/// Every name that `call` knows.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    ENTRIES.iter().flat_map(|e| e.names).chain(BY_TYPE).copied()
}

/// The node of a call of a function of the table; the arguments again when there is no function of this name.
pub(super) fn call(name: &str, mut args: Vec<Typed>) -> std::result::Result<Result<Node>, Vec<Typed>> {
    let Some(entry) = ENTRIES.iter().find(|e| e.names.contains(&name)) else { return Err(args) };
    let most = entry.takes.len();
    let least = if entry.repeats { most - 1 } else { most - entry.optional.len() };
    if args.len() < least.max(usize::from(entry.kernel == "hash" || entry.kernel == "xxhash64")) || args.len() > most && !entry.repeats {
        return Ok(Err(wrong_count(name, args.len())));
    }
    if !entry.repeats {
        let missing = most - args.len();
        args.extend(entry.optional[entry.optional.len() - missing..].iter().map(Else::value));
    }
    let given = args.len();
    let node =
        args.into_iter().enumerate().map(|(at, arg)| entry.takes[at.min(most - 1)].take(name, arg)).collect::<Result<Vec<_>>>().and_then(
            |args| {
                debug_assert_eq!(args.len(), given);
                if entry.kernel == "date_format" {
                    pattern(name, &args[1], false)?;
                }
                Ok(Node::Call(entry.kernel.to_owned(), args))
            },
        );
    Ok(node)
}

pub(super) fn wrong_count(name: &str, count: usize) -> Error {
    Error::new(Code::EXPR, format!("the function `{name}` was called with {count} arguments")).with("function", name)
}

/// Checks a literal pattern of dates and times.
pub(super) fn pattern(name: &str, node: &Node, reads: bool) -> Result<()> {
    let refused = |why: String| Error::new(Code::EXPR, format!("`{name}`: {why}")).with("function", name);
    match node {
        Node::Literal(Scalar::String(text), _) => match Pattern::new(text).map_err(&refused)? {
            pattern if reads && !pattern.reads() => Err(refused(format!("the pattern '{text}' cannot be read with"))),
            _ => Ok(()),
        },
        Node::Literal(Scalar::Null, _) => Ok(()),
        _ => Err(refused("its pattern must be a literal".to_owned())),
    }
}

impl Else {
    fn value(&self) -> Typed {
        let value = match self {
            Else::Text(text) => Scalar::String((*text).to_owned()),
            Else::Int(n) => Scalar::Integer(*n),
            Else::True => Scalar::Boolean(true),
        };
        let data_type = type_of(&value);
        (Node::Literal(value, data_type.clone()), data_type)
    }
}

impl Take {
    fn take(self, name: &str, arg: Typed) -> Result<Node> {
        let refused = |arg: &Typed, what: &str| {
            Error::new(Code::EXPR, format!("`{name}`: {} is a {} where {what} is needed", arg.0, arg.1)).with("function", name)
        };
        match self {
            Take::Text => convert(arg, &DataType::String),
            Take::Int if is_number(&arg.1) || matches!(arg.1, DataType::String | DataType::Void) => convert(arg, &DataType::Integer),
            Take::Long if is_number(&arg.1) || matches!(arg.1, DataType::String | DataType::Void) => convert(arg, &DataType::Long),
            Take::Double if is_number(&arg.1) || matches!(arg.1, DataType::String | DataType::Void) => convert(arg, &DataType::Double),
            Take::Int | Take::Long | Take::Double => Err(refused(&arg, "a number")),
            Take::Boolean => convert(arg, &DataType::Boolean),
            Take::Date => convert(arg, &DataType::Date),
            Take::Time if arg.1 == DataType::TimestampNtz => Ok(arg.0),
            Take::Time => convert(arg, &DataType::Timestamp),
            Take::Bytes => match &arg.1 {
                DataType::Binary | DataType::String | DataType::Void => convert(arg, &DataType::Binary),
                _ => Err(refused(&arg, "text or binary")),
            },
            Take::Any => match &arg.1 {
                DataType::Struct(_) | DataType::Array { .. } | DataType::Map { .. } | DataType::Variant | DataType::Unknown(_) => {
                    Err(refused(&arg, "a value without parts"))
                }
                DataType::Void => Ok(Node::null(DataType::Integer)),
                _ => Ok(arg.0),
            },
        }
    }
}

/// The node of a call whose kernel depends on the types of its arguments.
pub(super) fn call_by_type(name: &str, args: Vec<Typed>) -> std::result::Result<Result<Node>, Vec<Typed>> {
    if BY_TYPE.contains(&name) { Ok(by_type(name, args)) } else { Err(args) }
}

fn by_type(name: &str, args: Vec<Typed>) -> Result<Node> {
    use DataType as T;
    let count = args.len();
    let known = |kernel: &str, args: Vec<Node>| Ok(Node::Call(kernel.to_owned(), args));
    let mut given = args.into_iter();
    let mut next = || given.next().unwrap_or((Node::null(T::Void), T::Void));
    let arity = |least: usize, most: usize| if (least..=most).contains(&count) { Ok(()) } else { Err(wrong_count(name, count)) };
    let int = |n: i32| Node::Literal(Scalar::Integer(n), T::Integer);
    let long = |n: i64| Node::Literal(Scalar::Long(n), T::Long);
    match name {
        "instr" | "charindex" => {
            arity(2, 2)?;
            let (a, b) = (Text.take(name, next())?, Text.take(name, next())?);
            let (text, part) = if name == "instr" { (a, b) } else { (b, a) };
            known("locate", vec![part, text, int(1)])
        }
        "log" => {
            arity(1, 2)?;
            let first = Double.take(name, next())?;
            if count == 1 { known("ln", vec![first]) } else { known("log", vec![first, Double.take(name, next())?]) }
        }
        "hex" => {
            arity(1, 1)?;
            let value = next();
            if is_number(&value.1) {
                known("hex_number", vec![Long.take(name, value)?])
            } else {
                known("hex_text", vec![Bytes.take(name, value)?])
            }
        }
        "pmod" => {
            arity(2, 2)?;
            let (a, b) = (next(), next());
            let shared = super::coerce::common_type(&a.1, &b.1).filter(|t| is_integer(t) || is_float(t));
            let Some(shared) = shared else {
                return Err(Error::new(Code::EXPR, format!("`pmod` of {} and {} is not supported", a.1, b.1)).with("function", name));
            };
            if is_integer(&shared) {
                return Ok(Node::Call("pmod_long".to_owned(), vec![convert(a, &T::Long)?, convert(b, &T::Long)?]).cast(shared));
            }
            known("pmod_double", vec![convert(a, &T::Double)?, convert(b, &T::Double)?])
        }
        "round" | "bround" => {
            arity(1, 2)?;
            let value = next();
            let places = if count == 2 { Int.take(name, next())? } else { int(0) };
            round(name, value, places)
        }
        "shiftleft" | "shiftright" => {
            arity(2, 2)?;
            let value = next();
            let to = if value.1 == T::Long { T::Long } else { T::Integer };
            let width = if to == T::Long { "long" } else { "int" };
            let side = if name == "shiftleft" { "left" } else { "right" };
            known(&format!("shift_{side}_{width}"), vec![convert(value, &to)?, Int.take(name, next())?])
        }
        "unix_timestamp" | "to_unix_timestamp" => {
            arity(1, 2)?;
            let value = next();
            let time = if value.1 == T::String {
                let format = if count == 2 { next().0 } else { Node::Literal(Scalar::String("yyyy-MM-dd HH:mm:ss".to_owned()), T::String) };
                pattern(name, &format, true)?;
                Node::Call("parse_time".to_owned(), vec![value.0, format])
            } else {
                Time.take(name, value)?
            };
            known("seconds_toward_zero", vec![time])
        }
        "unix_seconds" | "unix_millis" | "unix_micros" => {
            arity(1, 1)?;
            let unit = if name == "unix_seconds" {
                1_000_000
            } else if name == "unix_millis" {
                1_000
            } else {
                1
            };
            known("units_of_time", vec![convert(next(), &T::Timestamp)?, long(unit)])
        }
        "timestamp_seconds" | "timestamp_millis" | "timestamp_micros" => {
            arity(1, 1)?;
            let unit = if name == "timestamp_seconds" {
                1_000_000
            } else if name == "timestamp_millis" {
                1_000
            } else {
                1
            };
            let value = next();
            if !is_integer(&value.1) && value.1 != T::Void {
                return Err(Error::new(Code::EXPR, format!("`{name}` of a {} is not supported", value.1)).with("function", name));
            }
            known("time_of_units", vec![convert(value, &T::Long)?, long(unit)])
        }
        "unix_date" => arity(1, 1).and_then(|()| Ok(convert(next(), &T::Date)?.cast(T::Integer))),
        "date_from_unix_date" => arity(1, 1).and_then(|()| Ok(Int.take(name, next())?.cast(T::Date))),
        "from_unixtime" => {
            arity(1, 2)?;
            let time = Node::Call("time_of_units".to_owned(), vec![Long.take(name, next())?, long(1_000_000)]);
            let format = if count == 2 { next().0 } else { Node::Literal(Scalar::String("yyyy-MM-dd HH:mm:ss".to_owned()), T::String) };
            pattern(name, &format, false)?;
            known("date_format", vec![time, format])
        }
        "make_timestamp" => {
            arity(6, 6)?;
            let mut parts = (0..5).map(|_| Int.take(name, next())).collect::<Result<Vec<_>>>()?;
            parts.push(convert(next(), &T::Decimal { precision: 16, scale: 6 })?);
            known("make_timestamp", parts)
        }
        "split" => {
            arity(2, 3)?;
            let text = Text.take(name, next())?;
            let separator = match next().0 {
                Node::Literal(Scalar::String(regex), _) => super::regex::plain(&regex),
                _ => None,
            };
            let separator = separator.ok_or_else(|| {
                Error::new(Code::EXPR, "`split` supports only a literal separator that is no pattern").with("function", name)
            })?;
            let limit = if count == 3 { Int.take(name, next())? } else { int(-1) };
            known("split_text", vec![text, Node::Literal(Scalar::String(separator), T::String), limit])
        }
        "regexp_replace" => {
            arity(3, 3)?;
            let (value, regex, by) = (Text.take(name, next())?, next().0, next().0);
            super::regex::replace(value, &regex, &by)
        }
        "regexp_extract" => {
            arity(2, 3)?;
            let (value, regex) = (Text.take(name, next())?, next().0);
            let group = if count == 3 { next().0 } else { int(1) };
            super::regex::extract(value, &regex, &group)
        }
        "size" | "cardinality" | "array_size" => {
            arity(1, 1)?;
            match next() {
                (node, T::Array { .. } | T::Map { .. }) => known("size", vec![node]),
                (node, other) => {
                    Err(Error::new(Code::EXPR, format!("`{name}`: {node} is a {other} and has no size")).with("function", name))
                }
            }
        }
        "array_contains" => {
            arity(2, 2)?;
            match (next(), next()) {
                ((list, T::Array { element, .. }), value) => known("array_contains", vec![list, convert(value, &element)?]),
                ((node, other), _) => {
                    Err(Error::new(Code::EXPR, format!("`{name}`: {node} is a {other} and no array")).with("function", name))
                }
            }
        }
        "element_at" => arity(2, 2).and_then(|()| item("element_at", next(), next())),
        "space" => {
            arity(1, 1)?;
            known("repeat", vec![Node::Literal(Scalar::String(" ".to_owned()), T::String), Int.take(name, next())?])
        }
        "pi" | "e" => {
            arity(0, 0)?;
            let value = if name == "pi" { std::f64::consts::PI } else { std::f64::consts::E };
            Ok(Node::Literal(Scalar::Double(value), T::Double))
        }
        "equal_null" => {
            arity(2, 2)?;
            super::bind::compare(super::node::Comparison::NullSafeEq, next(), next())
        }
        "positive" => arity(1, 1).map(|()| next().0),
        "bit_length" => {
            arity(1, 1)?;
            let bytes = Node::Call("octet_length".to_owned(), vec![Text.take(name, next())?]);
            Ok(Node::Arithmetic(super::node::Arithmetic::Multiply, Box::new(bytes), Box::new(int(8))))
        }
        _ => Err(Error::new(Code::EXPR, format!("the function `{name}` is not supported")).with("function", name)),
    }
}

/// An element of an array or map: `element_at` counts from 1, `item` (written with brackets) from 0.
pub(super) fn item(kernel: &str, (node, data_type): Typed, place: Typed) -> Result<Node> {
    let place = match &data_type {
        DataType::Array { .. } => convert(place, &DataType::Integer)?,
        DataType::Map { key, .. } => convert(place, key)?,
        other => return Err(Error::new(Code::EXPR, format!("{node} is a {other} and has no elements"))),
    };
    Ok(Node::Call(kernel.to_owned(), vec![node, place]))
}

fn round(name: &str, (value, data_type): Typed, places: Node) -> Result<Node> {
    use DataType as T;
    let kernel = |kind: &str| format!("{name}_{kind}");
    let (value, data_type) = match data_type {
        T::Void => (Node::null(T::Integer), T::Integer),
        T::String => (convert((value, T::String), &T::Double)?, T::Double),
        other => (value, other),
    };
    match &data_type {
        t if is_integer(t) => {
            let wide = convert((value, t.clone()), &T::Long)?;
            Ok(Node::Call(kernel("long"), vec![wide, places]).cast(t.clone()))
        }
        T::Float => {
            let wide = value.cast(T::Double);
            Ok(Node::Call(kernel("double"), vec![wide, places]).cast(T::Float))
        }
        T::Double => Ok(Node::Call(kernel("double"), vec![value, places])),
        T::Decimal { precision, scale } => {
            let Node::Literal(Scalar::Integer(places), _) = places else {
                return Err(
                    Error::new(Code::EXPR, format!("`{name}` of a decimal needs a literal number of places")).with("function", name)
                );
            };
            let (p, s) = (i32::from(*precision), i32::from(*scale));
            // As Spark: one digit more than before the point, and the scale that was asked for.
            let (new_precision, new_scale) = if places < 0 {
                ((p - s + 1).max(-places + 1).min(38), 0)
            } else {
                let new_scale = places.min(s);
                ((p - s + 1 + new_scale).min(38), new_scale)
            };
            let to = T::Decimal { precision: new_precision as u8, scale: new_scale as u8 };
            let rounded = Node::Call(kernel("decimal"), vec![value, Node::Literal(Scalar::Integer(places), T::Integer)]);
            Ok(if to == data_type { rounded } else { rounded.cast(to) })
        }
        other => Err(Error::new(Code::EXPR, format!("{value} is a {other} where a number is needed")).with("function", name)),
    }
}
