//! SQL text -> expression tree. Kind: pure. Spec: EXP.
//!
//! The tokens are sqlparser's; the grammar over them is small and ours, because chains of `AND` and `OR` must stay flat (a tree of
//! 10,000 levels overflows the stack when it is dropped) and because Spark's literals (`5L`, `1.5BD`) have no place in its tree.

use super::coerce;
use super::node::{Arithmetic, Comparison, DEPTH_MAX, Node, TERMS_MAX};
use crate::error::{Code, Error, Result};
use crate::schema::{DataType, FieldPath, Scalar, simple_type};
use datafusion_sql::sqlparser::dialect::Dialect;
use datafusion_sql::sqlparser::tokenizer::{Location, Token, Tokenizer};

const TEXT_MAX: usize = 16 << 20;
/// Words that cannot be a column unless they are quoted.
const RESERVED: &[&str] =
    &["and", "or", "not", "in", "is", "like", "ilike", "rlike", "between", "case", "when", "then", "else", "end", "from", "as", "select"];

#[derive(Debug)]
struct SparkDialect;

impl Dialect for SparkDialect {
    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        ch == '`'
    }
    fn is_identifier_start(&self, ch: char) -> bool {
        ch.is_alphabetic() || ch == '_'
    }
    fn is_identifier_part(&self, ch: char) -> bool {
        ch.is_alphanumeric() || ch == '_'
    }
    fn supports_string_literal_backslash_escape(&self) -> bool {
        true
    }
    fn ignores_wildcard_escapes(&self) -> bool {
        true
    }
}

/// The expression that `text` spells.
pub(super) fn expression(text: &str) -> Result<Node> {
    let mut parser = Parser::new(text)?;
    let node = parser.expr()?;
    parser.end("the end of the expression")?;
    Ok(node)
}

/// The path that `name` spells; a name that is no path stands for itself.
pub(super) fn column_path(name: &str) -> FieldPath {
    let path = Parser::new(name).and_then(|mut p| {
        let first = p.name()?;
        let path = p.path(first)?;
        if *p.peek() == Token::EOF { Ok(path) } else { Err(p.unexpected("the end")) }
    });
    path.unwrap_or_else(|_| vec![name.to_owned()])
}

/// Whether an unquoted word means something else than a column of that name.
pub(super) fn is_special(word: &str) -> bool {
    let lower = word.to_ascii_lowercase();
    RESERVED.contains(&lower.as_str()) || ["null", "true", "false", "date", "timestamp", "interval", "div"].contains(&lower.as_str())
}

struct Piece {
    token: Token,
    at: Location,
    /// No space stands before it.
    glued: bool,
}

pub(super) struct Parser<'a> {
    text: &'a str,
    pieces: Vec<Piece>,
    next: usize,
    terms: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    /// `LB-LIMIT` when the text is too long.
    pub(super) fn new(text: &'a str) -> Result<Self> {
        if text.len() > TEXT_MAX {
            return Err(Error::new(Code::LIMIT, format!("the expression has {} bytes; the limit is {TEXT_MAX}", text.len())));
        }
        let tokens = Tokenizer::new(&SparkDialect, text).tokenize_with_location().map_err(|e| {
            Error::new(Code::EXPR, format!("the expression does not parse: {}", e.message))
                .with("line", e.location.line)
                .with("column", e.location.column)
                .with("expression", excerpt(text))
        })?;
        let mut pieces = Vec::with_capacity(tokens.len() + 1);
        let mut glued = false;
        for t in tokens {
            if matches!(t.token, Token::Whitespace(_)) {
                glued = false;
                continue;
            }
            if t.token == Token::EOF {
                continue;
            }
            pieces.push(Piece { token: t.token, at: t.span.start, glued });
            glued = true;
        }
        let end =
            Location { line: text.lines().count().max(1) as u64, column: text.lines().last().map_or(0, |l| l.chars().count()) as u64 + 1 };
        pieces.push(Piece { token: Token::EOF, at: end, glued: false });
        Ok(Parser { text, pieces, next: 0, terms: 0, depth: 0 })
    }

    fn peek(&self) -> &Token {
        &self.pieces[self.next.min(self.pieces.len() - 1)].token
    }
    fn peek_after(&self) -> &Token {
        &self.pieces[(self.next + 1).min(self.pieces.len() - 1)].token
    }
    fn advance(&mut self) -> Token {
        let token = self.peek().clone();
        self.next = (self.next + 1).min(self.pieces.len() - 1);
        token
    }
    pub(super) fn take(&mut self, token: &Token) -> bool {
        let found = self.peek() == token;
        if found {
            self.advance();
        }
        found
    }
    /// Refuses what follows.
    pub(super) fn end(&self, wanted: &str) -> Result<()> {
        if *self.peek() == Token::EOF { Ok(()) } else { Err(self.unexpected(wanted)) }
    }
    pub(super) fn expect(&mut self, token: &Token) -> Result<()> {
        if self.take(token) { Ok(()) } else { Err(self.unexpected(&format!("`{token}`"))) }
    }
    fn is_word(token: &Token, word: &str) -> bool {
        matches!(token, Token::Word(w) if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(word))
    }
    pub(super) fn take_word(&mut self, word: &str) -> bool {
        let found = Self::is_word(self.peek(), word);
        if found {
            self.advance();
        }
        found
    }
    pub(super) fn expect_word(&mut self, word: &str) -> Result<()> {
        if self.take_word(word) { Ok(()) } else { Err(self.unexpected(&word.to_uppercase())) }
    }
    pub(super) fn unexpected(&self, wanted: &str) -> Error {
        let piece = &self.pieces[self.next.min(self.pieces.len() - 1)];
        let found = if piece.token == Token::EOF { "its end".to_owned() } else { format!("`{}`", piece.token) };
        if found.eq_ignore_ascii_case("`select`") {
            return self
                .error("a subquery has no place in a condition or a value of a row".to_owned(), piece.at)
                .help("merge with the subquery as source");
        }
        self.error(format!("the expression does not parse: expected {wanted}, found {found}"), piece.at)
    }
    fn error(&self, message: String, at: Location) -> Error {
        Error::new(Code::EXPR, message).with("line", at.line).with("column", at.column).with("expression", excerpt(self.text))
    }
    fn limit(&self, what: &str, limit: usize) -> Error {
        Error::new(Code::LIMIT, format!("the expression {what}; the limit is {limit}"))
            .help("write long lists of equalities as `column IN (…)`, or split the work into several calls")
    }

    pub(super) fn expr(&mut self) -> Result<Node> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(self.limit("nests too deep", DEPTH_MAX));
        }
        let mut terms = vec![self.conjunction()?];
        while self.take_word("or") {
            terms.push(self.conjunction()?);
        }
        self.depth -= 1;
        Ok(Node::any(terms))
    }
    fn conjunction(&mut self) -> Result<Node> {
        let mut terms = vec![self.negation()?];
        while self.take_word("and") {
            terms.push(self.negation()?);
        }
        Ok(Node::all(terms))
    }
    fn negation(&mut self) -> Result<Node> {
        let mut negative = false;
        while self.take_word("not") || self.take(&Token::ExclamationMark) {
            negative = !negative;
        }
        let node = self.predicate()?;
        Ok(if negative { node.negate() } else { node })
    }

    fn predicate(&mut self) -> Result<Node> {
        let mut left = self.sum()?;
        for _ in 0..DEPTH_MAX {
            let op = match self.peek() {
                Token::Eq | Token::DoubleEq => Comparison::Eq,
                Token::Neq => Comparison::NotEq,
                Token::Lt => Comparison::Lt,
                Token::LtEq => Comparison::LtEq,
                Token::Gt => Comparison::Gt,
                Token::GtEq => Comparison::GtEq,
                Token::Spaceship => Comparison::NullSafeEq,
                _ => match self.word_predicate(left)? {
                    Ok(node) => {
                        left = node;
                        continue;
                    }
                    Err(node) => return Ok(node),
                },
            };
            self.advance();
            left = left.compare(op, self.sum()?);
        }
        Err(self.limit("chains too many comparisons", DEPTH_MAX))
    }

    /// What a word after a value makes of it; the value itself (as `Err`) when no such word stands there.
    fn word_predicate(&mut self, left: Node) -> Result<std::result::Result<Node, Node>> {
        if self.take_word("is") {
            let negative = self.take_word("not");
            let node = if self.take_word("null") || self.take_word("unknown") {
                left.null_test()
            } else if self.take_word("true") {
                left.compare(Comparison::NullSafeEq, Node::bool(true))
            } else if self.take_word("false") {
                left.compare(Comparison::NullSafeEq, Node::bool(false))
            } else if self.take_word("distinct") {
                self.expect_word("from")?;
                left.compare(Comparison::NullSafeEq, self.sum()?).negate()
            } else {
                return Err(self.unexpected("NULL, TRUE, FALSE, UNKNOWN or DISTINCT FROM"));
            };
            return Ok(Ok(if negative { node.negate() } else { node }));
        }
        let follows = |p: &Self| ["in", "between", "like", "ilike", "rlike", "regexp"].iter().any(|w| Self::is_word(p.peek_after(), w));
        let negative = Self::is_word(self.peek(), "not") && follows(self);
        if negative {
            self.advance();
        }
        let node = if self.take_word("in") {
            self.expect(&Token::LParen)?;
            let counted = self.terms;
            let mut list = vec![self.expr()?];
            while self.take(&Token::Comma) {
                list.push(self.expr()?);
                self.terms = counted;
            }
            self.expect(&Token::RParen)?;
            Node::In(Box::new(left), list)
        } else if self.take_word("between") {
            let low = self.sum()?;
            self.expect_word("and")?;
            let high = self.sum()?;
            Node::all([left.clone().compare(Comparison::GtEq, low), left.compare(Comparison::LtEq, high)])
        } else if self.take_word("rlike") || self.take_word("regexp") {
            Node::Call("rlike".to_owned(), vec![left, self.sum()?])
        } else if Self::is_word(self.peek(), "like") || Self::is_word(self.peek(), "ilike") {
            let ignore_case = Self::is_word(&self.advance(), "ilike");
            let pattern = Box::new(self.sum()?);
            let escape = if self.take_word("escape") { self.escape()? } else { '\\' };
            Node::Like { value: Box::new(left), pattern, escape, ignore_case }
        } else {
            return Ok(Err(left));
        };
        Ok(Ok(if negative { node.negate() } else { node }))
    }
    fn escape(&mut self) -> Result<char> {
        match self.peek() {
            Token::SingleQuotedString(s) | Token::DoubleQuotedString(s) if s.chars().count() == 1 => {
                let c = s.chars().next().unwrap_or('\\');
                self.advance();
                Ok(c)
            }
            _ => Err(self.unexpected("one character in quotes")),
        }
    }

    fn sum(&mut self) -> Result<Node> {
        let mut left = self.product()?;
        for _ in 0..DEPTH_MAX {
            let op = match self.peek() {
                Token::Plus => Some(Arithmetic::Add),
                Token::Minus => Some(Arithmetic::Subtract),
                Token::StringConcat => None,
                _ => return Ok(left),
            };
            self.advance();
            if let Some(sign) = op.filter(|_| self.at_interval()) {
                let (months, days, micros) = self.interval()?;
                let sign = if sign == Arithmetic::Subtract { -1 } else { 1 };
                let int = |n: i32| Node::Literal(Scalar::Integer(n * sign), DataType::Integer);
                let micros = Node::Literal(Scalar::Long(micros * i64::from(sign)), DataType::Long);
                left = Node::Call("add_interval".to_owned(), vec![left, int(months), int(days), micros]);
                continue;
            }
            let right = self.product()?;
            left = match op {
                Some(op) => Node::Arithmetic(op, Box::new(left), Box::new(right)),
                None => Node::Call("concat".to_owned(), vec![left, right]),
            };
        }
        Err(self.limit("chains too many operators", DEPTH_MAX))
    }
    fn at_interval(&self) -> bool {
        Self::is_word(self.peek(), "interval")
            && matches!(self.peek_after(), Token::Number(..) | Token::SingleQuotedString(_) | Token::DoubleQuotedString(_) | Token::Minus)
    }
    /// `INTERVAL 1 YEAR 2 MONTHS`, `INTERVAL '3' DAY`, `INTERVAL '1 day 2 hours'`: months, days, microseconds.
    fn interval(&mut self) -> Result<(i32, i32, i64)> {
        let at = self.pieces[self.next].at;
        self.advance();
        let refused = |p: &Self| p.error("the interval is not supported; write it as INTERVAL 2 DAYS".to_owned(), at);
        let mut words = Vec::new();
        loop {
            let negative = self.take(&Token::Minus);
            match self.peek().clone() {
                Token::Number(n, _) => words.push(format!("{}{n}", if negative { "-" } else { "" })),
                Token::SingleQuotedString(s) | Token::DoubleQuotedString(s) if !negative => {
                    words.extend(s.split_whitespace().map(str::to_owned))
                }
                _ => return Err(self.unexpected("a number")),
            }
            self.advance();
            if words.len() % 2 == 1 {
                words.push(self.name()?);
            }
            if !matches!(self.peek(), Token::Number(..)) {
                break;
            }
        }
        let (mut months, mut days, mut micros) = (0i32, 0i32, 0i64);
        for pair in words.chunks(2) {
            let [number, unit] = pair else { return Err(refused(self)) };
            let number: i32 = number.parse().map_err(|_| refused(self))?;
            let unit = unit.to_ascii_lowercase();
            let add = |sum: &mut i32, factor: i32| number.checked_mul(factor).and_then(|n| sum.checked_add(n)).map(|n| *sum = n);
            let mut add_micros =
                |factor: i64| i64::from(number).checked_mul(factor).and_then(|n| micros.checked_add(n)).map(|n| micros = n);
            let added = match unit.strip_suffix('s').unwrap_or(&unit) {
                "year" => add(&mut months, 12),
                "month" => add(&mut months, 1),
                "week" => add(&mut days, 7),
                "day" => add(&mut days, 1),
                "hour" => add_micros(3_600_000_000),
                "minute" => add_micros(60_000_000),
                "second" => add_micros(1_000_000),
                "millisecond" => add_micros(1_000),
                "microsecond" => add_micros(1),
                _ => None,
            };
            added.ok_or_else(|| refused(self))?;
        }
        Ok((months, days, micros))
    }
    fn product(&mut self) -> Result<Node> {
        let mut left = self.unary()?;
        for _ in 0..DEPTH_MAX {
            let op = match self.peek() {
                Token::Mul => Some(Arithmetic::Multiply),
                Token::Div => Some(Arithmetic::Divide),
                Token::Mod => Some(Arithmetic::Modulo),
                t if Self::is_word(t, "div") => None,
                _ => return Ok(left),
            };
            self.advance();
            let right = self.unary()?;
            left = match op {
                Some(op) => Node::Arithmetic(op, Box::new(left), Box::new(right)),
                None => Node::Call("div".to_owned(), vec![left, right]),
            };
        }
        Err(self.limit("chains too many operators", DEPTH_MAX))
    }
    fn unary(&mut self) -> Result<Node> {
        let mut negative = false;
        loop {
            if self.take(&Token::Minus) {
                negative = !negative;
            } else if !self.take(&Token::Plus) {
                break;
            }
        }
        let mut node = self.primary()?;
        for _ in 0..DEPTH_MAX {
            if self.take(&Token::LBracket) {
                let place = self.expr()?;
                self.expect(&Token::RBracket)?;
                node = Node::Call("item".to_owned(), vec![node, place]);
            } else if self.take(&Token::DoubleColon) {
                node = node.cast(self.type_name()?);
            } else {
                break;
            }
        }
        if !negative {
            return Ok(node);
        }
        Ok(match coerce::negated(&node) {
            Some(literal) => literal,
            None => Node::Call("negative".to_owned(), vec![node]),
        })
    }

    fn primary(&mut self) -> Result<Node> {
        if self.take(&Token::LParen) {
            let node = self.expr()?;
            self.expect(&Token::RParen)?;
            return Ok(node);
        }
        self.terms += 1;
        if self.terms > TERMS_MAX {
            return Err(self.limit("has too many terms", TERMS_MAX));
        }
        let at = self.pieces[self.next].at;
        match self.peek().clone() {
            Token::Number(text, long) => {
                self.advance();
                let mut suffix = if long { "L".to_owned() } else { String::new() };
                if let Piece { token: Token::Word(w), glued: true, .. } = &self.pieces[self.next] {
                    suffix = w.value.to_uppercase();
                    self.advance();
                }
                coerce::number(&text, &suffix)
                    .ok_or_else(|| self.error(format!("`{text}{suffix}` is not a number that a literal can hold"), at))
            }
            Token::SingleQuotedString(s) | Token::DoubleQuotedString(s) => {
                self.advance();
                Ok(Node::Literal(Scalar::String(s), DataType::String))
            }
            Token::HexStringLiteral(s) => {
                self.advance();
                let bytes = coerce::hex(&s).ok_or_else(|| self.error(format!("`X'{s}'` is not hexadecimal"), at))?;
                Ok(Node::Literal(Scalar::Binary(bytes), DataType::Binary))
            }
            Token::Word(w) if w.quote_style.is_some() => {
                self.advance();
                Ok(Node::Column(self.path(w.value)?))
            }
            Token::Word(w) => self.word(w.value, at),
            _ => Err(self.unexpected("a value")),
        }
    }

    fn word(&mut self, word: String, at: Location) -> Result<Node> {
        let lower = word.to_ascii_lowercase();
        let quoted = match self.peek_after() {
            Token::SingleQuotedString(s) | Token::DoubleQuotedString(s) => Some(s.clone()),
            _ => None,
        };
        match (lower.as_str(), quoted) {
            ("null", _) => {
                self.advance();
                return Ok(Node::null(DataType::Void));
            }
            ("true" | "false", _) => {
                self.advance();
                return Ok(Node::bool(lower == "true"));
            }
            ("date" | "timestamp" | "timestamp_ntz" | "timestamp_ltz", Some(text)) => {
                self.advance();
                self.advance();
                let data_type = match lower.as_str() {
                    "date" => DataType::Date,
                    "timestamp_ntz" => DataType::TimestampNtz,
                    _ => DataType::Timestamp,
                };
                let value = coerce::parse(&text, &data_type).ok_or_else(|| self.error(format!("'{text}' is not a {data_type}"), at))?;
                return Ok(Node::Literal(value, data_type));
            }
            ("interval", Some(_)) => return Err(self.error("INTERVAL values are not supported".to_owned(), at)),
            ("case", _) => return self.case(),
            ("cast" | "try_cast", _) if *self.peek_after() == Token::LParen => return self.cast(lower == "try_cast"),
            ("extract", _) if *self.peek_after() == Token::LParen => return self.extract(),
            _ => {}
        }
        if *self.peek_after() == Token::LParen {
            self.advance();
            self.advance();
            let mut args = Vec::new();
            if !self.take(&Token::RParen) {
                args.push(self.expr()?);
                while self.take(&Token::Comma) {
                    args.push(self.expr()?);
                }
                self.expect(&Token::RParen)?;
            }
            return Ok(Node::Call(lower, args));
        }
        if RESERVED.contains(&lower.as_str()) {
            return Err(self.unexpected("a value"));
        }
        self.advance();
        Ok(Node::Column(self.path(word)?))
    }

    pub(super) fn name(&mut self) -> Result<String> {
        match self.peek().clone() {
            Token::Word(w) => {
                self.advance();
                Ok(w.value)
            }
            _ => Err(self.unexpected("a name")),
        }
    }
    pub(super) fn path(&mut self, first: String) -> Result<FieldPath> {
        let mut path = vec![first];
        while self.take(&Token::Period) {
            path.push(self.name()?);
        }
        Ok(path)
    }

    fn case(&mut self) -> Result<Node> {
        self.advance();
        let operand = if Self::is_word(self.peek(), "when") { None } else { Some(self.expr()?) };
        let mut branches = Vec::new();
        while self.take_word("when") {
            let when = self.expr()?;
            self.expect_word("then")?;
            let when = match &operand {
                Some(value) => value.clone().compare(Comparison::Eq, when),
                None => when,
            };
            branches.push((when, self.expr()?));
        }
        if branches.is_empty() {
            return Err(self.unexpected("WHEN"));
        }
        let otherwise = if self.take_word("else") { Some(Box::new(self.expr()?)) } else { None };
        self.expect_word("end")?;
        Ok(Node::Case(branches, otherwise))
    }
    fn cast(&mut self, lenient: bool) -> Result<Node> {
        self.advance();
        self.advance();
        let value = Box::new(self.expr()?);
        self.expect_word("as")?;
        let to = self.type_name()?;
        self.expect(&Token::RParen)?;
        Ok(Node::Cast { value, to, lenient })
    }
    fn extract(&mut self) -> Result<Node> {
        self.advance();
        self.advance();
        let at = self.pieces[self.next].at;
        let part = self.name()?.to_ascii_lowercase();
        let Some(part) = super::call::part_of_time(&part) else {
            return Err(self.error(format!("the part {part} of a time is not supported"), at));
        };
        self.expect_word("from")?;
        let value = self.expr()?;
        self.expect(&Token::RParen)?;
        Ok(Node::Call(part.to_owned(), vec![value]))
    }
    /// The name of a type that values convert to: one without fields or elements.
    fn type_name(&mut self) -> Result<DataType> {
        let at = self.pieces[self.next].at;
        let name = self.name()?;
        let digits = |p: &mut Self| match p.advance() {
            Token::Number(n, false) => n.parse::<u8>().ok().filter(|n| *n <= 38).ok_or(n),
            other => Err(other.to_string()),
        };
        if let Some(simple) = simple_type(&name).filter(|t| !matches!(t, DataType::Void | DataType::Variant)) {
            return Ok(simple);
        }
        Ok(match name.to_ascii_lowercase().as_str() {
            "decimal" | "dec" | "numeric" => {
                let (mut precision, mut scale) = (Ok(10), Ok(0));
                if self.take(&Token::LParen) {
                    precision = digits(self);
                    if self.take(&Token::Comma) {
                        scale = digits(self);
                    }
                    self.expect(&Token::RParen)?;
                }
                match (precision, scale) {
                    (Ok(precision), Ok(scale)) if precision > 0 && scale <= precision => DataType::Decimal { precision, scale },
                    _ => return Err(self.error("a decimal has 1 to 38 digits, and no more of them after the point".to_owned(), at)),
                }
            }
            _ => return Err(self.error(format!("values cannot be converted to the type `{name}`"), at)),
        })
    }
}

/// The beginning of a long text, for messages.
fn excerpt(text: &str) -> String {
    match text.char_indices().nth(200) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
