//! Locations and paths of the log as origin and decoded segments. Kind: pure. Spec: STO.
//!
//! Invariant: a path is decoded exactly once, and what comes out has no `.`, `..`, empty segment, control character or backslash.

use super::azure;
use crate::error::{Code, Error, Result};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use url::Url;

/// Which store holds something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    File,
    /// One store per authority and process.
    Memory(String),
    S3 {
        bucket: String,
    },
    Gcs {
        bucket: String,
    },
    /// `host` (as `azure::canonical` makes it) is `None` when only the options name the account.
    Azure {
        container: String,
        host: Option<String>,
    },
}

/// A place in a store: decoded segments, none for the store's root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub origin: Origin,
    pub segments: Vec<String>,
}

impl Place {
    /// The segments below `root`, when this lies strictly below it.
    fn below<'a>(&'a self, root: &Place) -> Option<&'a [String]> {
        let inside = self.origin == root.origin && self.segments.len() > root.segments.len() && self.segments.starts_with(&root.segments);
        inside.then(|| &self.segments[root.segments.len()..])
    }
    /// The other name of a place whose account is also the one of the options, or the only one there is: with its host for one without, and
    /// the other way round.
    pub fn alias(&self, configured: Option<&str>) -> Option<Place> {
        let Origin::Azure { container, host } = &self.origin else { return None };
        let other = match (host, configured) {
            (None, Some(configured)) => Some(configured.to_owned()),
            (Some(host), Some(configured)) if host != configured => return None,
            (Some(_), _) => None,
            (None, None) => return None,
        };
        Some(Place { origin: Origin::Azure { container: container.clone(), host: other }, segments: self.segments.clone() })
    }
    /// The URI of what lies at these segments below the place, as a log may name it.
    pub fn uri(&self, below: &[String]) -> Result<String> {
        let base = Place { origin: self.origin.clone(), segments: Vec::new() }.url()?;
        Ok(format!("{base}{}", relative(self.segments.iter().chain(below))))
    }
    /// The URL with which the place is shown; ends in `/`.
    pub fn url(&self) -> Result<Url> {
        let base = match &self.origin {
            Origin::File => "file:///".to_owned(),
            Origin::Memory(name) => format!("memory://{name}/"),
            Origin::S3 { bucket } => format!("s3://{bucket}/"),
            Origin::Gcs { bucket } => format!("gs://{bucket}/"),
            Origin::Azure { container, host: None } => format!("az://{container}/"),
            Origin::Azure { container, host: Some(host) } => format!("abfss://{container}@{host}/"),
        };
        let bad = || {
            Error::new(Code::STORE_CONFIG, "the location has a bucket, container or account name that is not one").with("location", &base)
        };
        let mut url = Url::parse(&base).map_err(|_| bad())?;
        url.path_segments_mut().map_err(|()| bad())?.pop_if_empty().extend(&self.segments).push("");
        Ok(url)
    }
}

/// What may not stand in a path segment of a URI as it is.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@');

/// Decoded segments as a path of a log.
pub(super) fn relative<'a>(segments: impl IntoIterator<Item = &'a String>) -> String {
    segments.into_iter().map(|s| utf8_percent_encode(s, SEGMENT).to_string()).collect::<Vec<_>>().join("/")
}

/// The scheme of an absolute URI (`s3://…`, `file:/…`), in lower case. `time=…T03:06:40Z/…` has none, nor has `C:/…`.
pub(super) fn scheme(text: &str) -> Option<(String, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let mut chars = scheme.chars();
    let letters = chars.next()?.is_ascii_alphabetic() && chars.all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '.' | '-'));
    (letters && scheme.len() > 1 && rest.starts_with('/')).then(|| (scheme.to_ascii_lowercase(), rest))
}

/// A location with a scheme -> the store and the decoded path. `rest` is what follows the colon.
pub(super) fn place_of_uri(scheme: &str, rest: &str) -> std::result::Result<Place, Refusal> {
    let (authority, path) = match rest.strip_prefix("//") {
        Some(after) => after.split_once('/').unwrap_or((after, "")),
        None => ("", rest.strip_prefix('/').unwrap_or(rest)),
    };
    let origin = origin(scheme, authority)?;
    Ok(Place { origin, segments: decode(path)? })
}

fn origin(scheme: &str, authority: &str) -> std::result::Result<Origin, Refusal> {
    let plain = |what: &'static str| match authority {
        "" => Err(Refusal::Authority(format!("names no {what}"))),
        a if a.contains('@') => Err(Refusal::Authority("holds credentials; give them as storage options".to_owned())),
        a if a.contains(['%', '?', '#', '\\', ' ']) => Err(Refusal::Authority(format!("has a bad {what} name"))),
        a => Ok(a.to_owned()),
    };
    match scheme {
        "file" if authority.is_empty() || authority == "localhost" => Ok(Origin::File),
        "file" => Err(Refusal::Authority("names another host".to_owned())),
        "memory" => Ok(Origin::Memory(authority.to_owned())),
        "s3" | "s3a" | "s3n" => Ok(Origin::S3 { bucket: plain("bucket")? }),
        "gs" => Ok(Origin::Gcs { bucket: plain("bucket")? }),
        "az" | "azure" | "adl" | "abfs" | "abfss" => match authority.split_once('@') {
            Some((container, host)) if !container.is_empty() && !container.contains(':') => match azure::canonical(host) {
                Some(host) => Ok(Origin::Azure { container: container.to_owned(), host: Some(host) }),
                None => Err(Refusal::Authority("names no host of a storage account".to_owned())),
            },
            Some(_) => Err(Refusal::Authority("must read container@account".to_owned())),
            None => Ok(Origin::Azure { container: plain("container")?, host: None }),
        },
        _ => Err(Refusal::Scheme),
    }
}

/// Why a path is no place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The segments are not a plain path.
    Segment(&'static str),
    Authority(String),
    Scheme,
}

impl Refusal {
    pub fn text(&self) -> String {
        match self {
            Refusal::Segment(why) => (*why).to_owned(),
            Refusal::Authority(why) => format!("it {why}"),
            Refusal::Scheme => "no store has this scheme".to_owned(),
        }
    }
}

/// Percent-decodes once, then splits at `/`; refuses what could mean another place to someone who decodes or normalises again.
pub(super) fn decode(path: &str) -> std::result::Result<Vec<String>, Refusal> {
    let decoded = percent_decode_str(path).decode_utf8().map_err(|_| Refusal::Segment("its escapes are not UTF-8"))?;
    split(&decoded)
}

/// Splits an already decoded path. One trailing `/` is no segment.
pub(super) fn split(path: &str) -> std::result::Result<Vec<String>, Refusal> {
    let path = path.strip_suffix('/').unwrap_or(path);
    if path.is_empty() {
        return Ok(Vec::new());
    }
    path.split('/').map(|segment| check(segment).map(|()| segment.to_owned())).collect()
}

fn check(segment: &str) -> std::result::Result<(), Refusal> {
    let again = percent_decode_str(segment).decode_utf8_lossy();
    match segment {
        "" => Err(Refusal::Segment("it has an empty segment")),
        "." | ".." => Err(Refusal::Segment("it has a dot segment")),
        _ if again == "." || again == ".." => Err(Refusal::Segment("it has an encoded dot segment")),
        s if s.contains('\0') => Err(Refusal::Segment("it holds NUL")),
        s if s.contains('\\') => Err(Refusal::Segment("it holds a backslash")),
        s if s.chars().any(|c| c.is_ascii_control()) => Err(Refusal::Segment("it holds a control character")),
        _ => Ok(()),
    }
}

/// Where a path of the log leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// Decoded segments below the table's root.
    Inside(Vec<String>),
    /// Below the allowed root with this index.
    Allowed(usize, Vec<String>),
}

/// Finds where a path of the log leads. `roots` are the names of the table's own root (as given, and with symbolic links followed).
pub(super) fn target(raw: &str, roots: &[Place], allowed: &[Place]) -> Result<Target> {
    let refuse = |why: &str| {
        Error::new(Code::PATH, format!("a path of the log is refused: {why}"))
            .with("path", shown(raw))
            .help("the log names a file in a way that could lead out of the table; find out who wrote it")
    };
    let foreign = |why: &str| {
        Error::new(Code::PATH_FOREIGN, format!("a path of the log leads to another place: {why}"))
            .with("path", shown(raw))
            .help("if you trust the writer of this log, permit that place with --allow-root URL")
    };
    let home = roots.first().ok_or_else(|| Error::new(Code::INTERNAL, "a table root without a place"))?;
    let place = match scheme(raw) {
        None => {
            let segments = match raw.strip_prefix('/') {
                Some(absolute) => decode(absolute),
                None => decode(raw),
            }
            .map_err(|r| refuse(&r.text()))?;
            if raw.ends_with('/') || segments.is_empty() {
                return Err(refuse("it names no file"));
            }
            if !raw.starts_with('/') {
                return Ok(Target::Inside(segments));
            }
            Place { origin: home.origin.clone(), segments }
        }
        Some((scheme, rest)) => place_of_uri(&scheme, rest).map_err(|r| match r {
            Refusal::Segment(_) => refuse(&r.text()),
            Refusal::Authority(_) => foreign(&r.text()),
            Refusal::Scheme => foreign("no store has its scheme").help("only object stores and local folders can hold data files"),
        })?,
    };
    if raw.ends_with('/') {
        return Err(refuse("it names no file"));
    }
    if let Some(inside) = roots.iter().find_map(|root| place.below(root)) {
        return Ok(Target::Inside(inside.to_vec()));
    }
    if let Some((index, below)) = allowed.iter().enumerate().find_map(|(i, root)| place.below(root).map(|b| (i, b))) {
        return Ok(Target::Allowed(index, below.to_vec()));
    }
    Err(if roots.iter().any(|root| root.origin == place.origin) {
        refuse("it lies outside the table").help("if you trust the writer of this log, permit that place with --allow-root URL")
    } else {
        foreign("it names another store")
    })
}

/// A path as an error may show it: without the user part of a URL and without a query, and not longer than a line or two.
fn shown(raw: &str) -> String {
    let mut text = super::failure::redact(raw).into_owned();
    if let Some(at) = text.find("://") {
        let end = text[at + 3..].find('/').map_or(text.len(), |e| at + 3 + e);
        if let Some(user) = text[at + 3..end].rfind('@')
            && text[at + 3..at + 3 + user].contains(':')
        {
            text.replace_range(at + 3..at + 3 + user, "<redacted>");
        }
    }
    text.chars()
        .flat_map(|c| if c.is_control() { c.escape_default().collect::<String>() } else { c.to_string() }.chars().collect::<Vec<_>>())
        .collect()
}

#[cfg(test)]
#[path = "resolve_tests.rs"]
mod tests;
