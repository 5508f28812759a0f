//! One function or conversion over values from elsewhere. Kind: pure. Spec: EXP.
//!
//! Who plans with other expressions asks here what a call means, so that it has one meaning everywhere.

use super::eval::BoundExpr;
use super::node::{Expr, Node};
use super::{functions, library};
use crate::error::Result;
use crate::schema::{DataType, Field, Scalar, Struct};

/// What is computed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Operation {
    /// A function by its name in lower case.
    Call(String),
    /// `lenient`: what does not convert is null.
    Cast { to: DataType, lenient: bool },
}

/// A value for the operation: known, or only its type.
#[derive(Clone, Debug)]
pub(crate) struct Argument {
    pub data_type: DataType,
    pub value: Option<Scalar>,
}

/// The name of the column that stands for an argument.
pub(crate) fn placeholder(at: usize) -> String {
    format!("argument {}", at + 1)
}

/// Every function that expressions may call.
pub(crate) fn function_names() -> impl Iterator<Item = &'static str> {
    library::names().chain(functions::NAMES.iter().copied())
}

/// The function that a part of a time is by the name that EXTRACT knows; not of seconds, which are a decimal there.
pub(crate) fn part_of_time(part: &str) -> Option<&'static str> {
    Some(match part {
        "year" | "years" | "y" | "yr" | "yrs" => "year",
        "quarter" | "qtr" => "quarter",
        "month" | "months" | "mon" | "mons" => "month",
        "week" | "weeks" | "w" => "week",
        "day" | "days" | "d" => "day",
        "dayofweek" | "dow" => "dayofweek",
        "doy" => "dayofyear",
        "hour" | "hours" | "h" | "hr" | "hrs" => "hour",
        "minute" | "minutes" | "m" | "min" | "mins" => "minute",
        _ => return None,
    })
}

impl Operation {
    /// The operation over expressions.
    pub fn of(&self, mut args: Vec<Expr>) -> Expr {
        let node = match self {
            Operation::Call(name) => Node::Call(name.clone(), args.into_iter().map(|arg| arg.node).collect()),
            Operation::Cast { to, lenient } => {
                let value = args.pop().map_or_else(|| Node::null(DataType::Void), |arg| arg.node);
                Node::Cast { value: Box::new(value), to: to.clone(), lenient: *lenient }
            }
        };
        Expr { node }
    }
    /// Bound over columns that are named by `placeholder`. `LB-EXPR` when the operation does not take such values.
    pub fn bind(&self, args: &[Argument]) -> Result<BoundExpr> {
        let nodes = args.iter().enumerate().map(|(at, arg)| Expr {
            node: match &arg.value {
                Some(value) => Node::Literal(value.clone(), arg.data_type.clone()),
                None => Node::Column(vec![placeholder(at)]),
            },
        });
        let fields = args.iter().enumerate().map(|(at, arg)| Field::new(placeholder(at), arg.data_type.clone(), true));
        self.of(nodes.collect()).bind(&Struct { fields: fields.collect() })
    }
}
