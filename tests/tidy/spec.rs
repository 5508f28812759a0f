//! Rules that tie `spec/` to the code. Each gives its findings.

use crate::source::{Repository, SourceFile};
use std::collections::{BTreeMap, BTreeSet};

/// `LOG-3`, `DAT-W1`, and `C3` of the conflict rules; the text up to the first character that cannot be part of an id.
fn id_at(text: &str) -> Option<&str> {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '-').unwrap_or(text.len());
    if text[..end].strip_prefix('C').is_some_and(|rule| !rule.is_empty() && rule.chars().all(|c| c.is_ascii_digit())) {
        return Some(&text[..end]);
    }
    let (area, number) = text[..end].split_once('-')?;
    let is_area = area.len() >= 2 && area.chars().all(|c| c.is_ascii_uppercase());
    let digits = number.strip_prefix(|c: char| c.is_ascii_uppercase()).unwrap_or(number);
    (is_area && !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit())).then(|| &text[..end])
}

/// Ids that a page declares: at the start of a line, followed by a colon; a conflict rule by its heading.
fn declared(file: &SourceFile) -> Vec<&str> {
    let is_rules = file.path == "spec/conflicts.md";
    let starts = file.text.lines().filter_map(|line| {
        if let Some(rule) = line.strip_prefix("## ").and_then(id_at).filter(|id| is_rules && !id.contains('-')) {
            return Some(rule);
        }
        let line = line.trim_start_matches(['-', '*', '#', ' ', '`', '|']);
        id_at(line).filter(|id| line[id.len()..].trim_start_matches(['*', '`']).starts_with(':'))
    });
    starts.collect()
}

pub fn requirements(repository: &Repository) -> Vec<String> {
    let mut findings = Vec::new();
    let mut homes: BTreeMap<&str, &str> = BTreeMap::new();
    for file in repository.files.iter().filter(|file| file.path.starts_with("spec/") && file.path.ends_with(".md")) {
        for id in declared(file) {
            if let Some(other) = homes.insert(id, &file.path) {
                findings.push(format!("{id} is declared in {other} and in {}", file.path));
            }
        }
    }
    let mut named: BTreeMap<String, &str> = BTreeMap::new();
    let tests = repository.files.iter().filter(|file| file.path != "tests/tidy/main.rs");
    for file in tests.filter(|file| [".rs", ".py", "run"].iter().any(|end| file.path.ends_with(end))) {
        for line in file.text.lines() {
            let line = line.trim_start();
            let Some(ids) = line.strip_prefix("// spec: ").or_else(|| line.strip_prefix("# spec: ")) else { continue };
            for id in ids.split([',', ' ']).filter(|id| !id.is_empty()) {
                match id_at(id) {
                    Some(id) => _ = named.entry(id.to_owned()).or_insert(&file.path),
                    None => findings.push(format!("{}: `{id}` is not a spec id", file.path)),
                }
            }
        }
    }
    findings.extend(homes.iter().filter(|(id, _)| !named.contains_key(**id)).map(|(id, page)| format!("{id} ({page}) has no test")));
    findings
        .extend(named.iter().filter(|(id, _)| !homes.contains_key(id.as_str())).map(|(id, file)| format!("{id} ({file}) is in no page")));
    findings
}

pub fn errors(repository: &Repository) -> Vec<String> {
    let codes: BTreeSet<&str> = quoted_codes(repository.text("src/error.rs"), '"');
    let mut findings = Vec::new();
    let mut rows = BTreeSet::new();
    for row in repository.text("spec/errors.md").lines().filter(|line| line.starts_with("| `LB-")) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let code = cells.get(1).copied().unwrap_or_default().trim_matches('`');
        if !rows.insert(code) {
            findings.push(format!("{code} is listed twice"));
        }
        let test = cells.iter().rev().find(|cell| !cell.is_empty()).copied().unwrap_or_default().trim_matches('`');
        let name = test.rsplit("::").next().unwrap_or(test);
        let is_there = |file: &SourceFile| file.path.ends_with(".rs") && file.text.contains(&format!("fn {name}("));
        if name.is_empty() || !repository.files.iter().any(is_there) {
            findings.push(format!("{code}: there is no test `{test}`"));
        }
    }
    findings.extend(codes.difference(&rows).map(|code| format!("{code} is not in spec/errors.md")));
    findings.extend(rows.difference(&codes).map(|code| format!("{code} is not in src/error.rs")));
    findings
}

/// Tests that `spec/failures.md` names and that do not exist; rows that name none and do not say why; ids and headings that come twice.
pub fn failures(repository: &Repository) -> Vec<String> {
    let mut findings = Vec::new();
    let mut seen = BTreeSet::new();
    let headings = repository.text("spec/failures.md").lines().filter_map(|line| line.strip_prefix("## ")?.split_once('.'));
    findings.extend(headings.filter(|(letter, _)| !seen.insert(*letter)).map(|(letter, _)| format!("{letter} is the letter of two parts")));
    let rows = repository.text("spec/failures.md").lines().filter(|line| line.starts_with("| ") && !line.starts_with("| #"));
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let (number, tests) = (cells[0], cells[cells.len() - 1]);
        if !seen.insert(number) {
            findings.push(format!("{number} comes twice"));
        }
        if !tests.contains('`') && tests != "not shown" && tests != "not built" {
            findings.push(format!("{number} names no test"));
        }
        for name in tests.split('`').skip(1).step_by(2) {
            let is_there = |file: &SourceFile| file.path.ends_with(".rs") && file.text.contains(&format!("fn {name}("));
            if !repository.files.iter().any(is_there) {
                findings.push(format!("{number}: there is no test `{name}`"));
            }
        }
    }
    findings
}

fn quoted_codes(text: &str, quote: char) -> BTreeSet<&str> {
    text.split(quote).filter(|part| part.starts_with("LB-") && part.chars().all(|c| c.is_ascii_uppercase() || c == '-')).collect()
}

pub fn public_api(repository: &Repository) -> Vec<String> {
    let lib = repository.files.iter().find(|file| file.path == "src/lib.rs").map(SourceFile::code).unwrap_or_default();
    let mut names: Vec<String> = Vec::new();
    for statement in lib.split(';').filter_map(|part| part.split_once("pub use ").map(|(_, rest)| rest)) {
        let statement: String = statement.split_whitespace().collect::<Vec<_>>().join(" ");
        match statement.split_once("::{") {
            Some((module, group)) => {
                let items = group.trim_end_matches(['}', ' ']).split(',').map(str::trim).filter(|item| !item.is_empty());
                names.extend(items.map(|item| format!("{module}::{item}")));
            }
            None => names.push(statement),
        }
    }
    names.sort();
    let expected = names.join("\n") + "\n";
    let path = repository.root.join("spec/public-api.txt");
    if std::env::var_os("LAKEBED_BLESS").is_some() {
        return std::fs::write(&path, expected).err().map(|e| format!("{}: {e}", path.display())).into_iter().collect();
    }
    let listed: BTreeSet<&str> = repository.text("spec/public-api.txt").lines().collect();
    let found: BTreeSet<&str> = expected.lines().collect();
    let added = found.difference(&listed).map(|name| format!("new: {name}"));
    let gone = listed.difference(&found).map(|name| format!("gone: {name}"));
    added.chain(gone).collect()
}
