use super::*;

// spec: CKP-14
#[test]
fn checkpoints_are_due_at_multiples_but_never_at_the_first_version() {
    let due: Vec<u64> = (0..=25).filter(|v| is_due(*v, 10)).collect();
    assert_eq!(due, [10, 20]);
    assert!(is_due(3, 0) && !is_due(0, 1));
}
