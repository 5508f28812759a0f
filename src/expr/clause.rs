//! The clauses of MERGE: SQL text -> which rows, and what is done to them. Kind: pure. Spec: MRG.

use super::node::Expr;
use super::parse::Parser;
use crate::error::{Code, Error, Result};
use crate::schema::FieldPath;
use datafusion_sql::sqlparser::tokenizer::Token;

/// How many clauses a merge may have.
const CLAUSES_MAX: usize = 1_000;

/// Which rows a clause is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MergeRows {
    /// Pairs of a target row and a source row for which the ON condition is TRUE.
    Matched,
    /// Source rows that match no target row.
    NotMatched,
    /// Target rows that match no source row.
    NotMatchedBySource,
}

/// What columns get.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Assignments {
    /// `*`: every column that of the same name in the source.
    All,
    List(Vec<(FieldPath, Expr)>),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum MergeAction {
    Delete,
    Update(Assignments),
    Insert(Assignments),
}

/// One clause of a merge: `MATCHED AND t.a < s.a THEN UPDATE SET *`.
#[derive(Clone, Debug, PartialEq)]
pub struct MergeClause {
    pub(crate) rows: MergeRows,
    pub(crate) condition: Option<Expr>,
    pub(crate) action: MergeAction,
}

impl MergeClause {
    /// The clause that SQL text spells; the word WHEN in front may be left out. `LB-EXPR` with the position when it does not parse, or
    /// when the action does not go with the rows.
    pub fn sql(text: &str) -> Result<MergeClause> {
        let mut parser = Parser::new(text)?;
        parser.take_word("when");
        let clause = clause(&mut parser)?;
        parser.end("the end of the clause")?;
        Ok(clause)
    }
    /// The clauses of a statement, from the first WHEN to its end.
    pub fn sql_all(text: &str) -> Result<Vec<MergeClause>> {
        let mut parser = Parser::new(text)?;
        let mut clauses = Vec::new();
        while parser.take_word("when") {
            clauses.push(clause(&mut parser)?);
            if clauses.len() > CLAUSES_MAX {
                return Err(Error::new(Code::LIMIT, format!("a merge has more than {CLAUSES_MAX} clauses")));
            }
        }
        parser.take(&Token::SemiColon);
        parser.end("WHEN, or the end of the statement")?;
        Ok(clauses)
    }
}

fn clause(parser: &mut Parser<'_>) -> Result<MergeClause> {
    let negative = parser.take_word("not");
    parser.expect_word("matched")?;
    let mut rows = if negative { MergeRows::NotMatched } else { MergeRows::Matched };
    if negative && parser.take_word("by") {
        if parser.take_word("source") {
            rows = MergeRows::NotMatchedBySource;
        } else {
            parser.expect_word("target")?;
        }
    }
    let condition = if parser.take_word("and") { Some(Expr { node: parser.expr()? }) } else { None };
    parser.expect_word("then")?;
    let action = match rows {
        MergeRows::NotMatched => {
            parser.expect_word("insert")?;
            insert(parser)?
        }
        _ if parser.take_word("delete") => MergeAction::Delete,
        _ if parser.take_word("update") => update(parser, rows)?,
        _ => return Err(parser.unexpected("UPDATE or DELETE")),
    };
    Ok(MergeClause { rows, condition, action })
}

fn update(parser: &mut Parser<'_>, rows: MergeRows) -> Result<MergeAction> {
    parser.expect_word("set")?;
    if rows == MergeRows::Matched && parser.take(&Token::Mul) {
        return Ok(MergeAction::Update(Assignments::All));
    }
    let mut list = Vec::new();
    loop {
        let first = parser.name()?;
        let column = parser.path(first)?;
        if !parser.take(&Token::DoubleEq) {
            parser.expect(&Token::Eq)?;
        }
        list.push((column, Expr { node: parser.expr()? }));
        if !parser.take(&Token::Comma) {
            return Ok(MergeAction::Update(Assignments::List(list)));
        }
    }
}

fn insert(parser: &mut Parser<'_>) -> Result<MergeAction> {
    if parser.take(&Token::Mul) {
        return Ok(MergeAction::Insert(Assignments::All));
    }
    parser.expect(&Token::LParen)?;
    let mut columns = Vec::new();
    loop {
        let first = parser.name()?;
        columns.push(parser.path(first)?);
        if !parser.take(&Token::Comma) {
            break;
        }
    }
    parser.expect(&Token::RParen)?;
    parser.expect_word("values")?;
    parser.expect(&Token::LParen)?;
    let mut values = Vec::new();
    loop {
        values.push(Expr { node: parser.expr()? });
        if !parser.take(&Token::Comma) {
            break;
        }
    }
    if values.len() != columns.len() {
        return Err(Error::new(Code::EXPR, format!("INSERT names {} columns and gives {} values", columns.len(), values.len())));
    }
    parser.expect(&Token::RParen)?;
    Ok(MergeAction::Insert(Assignments::List(columns.into_iter().zip(values).collect())))
}

#[cfg(test)]
#[path = "clause_tests.rs"]
mod tests;
