use super::guarded;

#[test]
fn a_panic_becomes_its_message_and_a_value_stays() {
    assert_eq!(guarded(|| 1), Ok(1));
    assert_eq!(guarded(|| panic!("bad {}", 7)), Err::<(), _>("its decoder gave up: bad 7".to_owned()));
    assert_eq!(guarded(|| panic!("plain")), Err::<(), _>("its decoder gave up: plain".to_owned()));
}
