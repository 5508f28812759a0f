//! The length that `CHAR(n)` and `VARCHAR(n)` set to the text of a column. Kind: pure. Spec: SCH, DAT.
//!
//! The table knows both as strings; the declared type stands in the metadata of the column. Readers need not know it, writers must.

use super::{DataType, Field, Struct, any_field, metadata_key};
use crate::error::{Code, Error, Result};
use std::borrow::Cow;

/// How far a column of CHAR is filled up; a hostile log could ask for any number.
const CHAR_MAX: usize = 65_535;

/// How long the text of a column is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TextLimit {
    /// Counted in Unicode characters.
    chars: usize,
    /// CHAR: shorter text is filled up with blanks.
    fills: bool,
}

impl TextLimit {
    /// The limit of a column, if it has one. `LB-FEATURE-WRITE` for one that this build cannot keep.
    pub(crate) fn of(field: &Field) -> Result<Option<TextLimit>> {
        let Some(declared) = field.metadata.get(metadata_key::CHAR_VARCHAR) else { return Ok(None) };
        let limit = declared.as_str().filter(|_| field.data_type == DataType::String).and_then(TextLimit::parse);
        limit.map(Some).ok_or_else(|| {
            Error::new(Code::FEATURE_WRITE, "the length that the column's declared type sets to its text cannot be enforced")
                .with("column", &field.name)
                .with("declared", declared)
                .help("only CHAR of up to 65535 characters and VARCHAR, as columns of their own, can be written")
        })
    }

    /// The length to which text is filled up; `None` for VARCHAR.
    pub(crate) fn filled(&self) -> Option<usize> {
        self.fills.then_some(self.chars)
    }

    fn parse(declared: &str) -> Option<TextLimit> {
        let (kind, length) = declared.trim().strip_suffix(')')?.split_once('(')?;
        let chars = length.trim().parse().ok().filter(|n| *n > 0)?;
        let fills = kind.trim().eq_ignore_ascii_case("char");
        let known = fills && chars <= CHAR_MAX || kind.trim().eq_ignore_ascii_case("varchar");
        known.then_some(TextLimit { chars, fills })
    }

    /// The text as it is stored: blanks beyond the limit are cut off, CHAR is filled up. `None` when it is too long.
    pub(crate) fn stored<'a>(&self, text: &'a str) -> Option<Cow<'a, str>> {
        if !self.fills && text.len() <= self.chars {
            return Some(Cow::Borrowed(text));
        }
        if let Some((end, _)) = text.char_indices().nth(self.chars) {
            return text[end..].bytes().all(|b| b == b' ').then(|| Cow::Borrowed(&text[..end]));
        }
        if !self.fills {
            return Some(Cow::Borrowed(text));
        }
        let missing = self.chars - text.chars().count();
        Some(if missing == 0 { Cow::Borrowed(text) } else { Cow::Owned(format!("{text}{}", " ".repeat(missing))) })
    }
}

/// `LB-FEATURE-WRITE` names the first column whose text has a limit that this build cannot keep.
pub(crate) fn check_text_limits(schema: &Struct) -> Result<()> {
    for field in &schema.fields {
        TextLimit::of(field)?;
        let one = Struct { fields: vec![Field::new("", field.data_type.clone(), true)] };
        if any_field(&one, |inner| inner.metadata.contains_key(metadata_key::CHAR_VARCHAR)) {
            return Err(Error::new(Code::FEATURE_WRITE, "the length of text inside the column cannot be enforced")
                .with("column", &field.name)
                .help("write the table with the engine that made it"));
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "text_limit_tests.rs"]
mod tests;
