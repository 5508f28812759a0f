//! Java's regular expressions as those of the engine. Kind: pure. Spec: EXP.
//!
//! Invariant: what the engine would read otherwise than Java is refused.

use super::node::Node;
use crate::error::{Code, Error, Result};
use crate::schema::{DataType, Scalar};

fn refused(text: &str, what: &str) -> Error {
    Error::new(Code::EXPR, format!("the regular expression '{text}' has {what}, which is not supported"))
}

/// The engine's pattern with the same meaning: classes of Java are ASCII.
pub(super) fn translated(text: &str) -> Result<String> {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    let (mut class, mut quantified) = (0usize, false);
    while let Some(c) = chars.next() {
        let was_quantified = std::mem::replace(&mut quantified, false);
        match c {
            '\\' => match chars.next() {
                Some(d @ ('d' | 'w' | 's' | 'D' | 'W' | 'S')) => {
                    let set = match d.to_ascii_lowercase() {
                        'd' => "0-9",
                        'w' => "a-zA-Z0-9_",
                        _ => " \\t\\n\\x0B\\f\\r",
                    };
                    let not = if d.is_ascii_uppercase() { "^" } else { "" };
                    out.push_str(&if class > 0 && not.is_empty() { set.to_owned() } else { format!("[{not}{set}]") });
                }
                Some(d @ ('1'..='9' | 'k' | 'G' | 'Z' | 'R' | 'X' | 'Q' | 'E' | 'h' | 'v' | 'H' | 'V' | 'c' | '0' | 'N' | 'e')) => {
                    return Err(refused(text, &format!("`\\{d}`")));
                }
                Some('b') => out.push_str("(?-u:\\b)"),
                Some('B') => return Err(refused(text, "`\\B`")),
                Some(d) => {
                    out.push('\\');
                    out.push(d);
                }
                None => return Err(refused(text, "a backslash at its end")),
            },
            '[' => {
                class += 1;
                out.push(c);
            }
            ']' if class > 0 => {
                class -= 1;
                out.push(c);
            }
            '&' if class > 0 && chars.peek() == Some(&'&') => return Err(refused(text, "`&&`")),
            '(' if class == 0 && chars.peek() == Some(&'?') => {
                let rest: String = chars.clone().take(3).collect();
                if ["?=", "?!", "?<=", "?<!", "?>"].iter().any(|look| rest.starts_with(look)) {
                    return Err(refused(text, "a look around or an atomic group"));
                }
                out.push(c);
            }
            '+' | '*' | '?' | '}' if class == 0 => {
                if was_quantified && c != '?' {
                    return Err(refused(text, "a possessive quantifier"));
                }
                quantified = !was_quantified && (c != '?' || !out.ends_with('('));
                out.push(c);
            }
            '$' if class == 0 => out.push_str("(?:$)"),
            c => out.push(c),
        }
    }
    Ok(out)
}

/// The plain text that a regular expression stands for; `None` when it is a pattern.
pub(super) fn plain(regex: &str) -> Option<String> {
    let mut out = String::new();
    let mut chars = regex.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => out.push(chars.next().filter(|c| !c.is_ascii_alphanumeric())?),
            '[' => {
                let only = chars.next().filter(|c| !"^]\\[&".contains(*c))?;
                (chars.next() == Some(']')).then_some(())?;
                out.push(only);
            }
            c if ".^$|?*+(){}]".contains(c) => return None,
            c => out.push(c),
        }
    }
    (!out.is_empty()).then_some(out)
}

fn literal<'a>(node: &'a Node, what: &str) -> Result<&'a str> {
    match node {
        Node::Literal(Scalar::String(text), _) => Ok(text),
        other => Err(Error::new(Code::EXPR, format!("{what} must be a literal text, not {other}"))),
    }
}

fn text(value: String) -> Node {
    Node::Literal(Scalar::String(value), DataType::String)
}

/// `regexp_replace(value, regex, by)`.
pub(super) fn replace(value: Node, regex: &Node, by: &Node) -> Result<Node> {
    let regex = translated(literal(regex, "the pattern of `regexp_replace`")?)?;
    let by = literal(by, "the replacement of `regexp_replace`")?;
    let mut out = String::new();
    let mut chars = by.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '$' => match chars.next() {
                Some(d) if d.is_ascii_digit() && !chars.peek().is_some_and(char::is_ascii_digit) => out.push_str(&format!("${{{d}}}")),
                _ => return Err(Error::new(Code::EXPR, format!("the replacement '{by}' has a `$` that names no group of one digit"))),
            },
            '\\' => match chars.next() {
                Some('$') => out.push_str("$$"),
                Some(c) if !c.is_ascii_digit() => out.push(c),
                _ => return Err(Error::new(Code::EXPR, format!("the replacement '{by}' has a backslash that keeps nothing"))),
            },
            c => out.push(c),
        }
    }
    Ok(Node::Call("regexp_replace".to_owned(), vec![value, text(regex), text(out), text("g".to_owned())]))
}

/// `regexp_extract(value, regex, group)`: empty where nothing matches.
pub(super) fn extract(value: Node, regex: &Node, group: &Node) -> Result<Node> {
    let regex = translated(literal(regex, "the pattern of `regexp_extract`")?)?;
    let Node::Literal(Scalar::Integer(group @ 0..=98), _) = group else {
        return Err(Error::new(Code::EXPR, "the group of `regexp_extract` must be a literal number"));
    };
    // The whole text becomes the group of its first match.
    let whole = format!("^(?s:.*?)({regex})(?s:.*)$");
    let found = Node::Call("rlike".to_owned(), vec![value.clone(), text(regex)]);
    let part = Node::Call("regexp_replace".to_owned(), vec![value.clone(), text(whole), text(format!("${{{}}}", group + 1))]);
    let null = value.null_test();
    Ok(Node::Case(vec![(null, Node::null(DataType::String)), (found, part)], Some(Box::new(text(String::new())))))
}
