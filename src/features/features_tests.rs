use super::*;
use crate::error::Code;

// spec: FEA-3
#[test]
fn every_record_stands_at_its_own_place_and_no_name_is_used_twice() {
    let mut names = std::collections::HashSet::new();
    for (i, spec) in ALL.iter().enumerate() {
        assert_eq!(spec.feature as usize, i, "{}", spec.name);
        for name in std::iter::once(&spec.name).chain(spec.aliases) {
            assert!(names.insert(name.to_lowercase()), "{name}");
        }
    }
}

/// Writes a page under `spec/` when `LAKEBED_BLESS` is set, else compares it.
fn page(name: &str, expected: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("spec").join(name);
    if std::env::var_os("LAKEBED_BLESS").is_some() {
        std::fs::write(&path, expected).expect("the page is written");
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "{} is not what the code says; LAKEBED_BLESS=1 writes it anew", path.display());
}

// spec: FEA-8
#[test]
fn the_conformance_page_is_what_the_registry_says() {
    let mut text = String::from(
        "# Table features\n\nWritten from `src/features` by a test (`LAKEBED_BLESS=1 cargo test --lib features::tests`); do not edit.\n\n\
         R: readers must understand it, W: writers must. A feature that is only recognised stops writes while it is active, and reads\n\
         when readers must understand it; it is added to no table. Enable: what switches it on. Drop: whether `DROP FEATURE` takes it off. Spark: the tests in\n\
         `tests/it/servers/matrix.rs` make tables with it, by Spark and by lakebed, and let the other one change them.\n\n\
         | feature (other names) | who | implied by | read | write | enable | drop | Spark |\n|---|---|---|---|---|---|---|---|\n",
    );
    let matrix = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/servers/matrix.rs");
    let matrix = std::fs::read_to_string(matrix).expect("the matrix of features beside Spark");
    let cases = matrix.lines().filter_map(|line| line.trim().strip_prefix("name: \"").or_else(|| line.split("Case { name: \"").nth(1)));
    let tested: std::collections::HashSet<&str> = cases.flat_map(|rest| rest.split('"').next().unwrap_or_default().split(' ')).collect();
    for spec in ALL {
        let aliases = spec.aliases.iter().map(|alias| format!("`{alias}`")).collect::<Vec<_>>().join(", ");
        let aliases = if aliases.is_empty() { aliases } else { format!(" ({aliases})") };
        let legacy = spec.legacy.map_or(String::new(), |legacy| match legacy.reader {
            Some(reader) => format!("reader {reader}, writer {}", legacy.writer),
            None => format!("writer {}", legacy.writer),
        });
        let who = if spec.scope == spec::Scope::Writer { "W" } else { "RW" };
        let read = if spec.is_readable() { "yes" } else { "refused" };
        let write = match spec.support {
            spec::Support::Full => "yes",
            _ if !spec.is_readable() => "refused",
            _ => "while inactive",
        };
        let enable = match (&spec.active, spec.support) {
            (_, spec::Support::Recognised) => String::new(),
            (spec::Active::WhenProperty(key), _) => format!("`{key}`"),
            (spec::Active::WhenSupported, _) => "its name".to_owned(),
            (spec::Active::When(_), _) => "schema or properties".to_owned(),
        };
        let drop = if spec.hooks.downgrade.is_some() { "yes" } else { "" };
        let spark = if tested.contains(spec.name) { "yes" } else { "" };
        text += &format!("| `{}`{aliases} | {who} | {legacy} | {read} | {write} | {enable} | {drop} | {spark} |\n", spec.name);
    }
    page("conformance.md", &text);
}

// spec: PRP-5
#[test]
fn the_properties_page_is_what_the_list_says() {
    let mut text = String::from(
        "# Table properties\n\nWritten from `src/features/properties.rs` by a test (`LAKEBED_BLESS=1 cargo test --lib features::tests`); do not edit.\n\n\
         Keys are matched in any case. Keys that begin with `delta.constraints.` or `delta.universalformat.config.` are free; other unknown\n\
         `delta.` keys are refused when they are set and kept when a table has them.\n\n| key | default | values |\n|---|---|---|\n",
    );
    for property in properties::ALL {
        let values = match property.kind {
            properties::Kind::Boolean => "true, false".to_owned(),
            properties::Kind::Number(min, i64::MAX) => format!("whole number ≥ {min}"),
            properties::Kind::Number(min, max) => format!("whole number from {min} to {max}"),
            properties::Kind::Columns => "columns, such as `a, b.c`".to_owned(),
            properties::Kind::ParquetVersion => "version 1 or 2 of Parquet, such as `1.0.0`".to_owned(),
            properties::Kind::Interval => "span of time, such as `interval 7 days`".to_owned(),
            properties::Kind::Size => "bytes, such as `134217728` or `128mb`".to_owned(),
            properties::Kind::Words(words) => words.join(", "),
            properties::Kind::Text => "text".to_owned(),
            properties::Kind::Internal => "set by engines".to_owned(),
        };
        text += &format!(
            "| `{}` | {} | {values} |\n",
            property.key,
            property.default.map_or(String::new(), |d| format!("`{d}`")).replace("``", "")
        );
    }
    page("properties.md", &text);
}

// spec: FEA-15
#[test]
fn a_feature_that_is_only_recognised_is_added_to_no_table() {
    let recognised: Vec<_> = ALL.iter().filter(|spec| spec.support == spec::Support::Recognised).collect();
    assert!(!recognised.is_empty());
    for name in recognised.iter().flat_map(|spec| std::iter::once(&spec.name).chain(spec.aliases)) {
        let key = format!("delta.feature.{name}");
        let asked = properties::request(&[(key, "supported".to_owned())].into_iter().collect());
        for refused in [feature_to_add(&name.to_uppercase()).expect_err(name), asked.expect_err(name)] {
            assert_eq!(refused.code(), Code::FEATURE_WRITE, "{name}");
            let named = TableFeature::named(name).expect("a feature").spec().name;
            assert!(refused.context().iter().any(|(key, value)| *key == "features" && value == named), "{refused}");
            assert!(refused.next_step().is_some());
        }
    }
}
