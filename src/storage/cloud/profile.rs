//! AWS profiles: the two files of `~/.aws`. Kind: pure. Spec: STO.

use std::collections::BTreeMap;

/// Profiles by name; a later file's keys win.
#[derive(Clone, Debug, Default)]
pub(super) struct Profiles(BTreeMap<String, BTreeMap<String, String>>);

/// Which file a text is: `config` writes `[profile name]`, `credentials` writes `[name]`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Config,
    Credentials,
}

impl Profiles {
    /// Takes in a file's text. What is not `key = value` below a profile's heading is passed over, as are indented lines.
    pub fn read(&mut self, kind: Kind, text: &str) {
        let mut current: Option<String> = None;
        for line in text.lines() {
            let line = line.split_once(" #").or_else(|| line.split_once(" ;")).map_or(line, |(kept, _)| kept);
            if line.starts_with([' ', '\t', '#', ';']) || line.trim().is_empty() {
                continue;
            }
            if let Some(heading) = line.trim().strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
                let heading = heading.trim();
                current = match (kind, heading.split_once(char::is_whitespace)) {
                    (Kind::Config, Some(("profile", name))) => Some(name.trim().trim_matches('"').to_owned()),
                    (Kind::Config, None) if heading == "default" => Some(heading.to_owned()),
                    (Kind::Credentials, None) => Some(heading.to_owned()),
                    _ => None,
                };
                if let Some(name) = &current {
                    self.0.entry(name.clone()).or_default();
                }
            } else if let (Some(name), Some((key, value))) = (&current, line.split_once('=')) {
                self.0.entry(name.clone()).or_default().insert(key.trim().to_ascii_lowercase(), value.trim().to_owned());
            }
        }
    }
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
    pub fn get(&self, name: &str, key: &str) -> Option<&str> {
        self.0.get(name)?.get(key).map(String::as_str).filter(|v| !v.is_empty())
    }
}

#[cfg(test)]
#[path = "profile_tests.rs"]
mod tests;
