//! The files of the repository, and Rust text without what is not code.

use std::fs;
use std::path::{Path, PathBuf};

/// One file; `text` is empty when it is not UTF-8.
pub struct SourceFile {
    /// Relative to the root, with `/`.
    pub path: String,
    pub text: String,
}

/// Everything that a clone holds.
pub struct Repository {
    pub root: PathBuf,
    pub files: Vec<SourceFile>,
}

/// Folders that a build or a run makes.
const SKIPPED: &[&str] = &["target", ".git", "demo", "__pycache__", ".pytest_cache", "node_modules"];

impl Repository {
    pub fn load() -> Repository {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let mut files = Vec::new();
        walk(&root, &root, &mut files);
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Repository { root, files }
    }
    pub fn text(&self, path: &str) -> &str {
        self.files.iter().find(|file| file.path == path).map_or("", |file| file.text.as_str())
    }
    /// Rust files of the library and the binary.
    pub fn sources(&self) -> impl Iterator<Item = &SourceFile> {
        self.files.iter().filter(|file| file.path.starts_with("src/") && file.path.ends_with(".rs"))
    }
    /// The same without tests and the simulation.
    pub fn production(&self) -> impl Iterator<Item = &SourceFile> {
        self.sources().filter(|file| !file.path.ends_with("_tests.rs") && !file.path.starts_with("src/sim/"))
    }
}

impl SourceFile {
    /// The module of `src/` that the file belongs to; `bin` for the binary, `lib` for the root.
    pub fn module(&self) -> &str {
        let rest = self.path.strip_prefix("src/").unwrap_or(&self.path);
        rest.split('/').next().unwrap_or(rest).trim_end_matches(".rs")
    }
    /// The code, without comments, and without an inline test module at the end.
    pub fn code(&self) -> String {
        let text = match self.text.find("#[cfg(test)]\nmod tests {") {
            Some(at) => &self.text[..at],
            None => &self.text,
        };
        strip(text, Keep::Strings)
    }
    /// The code without comments and without what stands in quotes.
    pub fn words(&self) -> String {
        let text = match self.text.find("#[cfg(test)]\nmod tests {") {
            Some(at) => &self.text[..at],
            None => &self.text,
        };
        strip(text, Keep::Nothing)
    }
}

fn walk(root: &Path, folder: &Path, files: &mut Vec<SourceFile>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if path.is_dir() {
            // A folder named `demo` is skipped at the root only.
            let at_root = folder == root;
            if !SKIPPED.contains(&name.as_str()) || name == "demo" && !at_root {
                walk(root, &path, files);
            }
        } else if name != ".git" {
            let relative = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
            files.push(SourceFile { path: relative, text: fs::read_to_string(&path).unwrap_or_default() });
        }
    }
}

#[derive(PartialEq)]
enum Keep {
    Strings,
    Nothing,
}

/// Rust text without comments (and, if asked, without the inside of strings). Lines stay where they are.
fn strip(text: &str, keep: Keep) -> String {
    let bytes: Vec<char> = text.chars().collect();
    let at = |i: usize| bytes.get(i).copied().unwrap_or('\0');
    let mut out = String::with_capacity(text.len());
    let mut i = 0;
    while i < bytes.len() {
        let c = bytes[i];
        if c == '/' && at(i + 1) == '/' {
            while i < bytes.len() && bytes[i] != '\n' {
                i += 1;
            }
        } else if c == '/' && at(i + 1) == '*' {
            while i < bytes.len() && !(bytes[i] == '*' && at(i + 1) == '/') {
                out.extend((bytes[i] == '\n').then_some('\n'));
                i += 1;
            }
            i += 2;
        } else if c == 'r' && (at(i + 1) == '"' || at(i + 1) == '#' && matches!(at(i + 2), '"' | '#')) && !is_word(out.chars().last()) {
            let hashes = bytes[i + 1..].iter().take_while(|c| **c == '#').count();
            let mut j = i + 2 + hashes;
            while j < bytes.len() && !(bytes[j] == '"' && bytes[j + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes) {
                j += 1;
            }
            push_string(&mut out, &bytes[(i + 2 + hashes).min(j)..j], &keep);
            i = j + 1 + hashes;
        } else if c == '"' {
            let mut j = i + 1;
            while j < bytes.len() && bytes[j] != '"' {
                j += if bytes[j] == '\\' { 2 } else { 1 };
            }
            let end = j.min(bytes.len());
            push_string(&mut out, &bytes[i + 1..end], &keep);
            i = end + 1;
        } else if c == '\'' && (at(i + 1) == '\\' || at(i + 2) == '\'') {
            // A character literal; lifetimes have no closing quote.
            let mut j = i + 1;
            while j < bytes.len() && bytes[j] != '\'' {
                j += if bytes[j] == '\\' { 2 } else { 1 };
            }
            out.push_str("' '");
            i = j + 1;
        } else {
            out.push(c);
            i += 1;
        }
    }
    out
}

fn push_string(out: &mut String, inside: &[char], keep: &Keep) {
    out.push('"');
    match keep {
        Keep::Strings => out.extend(inside),
        Keep::Nothing => out.extend(inside.iter().filter(|c| **c == '\n')),
    }
    out.push('"');
}

fn is_word(c: Option<char>) -> bool {
    c.is_some_and(|c| c.is_alphanumeric() || c == '_')
}
