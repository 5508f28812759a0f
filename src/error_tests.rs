use super::*;

/// The exit code of the command for a failure of this code.
fn exit(code: Code) -> &'static str {
    match code.kind() {
        ErrorKind::NotFound => "4",
        ErrorKind::Conflict | ErrorKind::CommitUnknown => "3",
        ErrorKind::ConstraintViolated => "7",
        ErrorKind::Cancelled => "130",
        _ if [Code::FEATURE_READ, Code::FEATURE_WRITE].contains(&code) => "5",
        _ => "1",
    }
}

#[test]
fn the_page_has_every_code_in_order_with_its_kind_and_exit() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/spec/errors.md")).unwrap();
    let rows = page.lines().filter(|line| line.starts_with("| `LB-"));
    let found: Vec<Vec<&str>> = rows.map(|row| row.split(" | ").map(|cell| cell.trim_matches(['|', ' ', '`'])).collect()).collect();
    let told: Vec<[&str; 3]> = found.iter().map(|cells| [cells[0], cells[1], cells[5]]).collect();
    let expected: Vec<[&str; 3]> = Code::ALL.iter().map(|code| [code.as_str(), code.kind().as_str(), exit(*code)]).collect();
    assert_eq!(told, expected);
    assert!(found.iter().all(|cells| cells.len() == 7 && cells.iter().all(|cell| !cell.is_empty())), "{found:?}");
}

#[test]
fn no_two_codes_have_one_text() {
    let mut texts: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    texts.sort_unstable();
    assert!(texts.windows(2).all(|pair| pair[0] != pair[1]), "{texts:?}");
}

#[test]
fn an_error_shows_code_sentence_and_objects_and_keeps_step_and_cause() {
    let error = Error::new(Code::LOG_GAP, "version 17 is missing from the log")
        .with("path", "t")
        .with("version", 17)
        .help("restore it")
        .caused_by(std::io::Error::other("why"));
    assert_eq!(error.to_string(), "LB-LOG-GAP: version 17 is missing from the log (path: t, version: 17)");
    assert_eq!((error.next_step(), error.kind(), error.is_retryable()), (Some("restore it"), ErrorKind::Corrupt, false));
    assert!(format!("{error:?}").ends_with("caused by: why"));
}
