use super::*;

const MIB: u64 = 1 << 20;

fn cheaper(bytes: u64, dead: u64, going: u64) -> bool {
    rewriting_is_cheaper(Facts { bytes, rows: 300, dead, going })
}

// spec: ROW-5
#[test]
fn vectors_are_written_until_two_thirds_of_a_large_file_are_dead() {
    assert!(!cheaper(96 * MIB, 0, 3));
    assert!(!cheaper(96 * MIB, 0, 200));
    assert!(cheaper(96 * MIB, 0, 201));
    assert!(cheaper(96 * MIB, 200, 1), "rows that were dead before count too");
    assert!(!cheaper(96 * MIB, 150, 50));
}

// spec: ROW-5
#[test]
fn small_files_are_never_written_again() {
    assert!(!cheaper(8 * MIB, 290, 9));
    assert!(!cheaper(0, 0, 299));
    assert!(cheaper(9 * MIB, 290, 9));
}

// spec: ROW-5
#[test]
fn odd_numbers_of_a_foreign_log_do_not_overflow() {
    assert!(rewriting_is_cheaper(Facts { bytes: u64::MAX, rows: 1, dead: u64::MAX, going: u64::MAX }));
    assert!(!rewriting_is_cheaper(Facts { bytes: u64::MAX, rows: 0, dead: 0, going: 0 }));
}
