//! The tokens of a query as the parser wants them. Kind: pure. Spec: SQL.
//!
//! What Spark writes in ways that the parser does not know is written in the way that it does: `t@v3`, `FOR VERSION AS OF`, `5L`,
//! `_metadata.file_path`. Quoted names are put into lower case, as unquoted ones will be, because Spark compares names without
//! regard to case; how they were spelled is kept for the columns of the result.

use crate::error::{Code, Error, Result};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan, Word};
use std::collections::HashMap;

/// The prefix of hidden columns.
pub(super) const HIDDEN: &str = "_metadata";

/// What a query's tokens became.
#[derive(Debug, Default)]
pub(super) struct Rewritten {
    pub tokens: Vec<TokenWithSpan>,
    /// How names that were quoted were spelled, by where they stand.
    pub spelled: HashMap<Location, String>,
    /// The hidden columns that the query names, each with its prefix.
    pub hidden: Vec<String>,
}

fn word(value: &str) -> Token {
    Token::make_word(value, None)
}

fn quoted(value: &str) -> Token {
    Token::Word(Word { value: value.to_owned(), quote_style: Some('`'), keyword: Keyword::NoKeyword })
}

fn is(token: Option<&TokenWithSpan>, expected: &str) -> bool {
    matches!(token.map(|t| &t.token), Some(Token::Word(w)) if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(expected))
}

fn is_punctuation(token: Option<&TokenWithSpan>, expected: &Token) -> bool {
    token.is_some_and(|t| t.token == *expected)
}

/// Rewrites the tokens of a query. `LB-SQL` for what is written in Spark's way but means nothing.
pub(super) fn rewritten(tokens: Vec<TokenWithSpan>) -> Result<Rewritten> {
    let tokens: Vec<TokenWithSpan> = tokens.into_iter().filter(|t| !matches!(t.token, Token::Whitespace(_))).collect();
    let mut out = Rewritten::default();
    let mut at = 0;
    while let Some(found) = tokens.get(at) {
        let next = |ahead: usize| tokens.get(at + ahead);
        let span = found.span;
        let mut push = |tokens: &[Token]| out.tokens.extend(tokens.iter().map(|t| TokenWithSpan { token: t.clone(), span }));
        let mut taken = 1;
        match &found.token {
            Token::Word(w) if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(HIDDEN) => {
                let Some(Token::Word(field)) = next(2).map(|t| &t.token).filter(|_| is_punctuation(next(1), &Token::Period)) else {
                    return Err(Error::new(Code::SQL, "a hidden column is read by its name, not all of them at once")
                        .help("write _metadata.file_path, _metadata.row_index, _metadata.row_id or _metadata.row_commit_version"));
                };
                let name = format!("{HIDDEN}.{}", field.value.to_lowercase());
                if let Some(field_at) = next(2) {
                    out.spelled.insert(span.start, field.value.clone());
                    out.tokens.push(TokenWithSpan { token: quoted(&name), span: field_at.span });
                    out.spelled.insert(field_at.span.start, field.value.clone());
                }
                if !out.hidden.contains(&name) {
                    out.hidden.push(name);
                }
                taken = 3;
            }
            Token::Word(w) if w.quote_style.is_some() => {
                let names_location = is_punctuation(at.checked_sub(1).and_then(|i| tokens.get(i)), &Token::Period)
                    && is(at.checked_sub(2).and_then(|i| tokens.get(i)), "delta");
                if names_location {
                    push(std::slice::from_ref(&found.token));
                } else {
                    push(&[quoted(&w.value.to_lowercase())]);
                    out.spelled.insert(span.start, w.value.clone());
                }
            }
            Token::AtSign => {
                let (clause, used) = match next(1).map(|t| &t.token) {
                    Some(Token::Word(w)) => (version_suffix(&w.value), 2),
                    Some(Token::Number(digits, _)) => (timestamp_suffix(digits), 2),
                    _ => (None, 1),
                };
                let clause = clause.ok_or_else(|| {
                    Error::new(Code::SQL, "what follows `@` picks no version").help("write t@v12, or t@20261121100000000 for a time")
                })?;
                push(&clause);
                taken = used;
            }
            Token::Word(_) if is(Some(found), "for") && is(next(2), "as") && is(next(3), "of") => {}
            Token::Word(_)
                if (is(Some(found), "version") || is(Some(found), "system_version")) && is(next(1), "as") && is(next(2), "of") =>
            {
                let number = match next(3).map(|t| &t.token) {
                    Some(Token::SingleQuotedString(digits) | Token::DoubleQuotedString(digits)) => digits.clone(),
                    Some(Token::Number(digits, _)) => digits.clone(),
                    _ => String::new(),
                };
                if number.parse::<u64>().is_err() {
                    return Err(Error::new(Code::SQL, "VERSION AS OF needs a number"));
                }
                push(&[word("VERSION"), word("AS"), word("OF"), Token::Number(number, false)]);
                taken = 4;
            }
            Token::Word(_) if is(Some(found), "system_time") && is(next(1), "as") && is(next(2), "of") => push(&[word("TIMESTAMP")]),
            Token::Word(_) if is(Some(found), "interval") => {
                push(std::slice::from_ref(&found.token));
                let (parts, used) = interval(tokens.get(at + 1..).unwrap_or_default());
                // The parser knows one number with its unit, or a text with several.
                if used > 2 {
                    push(&[Token::SingleQuotedString(parts)]);
                    taken += used;
                }
            }
            Token::Number(digits, _) => {
                let glued = next(1).filter(|t| t.span.start == span.end);
                let suffix = glued.and_then(|t| if let Token::Word(w) = &t.token { number_type(&w.value) } else { None });
                let exponent = digits.contains(['e', 'E']).then_some("DOUBLE");
                let long = if let Token::Number(_, true) = found.token { Some("BIGINT") } else { exponent };
                match suffix.or(long) {
                    Some("DECIMAL") => {
                        push(&[Token::Number(decimal_digits(digits), false)]);
                        taken = 2;
                    }
                    Some(number_type) => {
                        push(&[
                            word("CAST"),
                            Token::LParen,
                            Token::Number(digits.clone(), false),
                            word("AS"),
                            word(number_type),
                            Token::RParen,
                        ]);
                        taken = if suffix.is_some() { 2 } else { 1 };
                    }
                    None => push(std::slice::from_ref(&found.token)),
                }
            }
            other => push(std::slice::from_ref(other)),
        }
        at += taken;
    }
    Ok(out)
}

/// The text of `1 YEAR 2 MONTHS` at the start of `tokens`, and how many of them it takes.
fn interval(tokens: &[TokenWithSpan]) -> (String, usize) {
    let pairs = tokens.chunks_exact(2).map_while(|pair| match pair {
        [TokenWithSpan { token: Token::Number(n, false), .. }, TokenWithSpan { token: Token::Word(unit), .. }] => {
            Some(format!("{n} {unit}"))
        }
        _ => None,
    });
    let pairs: Vec<String> = pairs.collect();
    (pairs.join(" "), pairs.len() * 2)
}

/// The type of a number with this suffix.
fn number_type(suffix: &str) -> Option<&'static str> {
    Some(match suffix.to_ascii_uppercase().as_str() {
        "L" => "BIGINT",
        "S" => "SMALLINT",
        "Y" => "TINYINT",
        "D" => "DOUBLE",
        "F" => "FLOAT",
        "BD" => "DECIMAL",
        _ => return None,
    })
}

/// Digits with a fraction, which makes them a decimal.
fn decimal_digits(digits: &str) -> String {
    if digits.contains('.') { digits.to_owned() } else { format!("{digits}.") }
}

fn version_suffix(text: &str) -> Option<Vec<Token>> {
    let digits = text.strip_prefix(['v', 'V']).filter(|digits| digits.parse::<u64>().is_ok())?;
    Some(vec![word("VERSION"), word("AS"), word("OF"), Token::Number(digits.to_owned(), false)])
}

/// `yyyyMMddHHmmssSSS`.
fn timestamp_suffix(digits: &str) -> Option<Vec<Token>> {
    if digits.len() != 17 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let part = |from: usize, to: usize| &digits[from..to];
    let text = format!("{}-{}-{} {}:{}:{}.{}", part(0, 4), part(4, 6), part(6, 8), part(8, 10), part(10, 12), part(12, 14), part(14, 17));
    Some(vec![word("TIMESTAMP"), word("AS"), word("OF"), Token::SingleQuotedString(text)])
}

#[cfg(test)]
#[path = "tokens_tests.rs"]
mod tests;
