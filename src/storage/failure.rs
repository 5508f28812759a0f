//! object_store's errors -> ours, without secrets. Kind: pure. Spec: STO.
//!
//! Invariant: nothing that a server or a client library says reaches a user before `redact` has seen it.

use crate::error::{Code, Error};
use std::borrow::Cow;
use std::{error, fmt};

/// The cause of an error about an object that does not exist.
#[derive(Debug)]
pub(crate) struct Missing;

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the store has no such object")
    }
}

impl error::Error for Missing {}

/// Whether an error is about an object that does not exist.
pub(crate) fn is_missing(e: &Error) -> bool {
    error::Error::source(e).is_some_and(|cause| cause.is::<Missing>())
}

/// What a failed request means for whoever asked. The text of the cause is redacted; the cause itself is not kept, because its own
/// `Display` is not.
pub(crate) fn failure(e: object_store::Error, doing: &str, key: &str) -> Error {
    use object_store::Error as E;
    let e = match own(e) {
        Ok(ours) => return ours,
        Err(e) => e,
    };
    let (code, help) = match &e {
        E::NotFound { .. } => (Code::STORE, None),
        E::PermissionDenied { source, .. } if source.is::<std::io::Error>() => {
            (Code::STORE, Some("look at the owner and the permissions of that file and its folders"))
        }
        E::PermissionDenied { .. } => (Code::STORE, Some("check that the credentials may do this on that location")),
        E::Unauthenticated { .. } => (Code::STORE, Some("check the credentials (storage options, environment or profile)")),
        E::NotSupported { .. } | E::NotImplemented { .. } => (Code::STORE, Some("this store cannot do what is needed; use another one")),
        E::UnknownConfigurationKey { .. } | E::InvalidPath { .. } => (Code::STORE_CONFIG, None),
        E::Generic { store: "local", .. } => {
            (Code::STORE, Some("look at the path and at the disk: its room, its state, and whether names may be so long"))
        }
        _ => (Code::STORE, Some("try again; if it stays, check the endpoint, the network and the store")),
    };
    let cause = redact(&causes(&e)).into_owned();
    let error = Error::new(code, format!("{doing} failed: {cause}")).with("path", key);
    match help {
        Some(help) => error.help(help),
        None => error,
    }
}

/// Our own error, when a store of ours put it inside object_store's.
fn own(e: object_store::Error) -> Result<Error, object_store::Error> {
    match e {
        object_store::Error::Generic { store, source } => match source.downcast::<Error>() {
            Ok(ours) => Ok(*ours),
            Err(source) => Err(object_store::Error::Generic { store, source }),
        },
        e => Err(e),
    }
}

/// The message with those of its causes that it does not repeat already.
fn causes(e: &dyn std::error::Error) -> String {
    let mut text = e.to_string();
    let mut next = e.source();
    while let Some(cause) = next {
        let said = cause.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        next = cause.source();
    }
    text
}

/// Cuts the queries of URLs (signatures and tokens live there), and of an XML answer keeps the code and the message only (S3 echoes a
/// bad session token in its body). What remains is cut at 600 characters.
pub(crate) fn redact(text: &str) -> Cow<'_, str> {
    let mut out = Cow::Borrowed(text);
    if let Some(at) = out.find("<?xml").or_else(|| out.find("<Error>")) {
        let body = &out[at..];
        let said: Vec<&str> = ["Code", "Message"].iter().filter_map(|tag| element(body, tag)).collect();
        out = Cow::Owned(format!("{}{}", &out[..at], said.join(": ")));
    }
    if out.contains("://") && out.contains('?') {
        let mut cut = String::with_capacity(out.len());
        for word in out.split_inclusive(char::is_whitespace) {
            match (word.find("://"), word.find('?')) {
                (Some(scheme), Some(query)) if scheme < query => {
                    cut.push_str(&word[..query]);
                    cut.push_str("?<redacted>");
                    cut.push_str(&word[word.trim_end().len()..]);
                }
                _ => cut.push_str(word),
            }
        }
        out = Cow::Owned(cut);
    }
    match out.char_indices().nth(600) {
        Some((at, _)) => Cow::Owned(format!("{}…", &out[..at])),
        None => out,
    }
}

pub(super) fn element<'a>(xml: &'a str, tag: &str) -> Option<&'a str> {
    let start = xml.find(&format!("<{tag}>"))? + tag.len() + 2;
    let end = xml[start..].find("</")? + start;
    Some(&xml[start..end])
}
