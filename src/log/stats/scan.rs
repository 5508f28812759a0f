//! Picks a few values out of a statistics text without parsing the rest of it. Kind: pure. Spec: SKIP.
//!
//! Invariant: whatever the text is, the scan ends, and a text that is not an object yields nothing.

/// What to pick: a tree of keys whose leaves are numbered.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    children: Vec<(String, Pick)>,
}

#[derive(Clone, Debug)]
enum Pick {
    Value(usize),
    Inside(Wanted),
}

/// A picked value, still as text.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum Token<'a> {
    /// Absent, null, or not a plain value.
    #[default]
    Nothing,
    /// Between its quotes.
    Text { raw: &'a [u8], escaped: bool },
    /// A number, a boolean, or what some writers leave unquoted (`NaN`).
    Bare(&'a [u8]),
}

impl Wanted {
    /// Adds the value at `path` under number `slot`.
    pub fn add(&mut self, path: &[&str], slot: usize) {
        let Some((name, rest)) = path.split_first() else { return };
        let at = match self.children.iter().position(|(n, _)| n == name) {
            Some(at) => at,
            None => {
                let pick = if rest.is_empty() { Pick::Value(slot) } else { Pick::Inside(Wanted::default()) };
                self.children.push(((*name).to_owned(), pick));
                self.children.len() - 1
            }
        };
        if let Pick::Inside(inner) = &mut self.children[at].1 {
            inner.add(rest, slot);
        }
    }
    fn find(&self, key: &[u8]) -> Option<&Pick> {
        let exact = self.children.iter().find(|(name, _)| name.as_bytes() == key);
        exact.or_else(|| self.children.iter().find(|(name, _)| same_but_case(name, key))).map(|(_, pick)| pick)
    }
}

fn same_but_case(name: &str, key: &[u8]) -> bool {
    name.as_bytes().eq_ignore_ascii_case(key)
        || (!name.is_ascii() && std::str::from_utf8(key).is_ok_and(|key| name.to_lowercase() == key.to_lowercase()))
}

/// Picks into `slots`, which the caller has cleared; false when the text is not one object.
pub(super) fn scan<'a>(text: &'a [u8], wanted: &Wanted, slots: &mut [Token<'a>]) -> bool {
    let mut cursor = Cursor { text, at: 0 };
    cursor.object(wanted, slots).is_some() && cursor.peek().is_none()
}

struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    /// The next byte that is not white space.
    fn peek(&mut self) -> Option<u8> {
        while let Some(b) = self.text.get(self.at) {
            if !matches!(b, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(*b);
            }
            self.at += 1;
        }
        None
    }
    fn take(&mut self, expected: u8) -> Option<()> {
        (self.peek()? == expected).then(|| self.at += 1)
    }
    fn object(&mut self, wanted: &Wanted, slots: &mut [Token<'a>]) -> Option<()> {
        self.take(b'{')?;
        if self.peek()? == b'}' {
            self.at += 1;
            return Some(());
        }
        loop {
            self.peek()?;
            let (key, escaped) = self.string()?;
            self.take(b':')?;
            let pick = if escaped { wanted.find(unescape(key)?.as_bytes()) } else { wanted.find(key) };
            match (pick, self.peek()?) {
                (Some(Pick::Inside(inner)), b'{') => self.object(inner, slots)?,
                (Some(Pick::Value(slot)), _) => slots[*slot] = self.value()?,
                _ => {
                    self.value()?;
                }
            }
            match self.peek()? {
                b',' => self.at += 1,
                b'}' => {
                    self.at += 1;
                    return Some(());
                }
                _ => return None,
            }
        }
    }
    /// Whatever value comes next; objects and arrays are passed over.
    fn value(&mut self) -> Option<Token<'a>> {
        match self.peek()? {
            b'"' => self.string().map(|(raw, escaped)| Token::Text { raw, escaped }),
            b'{' | b'[' => self.nested().map(|()| Token::Nothing),
            _ => {
                let rest = &self.text[self.at..];
                let end = rest.iter().position(|b| ENDS_BARE[usize::from(*b)])?;
                self.at += end;
                match &rest[..end] {
                    b"" => None,
                    b"null" => Some(Token::Nothing),
                    bare => Some(Token::Bare(bare)),
                }
            }
        }
    }
    fn nested(&mut self) -> Option<()> {
        let mut depth = 0usize;
        loop {
            match *self.text.get(self.at)? {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return Some(());
            }
        }
    }
    /// A string without its quotes, and whether it has escapes.
    fn string(&mut self) -> Option<(&'a [u8], bool)> {
        if *self.text.get(self.at)? != b'"' {
            return None;
        }
        let start = self.at + 1;
        let mut at = start;
        let mut escaped = false;
        loop {
            at = skip_plain(self.text, at);
            match *self.text.get(at)? {
                b'"' => {
                    self.at = at + 1;
                    return Some((&self.text[start..at], escaped));
                }
                b'\\' => {
                    escaped = true;
                    at += 2;
                }
                _ => at += 1,
            }
        }
    }
}

/// What ends a number or a word.
const ENDS_BARE: [bool; 256] = {
    let mut ends = [false; 256];
    let mut i = 0;
    while i < ENDS.len() {
        ends[ENDS[i] as usize] = true;
        i += 1;
    }
    ends
};
const ENDS: &[u8] = b",}] \n\r\t";

/// Past eight bytes at a time that are neither quote nor backslash, up to such a byte or nearly the end.
fn skip_plain(text: &[u8], mut at: usize) -> usize {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    // The lowest marked byte is a zero byte; bytes above it may be marked wrongly.
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word & (ONES << 7);
    while let Some(chunk) = text.get(at..).and_then(|rest| rest.first_chunk()) {
        let word = u64::from_le_bytes(*chunk);
        let found = zeros(word ^ (ONES * b'"' as u64)) | zeros(word ^ (ONES * b'\\' as u64));
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    at
}

/// A JSON string without its quotes -> its text.
pub(super) fn unescape(raw: &[u8]) -> Option<String> {
    serde_json::from_slice(&[b"\"", raw, b"\""].concat()).ok()
}
