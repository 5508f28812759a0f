use super::*;
use clap::CommandFactory;

#[test]
fn the_command_line_contradicts_itself_nowhere() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_shows_an_example_of_itself() {
    fn check(command: &clap::Command, words: &str) {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let example = help.strip_prefix("Example: ").unwrap_or_else(|| panic!("`{words}` has no example: {help:?}"));
        let shown: Vec<&str> = example.split_whitespace().collect();
        let spelled: Vec<&str> = words.split_whitespace().collect();
        assert!(shown.starts_with(&spelled[..2]) && shown.contains(&spelled[spelled.len() - 1]), "`{words}`: {help}");
        command.get_subcommands().for_each(|sub| check(sub, &format!("{words} {}", sub.get_name())));
    }
    Cli::command().get_subcommands().for_each(|sub| check(sub, &format!("lakebed {}", sub.get_name())));
}

#[test]
fn an_allowed_root_may_have_commas_and_there_may_be_several() {
    let cli = Cli::try_parse_from(["lakebed", "info", "t", "--allow-root", "co,mma", "--allow-root", "s3://b/x"]).unwrap();
    assert_eq!(cli.global.allow_root, ["co,mma", "s3://b/x"]);
}

#[test]
fn sizes_are_read_with_their_units() {
    for (text, bytes) in [("4096", 4096), ("1KiB", 1024), ("1.5 MiB", 3 << 19), ("2GB", 2_000_000_000), ("2g", 2 << 30)] {
        assert_eq!(size(text), Ok(bytes), "{text}");
    }
    for text in ["", "MiB", "-1", "12 parsecs", "0", "1", "1e3", "999999999999TiB"] {
        assert!(size(text).is_err(), "{text}");
    }
}

#[test]
fn pairs_are_split_at_the_right_sign() {
    assert_eq!(key_value("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
    assert!(key_value("=b").is_err() && key_value("a").is_err());
}
