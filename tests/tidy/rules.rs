//! Rules over the text of the repository. Each gives its findings.

use crate::source::{Repository, SourceFile};
use std::collections::{BTreeMap, BTreeSet};

/// The module ranks of `spec/layers.toml`.
fn ranks(repository: &Repository) -> BTreeMap<String, u32> {
    let lines = repository.text("spec/layers.toml").lines().filter(|line| !line.trim_start().starts_with('#'));
    lines
        .filter_map(|line| line.split_once('='))
        .filter_map(|(name, rank)| Some((name.trim().to_owned(), rank.trim().parse().ok()?)))
        .collect()
}

/// The modules of the crate that code names after `crate::`.
fn imported(file: &SourceFile) -> BTreeSet<String> {
    let code: String = file.words().split_whitespace().collect::<Vec<_>>().join(" ").replace(":: {", "::{");
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            let (mut depth, mut start) = (1, 0);
            for (i, c) in group.char_indices() {
                if depth == 1 && (c == ',' || c == '}') {
                    found.extend(first_word(&group[start..i]));
                    start = i + 1;
                }
                depth += i32::from(c == '{') - i32::from(c == '}');
                if depth == 0 {
                    break;
                }
            }
        } else {
            found.extend(first_word(rest));
        }
    }
    found
}

fn first_word(text: &str) -> Option<String> {
    let text = text.trim_start();
    let word = &text[..text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len())];
    (!word.is_empty()).then(|| word.to_owned())
}

pub fn imports(repository: &Repository) -> Vec<String> {
    let ranks = ranks(repository);
    let mut findings = Vec::new();
    let mut beside: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for file in repository.production().filter(|file| !file.path.starts_with("src/bin/") && file.path != "src/lib.rs") {
        let module = file.module();
        let Some(rank) = ranks.get(module) else {
            findings.push(format!("{}: the module `{module}` has no rank in spec/layers.toml", file.path));
            continue;
        };
        // The simulation exists in test builds only, so nothing else can lean on it.
        for target in imported(file).iter().filter(|target| *target != module && *target != "sim") {
            match ranks.get(target) {
                Some(other) if other > rank => findings.push(format!("{} (rank {rank}) imports `{target}` (rank {other})", file.path)),
                Some(other) if other == rank => _ = beside.entry(module).or_default().insert(target.clone()),
                _ => {}
            }
        }
    }
    for (module, targets) in &beside {
        for target in targets {
            if reaches(&beside, target, module, &mut BTreeSet::new()) {
                findings.push(format!("`{module}` and `{target}` import each other: a circle inside a rank"));
                return findings;
            }
        }
    }
    findings
}

fn reaches<'a>(graph: &'a BTreeMap<&str, BTreeSet<String>>, from: &'a str, to: &str, seen: &mut BTreeSet<&'a str>) -> bool {
    from == to || seen.insert(from) && graph.get(from).is_some_and(|next| next.iter().any(|next| reaches(graph, next, to, seen)))
}

/// Names of features and their aliases, from the page that the registry writes.
fn names_of_features(repository: &Repository) -> Vec<String> {
    let rows = repository.text("spec/conformance.md").lines().filter(|line| line.starts_with("| `"));
    let first_cells = rows.filter_map(|row| row.split('|').nth(1));
    first_cells.flat_map(|cell| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>()).collect()
}

/// Feature names that are also the names of fields in the log.
const ALSO_FIELDS: &[&str] = &["inCommitTimestamp", "v2Checkpoint", "domainMetadata"];

pub fn feature_names(repository: &Repository) -> Vec<String> {
    let names = names_of_features(repository);
    if names.is_empty() {
        return vec!["spec/conformance.md names no feature".to_owned()];
    }
    let mut findings = Vec::new();
    let mut homes: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for file in repository.production() {
        let inside = file.path.starts_with("src/features/");
        let code = file.code();
        if !inside && file.words().contains("TableFeature") {
            findings.push(format!("{} names TableFeature", file.path));
        }
        for name in names.iter().filter(|name| code.contains(&format!("\"{name}\""))) {
            if inside {
                homes.entry(name).or_default().push(&file.path);
            } else if !ALSO_FIELDS.contains(&name.as_str()) {
                findings.push(format!("{} names the feature {name}", file.path));
            }
        }
    }
    for (name, files) in homes.iter().filter(|(name, files)| files.len() > 1 && !ALSO_FIELDS.contains(name)) {
        findings.push(format!("{name} is named in {}", files.join(" and ")));
    }
    findings
}

/// Whether a file may hold the word all the same.
type Exempt = fn(&str) -> bool;

pub fn banned_words(repository: &Repository) -> Vec<String> {
    // Written in two halves so that this file is not found by other searches.
    let rules: &[(String, Exempt)] = &[
        (["un", "wrap("].concat(), |_| false),
        (["to", "do!"].concat(), |_| false),
        (["unimpl", "emented!"].concat(), |_| false),
        ([".sl", "eep("].concat(), |path| {
            // The last one bounds how long it waits for a foreign process; it tries nothing again.
            path.starts_with("src/env/") || path == "src/transaction/drive.rs" || path == "src/storage/cloud/fresh.rs"
        }),
        (["cfg(", "feature"].concat(), |path| path == "src/lib.rs" || path.starts_with("src/bin/") || path.starts_with("src/storage/")),
        (["allow(", "dead_code)"].concat(), |_| false),
    ];
    let mut findings = Vec::new();
    for file in repository.production() {
        for (number, line) in file.words().lines().enumerate() {
            for (word, allowed) in rules {
                if line.contains(word.as_str()) && !allowed(&file.path) {
                    findings.push(format!("{}:{}: {word}", file.path, number + 1));
                }
            }
        }
    }
    let ignored = ["#[ig", "nore"].concat();
    for file in repository.files.iter().filter(|file| file.path.ends_with(".rs")) {
        let found = file.words().lines().position(|line| line.contains(&ignored));
        findings.extend(found.map(|number| format!("{}:{}: {ignored}", file.path, number + 1)));
    }
    findings
}

pub fn datafusion(repository: &Repository) -> Vec<String> {
    let rooms = ["src/expr/", "src/exec/", "src/sql/"];
    let outside = |file: &&SourceFile| !rooms.iter().any(|room| file.path.starts_with(room));
    repository.sources().filter(outside).filter(|file| file.words().contains("datafusion")).map(|file| file.path.clone()).collect()
}

pub fn headers(repository: &Repository) -> Vec<String> {
    repository.production().filter(|file| !file.text.starts_with("//!")).map(|file| file.path.clone()).collect()
}

pub fn unlisted_tests(repository: &Repository) -> Vec<String> {
    let mut findings = Vec::new();
    for file in repository.sources().filter(|file| file.path.ends_with("_tests.rs")) {
        let (folder, name) = file.path.rsplit_once('/').unwrap_or(("", &file.path));
        let listed = format!("#[path = \"{name}\"]");
        let beside = |other: &&SourceFile| other.path.rsplit_once('/').is_some_and(|(other, _)| other == folder);
        let module = format!("mod {};", name.trim_end_matches(".rs"));
        if !repository.sources().filter(beside).any(|other| other.text.contains(&listed) || other.text.contains(&module)) {
            findings.push(file.path.clone());
        }
    }
    let in_folder = |file: &&SourceFile| file.path.starts_with("tests/it/") && file.path.ends_with(".rs");
    for file in repository.files.iter().filter(in_folder).filter(|file| file.path != "tests/it/main.rs") {
        let inner = file.path.trim_start_matches("tests/it/").trim_end_matches(".rs").trim_end_matches("/mod");
        let (parent, name) = inner.rsplit_once('/').map_or(("tests/it/main.rs".to_owned(), inner), |(folder, name)| {
            let own = format!("tests/it/{folder}.rs");
            let parent = if repository.text(&own).is_empty() { format!("tests/it/{folder}/mod.rs") } else { own };
            (parent, name)
        });
        let lists = |text: &str| {
            text.lines().any(|line| line.trim().trim_start_matches("pub ").trim_start_matches("pub(crate) ") == format!("mod {name};"))
        };
        let by_path = repository.text("tests/it/main.rs").contains(&format!("{inner}.rs\""));
        if !lists(repository.text(&parent)) && !by_path {
            findings.push(file.path.clone());
        }
    }
    findings
}

/// The most bytes that one file may have.
const BYTES_MAX: u64 = 1 << 20;

pub fn machine_traces(repository: &Repository) -> Vec<String> {
    let traces: Vec<String> =
        [["/wo", "rk/"], ["/ho", "me/"], ["/ro", "ot/"], ["/Us", "ers/"]].iter().map(|halves| halves.concat()).collect();
    let mut findings = Vec::new();
    for file in &repository.files {
        if std::fs::metadata(repository.root.join(&file.path)).is_ok_and(|data| data.len() > BYTES_MAX) {
            findings.push(format!("{} is bigger than {BYTES_MAX} bytes", file.path));
        }
        let line = file.text.lines().position(|line| traces.iter().any(|trace| names_machine(line, trace)));
        findings.extend(line.map(|number| format!("{}:{}: a path of one machine", file.path, number + 1)));
        if file.path == "Cargo.lock" {
            let own = "registry+https://github.com/rust-lang/crates.io-index";
            let foreign = file.text.lines().find(|line| line.starts_with("source = ") && !line.contains(own));
            findings.extend(foreign.map(|line| format!("Cargo.lock: {line}")));
        }
    }
    findings
}

/// Whether an absolute path begins with `trace` in this line; `x/work/` is another path.
fn names_machine(line: &str, trace: &str) -> bool {
    line.match_indices(trace).any(|(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric() || ".-_}$~*)".contains(c)))
}
