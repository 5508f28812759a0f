//! A statement as tokens that know where they stand in its text. Kind: pure. Spec: SQL.
//!
//! Clauses that operations take as text (conditions, column definitions, clauses of MERGE) are cut out of the statement as they
//! were written, and parsed where they belong.

use super::dialect::SparkDialect;
use crate::error::{Code, Error, Result};
use datafusion::sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};

/// How long a statement may be.
const TEXT_MAX: usize = 16 << 20;
/// How deep parentheses may lie in each other.
const DEPTH_MAX: usize = 64;

/// A token and the bytes of the text that it takes.
#[derive(Debug)]
struct Piece {
    token: Token,
    start: usize,
    end: usize,
}

/// The tokens of a statement, read from the front.
#[derive(Debug)]
pub(super) struct Words<'a> {
    text: &'a str,
    pieces: Vec<Piece>,
    at: usize,
}

/// The tokens of a text, spaces and comments among them. `LB-SQL` with the position of what is no token.
pub(super) fn tokens(text: &str) -> Result<Vec<TokenWithSpan>> {
    if text.len() > TEXT_MAX {
        return Err(Error::new(Code::LIMIT, format!("the statement has {} bytes; the limit is {TEXT_MAX}", text.len())));
    }
    let tokens = Tokenizer::new(&SparkDialect, text).tokenize_with_location().map_err(|e| {
        Error::new(Code::SQL, format!("the statement does not parse: {}", e.message))
            .with("line", e.location.line)
            .with("column", e.location.column)
    })?;
    let mut depth = 0usize;
    for token in &tokens {
        match token.token {
            Token::LParen | Token::LBracket | Token::LBrace => depth += 1,
            Token::RParen | Token::RBracket | Token::RBrace => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEPTH_MAX {
            return Err(Error::new(Code::LIMIT, format!("the statement nests deeper than {DEPTH_MAX} levels")));
        }
    }
    Ok(tokens)
}

/// The text of an expression over one table, its columns without the name that the statement gives the table.
pub(super) fn without_qualifier(text: &str, name: &str) -> Result<String> {
    let words = Words::new(text)?;
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for (i, piece) in words.pieces.iter().enumerate() {
        let follows = |ahead: usize| words.pieces.get(i + ahead).map(|p| &p.token);
        let is_name = matches!(&piece.token, Token::Word(w) if w.value.eq_ignore_ascii_case(name));
        let starts_path = i.checked_sub(1).and_then(|before| words.pieces.get(before)).is_none_or(|p| p.token != Token::Period);
        if is_name && starts_path && follows(1) == Some(&Token::Period) && matches!(follows(2), Some(Token::Word(_))) {
            out.push_str(&text[from..piece.start]);
            from = words.pieces[i + 2].start;
        }
    }
    out.push_str(&text[from..]);
    Ok(out)
}

/// A list of VALUES with `default(column)` in place of every DEFAULT that stands as a value of its own; any other text as it is.
pub(super) fn with_defaults(text: &str, default: impl Fn(usize) -> Result<String>) -> Result<String> {
    let words = Words::new(text)?;
    if !words.peek("values") {
        return Ok(text.to_owned());
    }
    let mut out = String::with_capacity(text.len());
    let (mut from, mut depth, mut column) = (0, 0usize, 0);
    for (i, piece) in words.pieces.iter().enumerate() {
        match &piece.token {
            Token::LParen => {
                depth += 1;
                column = if depth == 1 { 0 } else { column };
            }
            Token::RParen => depth = depth.saturating_sub(1),
            Token::Comma if depth == 1 => column += 1,
            _ if depth == 1 && words.is(i, "default") => {
                let ends = |at: usize| matches!(words.pieces.get(at).map(|p| &p.token), Some(Token::Comma | Token::LParen | Token::RParen));
                if ends(i - 1) && ends(i + 1) {
                    out.push_str(&text[from..piece.start]);
                    out.push_str(&format!("({})", default(column)?));
                    from = piece.end;
                }
            }
            _ => {}
        }
    }
    out.push_str(&text[from..]);
    Ok(out)
}

impl<'a> Words<'a> {
    /// The statement without a semicolon at its end. `LB-SQL` when there is none, or more than one.
    pub fn new(text: &'a str) -> Result<Words<'a>> {
        let mut starts = vec![0];
        starts.extend(text.match_indices('\n').map(|(i, _)| i + 1));
        let offset = |at: Location| {
            let line = starts.get((at.line as usize).saturating_sub(1)).copied().unwrap_or(text.len());
            let rest = &text[line..];
            line + rest.char_indices().nth((at.column as usize).saturating_sub(1)).map_or(rest.len(), |(i, _)| i)
        };
        let mut pieces = Vec::new();
        // Offsets within one line are found from the last one, so that long lines are walked once.
        let mut last = (Location { line: 1, column: 1 }, 0usize);
        let mut advance = |to: Location| {
            let (from, byte) = last;
            let found = if to.line == from.line && to.column >= from.column {
                let rest = &text[byte..];
                byte + rest.char_indices().nth((to.column - from.column) as usize).map_or(rest.len(), |(i, _)| i)
            } else {
                offset(to)
            };
            last = (to, found);
            found
        };
        for t in tokens(text)? {
            let (start, end) = (advance(t.span.start), advance(t.span.end));
            if !matches!(t.token, Token::Whitespace(_) | Token::EOF) {
                pieces.push(Piece { token: t.token, start, end });
            }
        }
        while pieces.last().is_some_and(|p| p.token == Token::SemiColon) {
            pieces.pop();
        }
        if pieces.is_empty() {
            return Err(Error::new(Code::SQL, "there is no statement"));
        }
        if let Some(more) = pieces.iter().position(|p| p.token == Token::SemiColon) {
            let at = pieces[more].start;
            return Err(Error::new(Code::SQL, "there is more than one statement").with("position", at + 1).help("run them one by one"));
        }
        Ok(Words { text, pieces, at: 0 })
    }

    fn token(&self, ahead: usize) -> &Token {
        self.pieces.get(self.at + ahead).map_or(&Token::EOF, |p| &p.token)
    }
    pub fn is_done(&self) -> bool {
        self.at >= self.pieces.len()
    }
    fn is(&self, ahead: usize, word: &str) -> bool {
        matches!(self.token(ahead), Token::Word(w) if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(word))
    }
    /// Whether these words come next.
    pub fn peek(&self, words: &str) -> bool {
        words.split(' ').enumerate().all(|(i, word)| self.is(i, word))
    }
    /// Reads these words if they come next.
    pub fn take(&mut self, words: &str) -> bool {
        let found = self.peek(words);
        if found {
            self.at += words.split(' ').count();
        }
        found
    }
    pub fn need(&mut self, words: &str) -> Result<()> {
        if self.take(words) { Ok(()) } else { Err(self.expected(words)) }
    }
    pub fn take_token(&mut self, token: &Token) -> bool {
        let found = self.token(0) == token;
        self.at += usize::from(found);
        found
    }
    pub fn need_token(&mut self, token: &Token) -> Result<()> {
        if self.take_token(token) { Ok(()) } else { Err(self.expected(&format!("`{token}`"))) }
    }
    pub fn peek_open(&self) -> bool {
        *self.token(0) == Token::LParen
    }
    /// What was found instead of `wanted`, and where.
    pub fn expected(&self, wanted: &str) -> Error {
        let position = self.pieces.get(self.at).map_or(self.text.len(), |p| p.start);
        let found: String = self.text[position..].chars().take(30).collect();
        let found = if found.is_empty() { "its end".to_owned() } else { format!("`{found}`") };
        let position = self.text[..position].chars().count() + 1;
        Error::new(Code::SQL, format!("the statement does not parse: expected {wanted}, found {found}")).with("position", position)
    }
    pub fn finish(&self) -> Result<()> {
        if self.is_done() { Ok(()) } else { Err(self.expected("the end of the statement")) }
    }

    /// A name, in its own spelling.
    pub fn name(&mut self) -> Result<String> {
        match self.token(0) {
            Token::Word(w) => {
                let name = w.value.clone();
                self.at += 1;
                Ok(name)
            }
            _ => Err(self.expected("a name")),
        }
    }
    /// Names joined by dots, as a column path is written; each piece in backticks where it needs them.
    pub fn path_text(&mut self) -> Result<String> {
        let start = self.at;
        self.name()?;
        while self.take_token(&Token::Period) {
            self.name()?;
        }
        Ok(self.slice(start, self.at).to_owned())
    }
    /// Names joined by dots.
    pub fn names(&mut self) -> Result<Vec<String>> {
        let mut names = vec![self.name()?];
        while self.take_token(&Token::Period) {
            names.push(self.name()?);
        }
        Ok(names)
    }
    /// The text of a table's name, with the version that `@` picks.
    pub fn table_text(&mut self) -> Result<&'a str> {
        let start = self.at;
        self.names()?;
        if self.take_token(&Token::AtSign) {
            self.at += 1;
        }
        Ok(self.slice(start, self.at.min(self.pieces.len())))
    }
    /// `VERSION AS OF 3` or `TIMESTAMP AS OF 'text'`.
    pub fn version_text(&mut self) -> &'a str {
        let start = self.at;
        self.at = (self.at + 4).min(self.pieces.len());
        self.slice(start, self.at)
    }
    /// A text in single or double quotes.
    pub fn quoted(&mut self) -> Option<String> {
        let (Token::SingleQuotedString(text) | Token::DoubleQuotedString(text)) = self.token(0) else { return None };
        let text = text.clone();
        self.at += 1;
        Some(text)
    }
    pub fn need_quoted(&mut self) -> Result<String> {
        self.quoted().ok_or_else(|| self.expected("a text in quotes"))
    }
    pub fn number(&mut self) -> Result<u64> {
        let number = match self.token(0) {
            Token::Number(digits, _) => digits.parse().ok(),
            Token::SingleQuotedString(digits) => digits.parse().ok(),
            _ => None,
        };
        let number = number.ok_or_else(|| self.expected("a number"))?;
        self.at += 1;
        Ok(number)
    }

    fn slice(&self, from: usize, to: usize) -> &'a str {
        if from >= to {
            return "";
        }
        &self.text[self.pieces[from].start..self.pieces[to - 1].end]
    }
    /// Everything that is left.
    pub fn rest(&mut self) -> &'a str {
        let rest = self.slice(self.at, self.pieces.len());
        self.at = self.pieces.len();
        rest
    }
    /// The text inside parentheses that open here.
    pub fn parenthesized(&mut self) -> Result<&'a str> {
        self.need_token(&Token::LParen)?;
        let (start, mut depth) = (self.at, 1usize);
        while depth > 0 {
            match self.token(0) {
                Token::LParen => depth += 1,
                Token::RParen => depth -= 1,
                Token::EOF => return Err(self.expected("`)`")),
                _ => {}
            }
            self.at += 1;
        }
        Ok(self.slice(start, self.at - 1))
    }
    /// The text up to one of these words that stands outside of parentheses and `CASE … END`, or to the end.
    pub fn until(&mut self, stops: &[&str]) -> &'a str {
        let start = self.at;
        let (mut depth, mut cases) = (0usize, 0usize);
        while !self.is_done() {
            if depth == 0 && cases == 0 && stops.iter().any(|stop| self.peek(stop)) {
                break;
            }
            match self.token(0) {
                Token::LParen => depth += 1,
                Token::RParen => depth = depth.saturating_sub(1),
                _ if self.is(0, "case") => cases += 1,
                _ if self.is(0, "end") => cases = cases.saturating_sub(1),
                _ => {}
            }
            self.at += 1;
        }
        self.slice(start, self.at)
    }
    /// The text up to a comma outside of parentheses, one of these words, or the end.
    pub fn item(&mut self, stops: &[&str]) -> &'a str {
        let start = self.at;
        let mut depth = 0usize;
        while !self.is_done() {
            let outside = depth == 0;
            match self.token(0) {
                Token::Comma | Token::RParen if outside => break,
                Token::LParen => depth += 1,
                Token::RParen => depth -= 1,
                _ if outside && stops.iter().any(|stop| self.peek(stop)) => break,
                _ => {}
            }
            self.at += 1;
        }
        self.slice(start, self.at)
    }
    /// Names in parentheses.
    pub fn name_list(&mut self) -> Result<Vec<String>> {
        self.need_token(&Token::LParen)?;
        let mut names = Vec::new();
        if self.take_token(&Token::RParen) {
            return Ok(names);
        }
        loop {
            names.push(self.names()?.join("."));
            if !self.take_token(&Token::Comma) {
                break;
            }
        }
        self.need_token(&Token::RParen)?;
        Ok(names)
    }
    /// `('key' = 'value', a.b = 5, …)`.
    pub fn properties(&mut self) -> Result<Vec<(String, String)>> {
        let mut properties = Vec::new();
        self.need_token(&Token::LParen)?;
        loop {
            let key = self.property_key()?;
            self.take_token(&Token::Eq);
            let value = match self.quoted() {
                Some(value) => value,
                None => {
                    let value = self.item(&[]).to_owned();
                    if value.is_empty() {
                        return Err(self.expected("a value"));
                    }
                    value
                }
            };
            properties.push((key, value));
            if !self.take_token(&Token::Comma) {
                break;
            }
        }
        self.need_token(&Token::RParen)?;
        Ok(properties)
    }
    pub fn property_key(&mut self) -> Result<String> {
        match self.quoted() {
            Some(key) => Ok(key),
            None => Ok(self.names()?.join(".")),
        }
    }
    /// Where reading stands, to come back to it.
    pub fn mark(&self) -> usize {
        self.at
    }
    pub fn back_to(&mut self, mark: usize) {
        self.at = mark;
    }
}
