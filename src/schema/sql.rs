//! SQL column definitions -> types. Kind: pure. Spec: SCH.
//!
//! Spark's dialect: `id BIGINT NOT NULL, tags ARRAY<STRING> COMMENT 'x'`, names in backticks where needed, keywords in any case.

use super::json::decimal;
use super::{DEPTH_MAX, DataType, Field, FieldPath, Struct, metadata_key};
use crate::error::{Code, Error, Result};
use serde_json::Value;

impl Struct {
    /// Decodes SQL column definitions: `id BIGINT NOT NULL, name STRING COMMENT 'x'`. `LB-SCHEMA` with the position of what does not
    /// parse.
    pub fn from_sql(text: &str) -> Result<Struct> {
        let mut parser = Parser { text, at: 0 };
        let fields = parser.fields(0)?;
        parser.skip_space();
        if parser.at < text.len() {
            return Err(parser.expected("`,` or the end"));
        }
        Ok(Struct { fields })
    }
}

impl DataType {
    /// Decodes a type as SQL spells it: `DECIMAL(10,2)`, `ARRAY<INT>`. `LB-SCHEMA` with the position of what does not parse.
    pub fn from_sql(text: &str) -> Result<DataType> {
        let mut parser = Parser { text, at: 0 };
        let data_type = parser.data_type(0)?;
        parser.skip_space();
        if parser.at < text.len() { Err(parser.expected("the end of the type")) } else { Ok(data_type) }
    }
}

/// A column that is to be added to a table.
#[derive(Clone, Debug, PartialEq)]
pub struct NewColumn {
    /// The struct that it goes into; empty for the table itself. `element`, `key` and `value` lead into arrays and maps.
    pub parent: FieldPath,
    pub field: Field,
    pub position: Position,
}

/// Where a column stands among its siblings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Position {
    /// Behind all others.
    #[default]
    Last,
    First,
    /// Behind this one.
    After(String),
}

impl NewColumn {
    /// Decodes SQL: `s.zip STRING COMMENT 'x' AFTER street, id BIGINT FIRST`. `LB-SCHEMA` with the position of what does not parse.
    pub fn from_sql(text: &str) -> Result<Vec<NewColumn>> {
        let mut parser = Parser { text, at: 0 };
        let mut columns = vec![parser.new_column()?];
        while parser.eat(',') {
            columns.push(parser.new_column()?);
        }
        parser.skip_space();
        if parser.at < text.len() { Err(parser.expected("`,` or the end")) } else { Ok(columns) }
    }
}

pub(super) struct Parser<'a> {
    pub(super) text: &'a str,
    /// How many bytes are read.
    pub(super) at: usize,
}

impl<'a> Parser<'a> {
    pub(super) fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }
    pub(super) fn skip_space(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }
    pub(super) fn eat(&mut self, symbol: char) -> bool {
        self.skip_space();
        let found = self.rest().starts_with(symbol);
        self.at += if found { symbol.len_utf8() } else { 0 };
        found
    }
    pub(super) fn need(&mut self, symbol: char) -> Result<()> {
        if self.eat(symbol) { Ok(()) } else { Err(self.expected(&format!("`{symbol}`"))) }
    }
    /// The next bare word, not yet read.
    pub(super) fn peek_word(&mut self) -> &'a str {
        self.skip_space();
        let rest = self.rest();
        &rest[..rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())]
    }
    pub(super) fn eat_word(&mut self, keyword: &str) -> bool {
        let word = self.peek_word();
        let found = word.eq_ignore_ascii_case(keyword);
        self.at += if found { word.len() } else { 0 };
        found
    }
    pub(super) fn expected(&self, what: &str) -> Error {
        let found: String = self.rest().chars().take(20).collect();
        let found = if found.is_empty() { "the end".to_owned() } else { format!("`{found}`") };
        Error::new(Code::SCHEMA, format!("the column definitions do not parse: expected {what}, found {found}"))
            .with("position", self.text[..self.at].chars().count() + 1)
            .help("write them as `id BIGINT NOT NULL, name STRING COMMENT 'text'`")
    }

    /// Fields up to what is not a comma; `depth` is 0 for the columns of the table.
    fn fields(&mut self, depth: usize) -> Result<Vec<Field>> {
        let mut fields = vec![self.field(depth)?];
        while self.eat(',') {
            fields.push(self.field(depth)?);
        }
        Ok(fields)
    }

    fn field(&mut self, depth: usize) -> Result<Field> {
        let name = self.name()?;
        if depth > 0 {
            self.eat(':');
        }
        self.field_named(name, depth)
    }

    /// What follows the name of a field.
    fn field_named(&mut self, name: String, depth: usize) -> Result<Field> {
        let word = self.peek_word();
        let start = self.at;
        let mut field = Field::new(name, DataType::String, true);
        if ["char", "character", "varchar"].iter().any(|kind| word.eq_ignore_ascii_case(kind)) {
            self.at += word.len();
            let length = self.arguments()?.filter(|n| n.trim().parse::<u32>().is_ok_and(|n| n > 0));
            let length = length.ok_or_else(|| self.expected("a length such as `(10)`"))?;
            if depth > 0 {
                self.at = start;
                return Err(self.expected("a type that may be nested: text of limited length stands only in columns of the table"));
            }
            let kind = if word.eq_ignore_ascii_case("varchar") { "varchar" } else { "char" };
            field.metadata.insert(metadata_key::CHAR_VARCHAR.to_owned(), Value::String(format!("{kind}({})", length.trim())));
        } else {
            field.data_type = self.data_type(depth)?;
        }
        loop {
            if field.nullable && self.eat_word("not") {
                if !self.eat_word("null") {
                    return Err(self.expected("`NULL`"));
                }
                field.nullable = false;
            } else if !field.metadata.contains_key(metadata_key::COMMENT) && self.eat_word("comment") {
                field.metadata.insert(metadata_key::COMMENT.to_owned(), Value::String(self.quoted_text()?));
            } else if depth == 0 && self.eat_word("generated") {
                self.generated(&mut field)?;
            } else if depth == 0 && self.eat_word("default") {
                self.default_value(&mut field)?;
            } else if !self.eat_word("null") {
                return Ok(field);
            }
        }
    }

    fn new_column(&mut self) -> Result<NewColumn> {
        let mut parent = Vec::new();
        let mut name = self.name()?;
        while self.eat('.') {
            parent.push(std::mem::replace(&mut name, self.name()?));
        }
        let field = self.field_named(name, 0)?;
        if field.metadata.contains_key(metadata_key::CURRENT_DEFAULT) || self.peek_word().eq_ignore_ascii_case("default") {
            return Err(Error::new(Code::SCHEMA, "a column that is added to a table cannot have a default from the start")
                .with("column", &field.name)
                .help("add the column, then set its default: rows that are there keep null"));
        }
        let position = if self.eat_word("first") {
            Position::First
        } else if self.eat_word("after") {
            Position::After(self.name()?)
        } else {
            Position::Last
        };
        Ok(NewColumn { parent, field, position })
    }

    fn name(&mut self) -> Result<String> {
        if self.eat('`') {
            return self.until('`');
        }
        let word = self.peek_word();
        if word.is_empty() {
            return Err(self.expected("a column name"));
        }
        self.at += word.len();
        Ok(word.to_owned())
    }

    fn quoted_text(&mut self) -> Result<String> {
        for quote in ['\'', '"'] {
            if self.eat(quote) {
                return self.until(quote);
            }
        }
        Err(self.expected("a text in quotes"))
    }

    /// Text up to the closing quote; a doubled quote stands for one, and a backslash keeps what follows it.
    pub(super) fn until(&mut self, quote: char) -> Result<String> {
        let mut text = String::new();
        let mut chars = self.rest().char_indices().peekable();
        while let Some((i, c)) = chars.next() {
            if c == '\\' && quote != '`' {
                text.extend(chars.next().map(|(_, kept)| kept));
            } else if c != quote {
                text.push(c);
            } else if chars.peek().is_some_and(|(_, next)| *next == quote) {
                chars.next();
                text.push(quote);
            } else {
                self.at += i + quote.len_utf8();
                return Ok(text);
            }
        }
        self.at = self.text.len();
        Err(self.expected(&format!("a closing `{quote}`")))
    }

    /// What stands in parentheses.
    fn arguments(&mut self) -> Result<Option<&'a str>> {
        if !self.eat('(') {
            return Ok(None);
        }
        let rest = self.rest();
        let end = rest.find(')').ok_or_else(|| self.expected("a closing `)`"))?;
        self.at += end + 1;
        Ok(Some(&rest[..end]))
    }

    fn data_type(&mut self, depth: usize) -> Result<DataType> {
        if depth >= DEPTH_MAX {
            return Err(self.expected(&format!("at most {DEPTH_MAX} levels of nested types")));
        }
        let word = self.peek_word();
        let start = self.at;
        self.at += word.len();
        if let Some(simple) = simple_type(word) {
            return Ok(simple);
        }
        Ok(match word.to_ascii_lowercase().as_str() {
            "decimal" | "dec" | "numeric" => {
                let arguments = self.arguments()?.unwrap_or("10,0");
                decimal(arguments).ok_or_else(|| self.expected("a decimal of 1 to 38 digits, such as `DECIMAL(10,2)`"))?
            }
            "array" => {
                self.need('<')?;
                let element = Box::new(self.data_type(depth + 1)?);
                self.need('>')?;
                DataType::Array { element, contains_null: true }
            }
            "map" => {
                self.need('<')?;
                let key = Box::new(self.data_type(depth + 1)?);
                self.need(',')?;
                let value = Box::new(self.data_type(depth + 1)?);
                self.need('>')?;
                DataType::Map { key, value, value_contains_null: true }
            }
            "struct" => {
                self.need('<')?;
                let fields = self.fields(depth + 1)?;
                self.need('>')?;
                DataType::Struct(Struct { fields })
            }
            _ => {
                self.at = start;
                return Err(self.expected("a type"));
            }
        })
    }
}

/// The type that a single word of SQL names.
pub(crate) fn simple_type(word: &str) -> Option<DataType> {
    Some(match word.to_ascii_lowercase().as_str() {
        "bigint" | "long" => DataType::Long,
        "int" | "integer" => DataType::Integer,
        "smallint" | "short" => DataType::Short,
        "tinyint" | "byte" => DataType::Byte,
        "float" | "real" => DataType::Float,
        "double" => DataType::Double,
        "boolean" => DataType::Boolean,
        "string" => DataType::String,
        "binary" => DataType::Binary,
        "date" => DataType::Date,
        "timestamp" | "timestamp_ltz" => DataType::Timestamp,
        "timestamp_ntz" => DataType::TimestampNtz,
        "void" => DataType::Void,
        "variant" => DataType::Variant,
        _ => return None,
    })
}

#[cfg(test)]
#[path = "sql_tests.rs"]
mod tests;
