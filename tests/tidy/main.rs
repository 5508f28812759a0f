//! Reads the repository and checks its walls. Needs nothing but the files, so it builds and runs in seconds.
//!
//! `LAKEBED_BLESS=1` writes `spec/public-api.txt` anew instead of comparing it.

mod rules;
mod source;
mod spec;

use source::{Repository, SourceFile};
use std::fmt::Write;

/// Fails with every finding, one a line.
fn report(rule: &str, findings: &[String]) {
    let mut text = String::new();
    for finding in findings {
        let _ = writeln!(text, "  {finding}");
    }
    assert!(findings.is_empty(), "{rule}:\n{text}");
}

#[test]
fn imports_point_downward_only() {
    let repository = Repository::load();
    report(
        "a module imports only lower ranks, its own folder, or a neighbour of its rank that does not import it",
        &rules::imports(&repository),
    );
}

#[test]
fn feature_names_stand_only_in_their_own_file() {
    let repository = Repository::load();
    report("outside src/features no feature is named, inside each name stands in one file", &rules::feature_names(&repository));
}

#[test]
fn library_code_has_no_banned_words() {
    let repository = Repository::load();
    report("banned in library code", &rules::banned_words(&repository));
}

#[test]
fn expression_types_stay_in_their_rooms() {
    let repository = Repository::load();
    report("DataFusion is named only in src/expr, src/exec and src/sql", &rules::datafusion(&repository));
}

#[test]
fn every_module_says_what_it_is() {
    let repository = Repository::load();
    report("a module begins with `//!`", &rules::headers(&repository));
}

#[test]
fn every_test_file_is_part_of_a_test_binary() {
    let repository = Repository::load();
    report("test files that nothing lists", &rules::unlisted_tests(&repository));
}

#[test]
fn files_are_small_and_name_no_machine() {
    let repository = Repository::load();
    report("files that are too big, or name paths or hosts of one machine", &rules::machine_traces(&repository));
}

#[test]
fn every_requirement_has_a_test_and_every_named_id_exists() {
    let repository = Repository::load();
    report("spec ids and tests differ", &spec::requirements(&repository));
}

#[test]
fn the_error_page_lists_every_code() {
    let repository = Repository::load();
    report("spec/errors.md and src/error.rs differ", &spec::errors(&repository));
}

#[test]
fn the_page_of_failures_names_tests_that_exist() {
    let repository = Repository::load();
    report("spec/failures.md and the tests differ", &spec::failures(&repository));
}

#[test]
fn the_public_api_changes_on_purpose() {
    let repository = Repository::load();
    report("spec/public-api.txt and src/lib.rs differ (LAKEBED_BLESS=1 writes it anew)", &spec::public_api(&repository));
}

#[test]
fn the_rules_find_what_they_ban() {
    let file = |path: &str, text: &str| SourceFile { path: path.to_owned(), text: text.to_owned() };
    let broken = Repository {
        root: std::env::temp_dir(),
        files: vec![
            file("spec/layers.toml", "[ranks]\nerror = 0\nschema = 1\nexpr = 1\nlog = 3\n"),
            file("spec/conformance.md", "| `someFeature` (`someFeature-preview`) | W |"),
            file("spec/protocol/x.md", "- ABC-1: something\n- ABC-2: another\n"),
            file(
                "spec/failures.md",
                "| # | what |\n|---|---|\n| A1 | x | `f` |\n| A2 | x | `is_nowhere` |\n| A3 | x | not shown |\n| A4 | x | y |\n\
                 | A1 | x | not built |\n## A. x\n## A. y\n",
            ),
            file("src/lib.rs", "//! lib\npub use log::{A, B};\n"),
            file("src/schema/mod.rs", "//! s\nuse crate::log::{self};\nuse crate::{error::Code, expr::Expr};\n"),
            file("src/expr/mod.rs", "//! e\nuse crate::schema::DataType;\n"),
            file(
                "src/log/mod.rs",
                concat!(
                    "use datafusion_expr::Expr;\nfn f() { x.un",
                    "wrap(); clock.sl",
                    "eep(1) }\n#[allow(dead",
                    "_code)]\nconst N: &str = \"someFeature\";\n",
                    "const S: &str = \"un",
                    "wrap() in text\"; // and un",
                    "wrap() in a comment\n"
                ),
            ),
            file("src/log/mod_tests.rs", "// spec: ABC-1, ABC-3\n#[test]\nfn f() { x.unwrap(); }\n"),
            file("tests/it/main.rs", "mod a;\n"),
            file("tests/it/a.rs", ""),
            file("tests/it/b.rs", "// see /ho\u{6d}e/someone/x\n"),
        ],
    };
    let imports = rules::imports(&broken);
    assert_eq!(imports.len(), 2, "{imports:?}");
    assert!(imports[0].contains("src/schema/mod.rs") && imports[0].contains("log"), "{imports:?}");
    assert!(imports[1].contains("circle"), "{imports:?}");
    let words = rules::banned_words(&broken);
    assert_eq!(words.len(), 3, "{words:?}");
    assert_eq!(rules::feature_names(&broken).len(), 1);
    assert_eq!(rules::datafusion(&broken).len(), 1);
    assert_eq!(rules::headers(&broken), ["src/log/mod.rs"]);
    assert_eq!(rules::unlisted_tests(&broken), ["src/log/mod_tests.rs", "tests/it/b.rs"]);
    assert_eq!(rules::machine_traces(&broken).len(), 1);
    let wrong = ["A is the letter of two parts", "A2: there is no test `is_nowhere`", "A4 names no test", "A1 comes twice"];
    assert_eq!(spec::failures(&broken), wrong);
    let ids = spec::requirements(&broken);
    assert_eq!(ids.len(), 2, "{ids:?}");
}
