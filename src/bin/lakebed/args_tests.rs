use super::*;
use clap::CommandFactory;

#[test]
fn the_command_line_contradicts_itself_nowhere() {
    Cli::command().debug_assert();
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
