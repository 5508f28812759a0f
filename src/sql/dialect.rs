//! Spark's dialect, as the tokenizer and the parser ask for it. Kind: pure. Spec: SQL.

use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr};
use datafusion::sql::sqlparser::dialect::{DatabricksDialect, Dialect};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use std::any::TypeId;

/// Backticks quote names, both other quotes quote text, a backslash escapes in text.
#[derive(Debug)]
pub(super) struct SparkDialect;

macro_rules! supported {
    ($($name:ident)*) => { $(fn $name(&self) -> bool { true })* };
}

impl Dialect for SparkDialect {
    fn dialect(&self) -> TypeId {
        // The parser asks by type in a few places, and Databricks' answers are Spark's.
        DatabricksDialect {}.dialect()
    }
    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        ch == '`'
    }
    fn is_identifier_start(&self, ch: char) -> bool {
        ch.is_alphabetic() || ch == '_'
    }
    fn is_identifier_part(&self, ch: char) -> bool {
        ch.is_alphanumeric() || ch == '_'
    }
    supported! {
        supports_string_literal_backslash_escape
        ignores_wildcard_escapes
        supports_table_versioning
        supports_filter_during_aggregation
        supports_group_by_expr
        supports_group_by_with_modifier
        supports_lambda_functions
        supports_select_wildcard_except
        supports_struct_literal
        supports_nested_comments
        supports_long_type_as_bigint
        supports_values_as_table_factor
        supports_bang_not_operator
        supports_select_item_multi_column_alias
        supports_cte_without_as
        supports_map_literal_with_angle_brackets
    }
    fn parse_infix(&self, parser: &mut Parser, left: &Expr, precedence: u8) -> Option<Result<Expr, ParserError>> {
        if !parser.parse_keyword(Keyword::DIV) {
            return None;
        }
        let right = parser.parse_subexpr(precedence);
        Some(right.map(|right| Expr::BinaryOp {
            left: Box::new(left.clone()),
            op: BinaryOperator::MyIntegerDivide,
            right: Box::new(right),
        }))
    }
}
