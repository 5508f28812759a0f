//! Patterns of dates and times, as Java spells them: `yyyy-MM-dd HH:mm:ss`. Kind: pure. Spec: EXP.
//!
//! Invariant: a letter whose meaning is not built is refused, never guessed.

use crate::schema::calendar::{MICROS_DAY, date_of, day_of};
use std::fmt::Write;

pub(super) const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
pub(super) const MONTHS: [&str; 12] =
    ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];

/// A pattern that was taken apart.
#[derive(Debug)]
pub(crate) struct Pattern(Vec<Item>);

#[derive(Debug)]
enum Item {
    Text(String),
    /// A letter and how often it stands.
    Field(char, usize),
}

impl Pattern {
    /// The error names what is not understood.
    pub(crate) fn new(text: &str) -> Result<Pattern, String> {
        let mut items = Vec::new();
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            if c == '\'' {
                let mut quoted = String::new();
                if chars.next_if_eq(&'\'').is_some() {
                    quoted.push('\'');
                } else {
                    loop {
                        match chars.next() {
                            Some('\'') if chars.next_if_eq(&'\'').is_some() => quoted.push('\''),
                            Some('\'') => break,
                            Some(c) => quoted.push(c),
                            None => return Err(format!("the pattern '{text}' has an open quote")),
                        }
                    }
                }
                items.push(Item::Text(quoted));
            } else if c.is_ascii_alphabetic() {
                let mut count = 1;
                while chars.next_if_eq(&c).is_some() {
                    count += 1;
                }
                let most = match c {
                    'y' => 6,
                    'S' => 9,
                    'M' | 'L' => 4,
                    'E' => 4,
                    'a' => 1,
                    'D' => 3,
                    'd' | 'H' | 'h' | 'k' | 'K' | 'm' | 's' => 2,
                    _ => 0,
                };
                if count > most {
                    return Err(format!("the pattern '{text}' has `{}`, which is not supported", c.to_string().repeat(count)));
                }
                items.push(Item::Field(c, count));
            } else if "#{}[]".contains(c) {
                return Err(format!("the pattern '{text}' has `{c}`, which is not supported"));
            } else {
                items.push(Item::Text(c.to_string()));
            }
        }
        Ok(Pattern(items))
    }

    /// The text of an instant.
    pub(super) fn text(&self, micros: i64) -> String {
        let (day, time) = (micros.div_euclid(MICROS_DAY), micros.rem_euclid(MICROS_DAY));
        let (year, month, of_month) = date_of(day);
        let (hour, minute, second, fraction) = (time / 3_600_000_000, time / 60_000_000 % 60, time / 1_000_000 % 60, time % 1_000_000);
        let mut out = String::new();
        for item in &self.0 {
            let (letter, n) = match item {
                Item::Text(text) => {
                    out.push_str(text);
                    continue;
                }
                Item::Field(letter, n) => (*letter, *n),
            };
            // Years count from 1 in each era; the era is not shown.
            let of_era = if year > 0 { year } else { 1 - year };
            let number = match letter {
                'y' if n == 2 => of_era % 100,
                'y' => of_era,
                'M' | 'L' if n > 2 => {
                    let name = MONTHS[month as usize - 1];
                    out.push_str(if n == 3 { &name[..3] } else { name });
                    continue;
                }
                'M' | 'L' => i64::from(month),
                'd' => i64::from(of_month),
                'D' => day_of(year, 1, 1).map_or(0, |first| day - i64::from(first) + 1),
                'H' => hour,
                'h' => (hour + 11) % 12 + 1,
                'k' => (hour + 23) % 24 + 1,
                'K' => hour % 12,
                'm' => minute,
                's' => second,
                'S' => {
                    out.push_str(&format!("{fraction:06}000")[..n]);
                    continue;
                }
                'a' => {
                    out.push_str(if hour < 12 { "AM" } else { "PM" });
                    continue;
                }
                _ => {
                    let name = DAYS[(day + 3).rem_euclid(7) as usize];
                    out.push_str(if n < 4 { &name[..3] } else { name });
                    continue;
                }
            };
            if letter == 'y' && n >= 4 && number >= 10i64.pow(n as u32) {
                out.push('+');
            }
            let _ = write!(out, "{number:0n$}");
        }
        out
    }

    /// The instant that text of this pattern names; what the pattern leaves out is the start of 1970.
    pub(super) fn parse(&self, text: &str) -> Option<i64> {
        let (mut year, mut month, mut day, mut hour, mut minute, mut second, mut micros) = (1970i64, 1i64, 1i64, 0i64, 0i64, 0i64, 0i64);
        let mut rest = text;
        for (at, item) in self.0.iter().enumerate() {
            let (letter, n) = match item {
                Item::Text(text) => {
                    rest = rest.strip_prefix(text.as_str())?;
                    continue;
                }
                Item::Field(letter, n) => (*letter, *n),
            };
            // Digits that another field follows at once are exactly as many as there are letters.
            let followed = matches!(self.0.get(at + 1), Some(Item::Field(..)));
            let most = if letter == 'S' || followed || n == 2 {
                n
            } else if letter == 'y' {
                6.max(n)
            } else {
                2
            };
            let digits = rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
            if digits < n && (letter != 'S' || digits == 0) {
                return None;
            }
            let number: i64 = rest[..digits].parse().ok()?;
            rest = &rest[digits..];
            match (letter, n) {
                ('y', 2) => year = 2000 + number,
                ('y', _) => year = number,
                ('M' | 'L', 1 | 2) => month = number,
                ('d', _) => day = number,
                ('H', _) => hour = number,
                ('m', _) => minute = number,
                ('s', _) => second = number,
                ('S', _) => {
                    micros = format!("{:0<9}", &text[text.len() - rest.len() - digits..text.len() - rest.len()])[..6].parse().ok()?
                }
                _ => return None,
            }
        }
        if !rest.is_empty() || hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let day = day_of(year, u32::try_from(month).ok()?, u32::try_from(day).ok()?)?;
        i64::from(day).checked_mul(MICROS_DAY)?.checked_add(((hour * 60 + minute) * 60 + second) * 1_000_000 + micros)
    }
    /// Whether texts can be read with it.
    pub(crate) fn reads(&self) -> bool {
        self.0
            .iter()
            .all(|item| matches!(item, Item::Text(_) | Item::Field('y' | 'd' | 'H' | 'm' | 's' | 'S', _) | Item::Field('M' | 'L', 1 | 2)))
    }
}
