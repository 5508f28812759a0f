//! The clauses of SQL column definitions that say where values come from. Kind: pure. Spec: SCH.
//!
//! Expressions are kept as they are written; what they mean is checked when a table is made.

use super::sql::Parser;
use super::{DataType, Field, metadata_key};
use crate::error::Result;
use serde_json::Value;

impl Parser<'_> {
    /// `GENERATED ALWAYS AS (…)` or `GENERATED ALWAYS|BY DEFAULT AS IDENTITY (START WITH s INCREMENT BY i)`, after its first word.
    pub(super) fn generated(&mut self, field: &mut Field) -> Result<()> {
        self.first_source(field)?;
        let explicit = if self.eat_word("by") {
            self.need_word("default")?;
            true
        } else {
            self.need_word("always")?;
            false
        };
        self.need_word("as")?;
        if !explicit && !self.peek_word().eq_ignore_ascii_case("identity") {
            self.need('(')?;
            let text = self.raw(&|parser| parser.rest().starts_with(')'))?;
            self.need(')')?;
            field.metadata.insert(metadata_key::GENERATION_EXPRESSION.to_owned(), Value::String(text));
            return Ok(());
        }
        self.need_word("identity")?;
        if field.data_type != DataType::Long {
            return Err(self.expected("an identity column of type BIGINT"));
        }
        let (mut start, mut step) = (None, None);
        if self.eat('(') {
            loop {
                if start.is_none() && self.eat_word("start") {
                    self.need_word("with")?;
                    start = Some(self.number()?);
                } else if step.is_none() && self.eat_word("increment") {
                    self.need_word("by")?;
                    step = Some(self.number()?);
                    if step == Some(0) {
                        return Err(self.expected("a step that is not 0"));
                    }
                } else {
                    self.need(')')?;
                    break;
                }
            }
        }
        let mut set = |key: &str, value: Value| field.metadata.insert(format!("{}{key}", metadata_key::IDENTITY_PREFIX), value);
        set("step", step.unwrap_or(1).into());
        set("allowExplicitInsert", explicit.into());
        set("start", start.unwrap_or(1).into());
        Ok(())
    }

    /// `DEFAULT …`, after its first word.
    pub(super) fn default_value(&mut self, field: &mut Field) -> Result<()> {
        self.first_source(field)?;
        let text = self.raw(&|parser| {
            let rest = parser.rest();
            let word = |word: &str| {
                rest.get(..word.len()).is_some_and(|text| text.eq_ignore_ascii_case(word))
                    && !rest[word.len()..].starts_with(|c: char| c.is_alphanumeric() || c == '_')
            };
            let not_null = || word("not") && rest[3..].trim_start().get(..4).is_some_and(|text| text.eq_ignore_ascii_case("null"));
            rest.starts_with(',') || parser.after_space() && (["comment", "generated", "default"].into_iter().any(word) || not_null())
        })?;
        field.metadata.insert(metadata_key::CURRENT_DEFAULT.to_owned(), Value::String(text));
        Ok(())
    }

    /// A column's values come from one place.
    fn first_source(&self, field: &Field) -> Result<()> {
        let taken = |key: &str| key == metadata_key::CURRENT_DEFAULT || key == metadata_key::GENERATION_EXPRESSION;
        if field.metadata.keys().any(|key| taken(key) || key.starts_with(metadata_key::IDENTITY_PREFIX)) {
            return Err(self.expected("one of DEFAULT and GENERATED, once"));
        }
        Ok(())
    }

    fn need_word(&mut self, word: &str) -> Result<()> {
        if self.eat_word(word) { Ok(()) } else { Err(self.expected(&format!("`{}`", word.to_uppercase()))) }
    }

    fn number(&mut self) -> Result<i64> {
        self.skip_space();
        let rest = self.rest();
        let sign = usize::from(rest.starts_with(['-', '+']));
        let end = rest[sign..].find(|c: char| !c.is_ascii_digit()).map_or(rest.len(), |n| n + sign);
        let number = rest[..end].parse().map_err(|_| self.expected("a whole number of 64 bits"))?;
        self.at += end;
        Ok(number)
    }

    /// The text up to where `ends` says so, outside of quotes and parentheses; it is not empty.
    fn raw(&mut self, ends: &dyn Fn(&Parser<'_>) -> bool) -> Result<String> {
        self.skip_space();
        let (start, mut depth) = (self.at, 0usize);
        while let Some(c) = self.rest().chars().next() {
            if depth == 0 && ends(self) {
                break;
            }
            match c {
                '\'' | '"' | '`' => {
                    self.at += c.len_utf8();
                    self.until(c)?;
                    continue;
                }
                '(' | '[' => depth += 1,
                ')' | ']' if depth == 0 => break,
                ')' | ']' => depth -= 1,
                _ => {}
            }
            self.at += c.len_utf8();
        }
        let text = self.text[start..self.at].trim();
        if text.is_empty() || depth > 0 {
            return Err(self.expected("an expression"));
        }
        Ok(text.to_owned())
    }

    /// Whether the last character that was read is a blank.
    fn after_space(&self) -> bool {
        self.text[..self.at].ends_with(char::is_whitespace)
    }
}

#[cfg(test)]
#[path = "sql_clauses_tests.rs"]
mod tests;
