use super::*;

// spec: MRG-16
#[test]
fn rows_that_do_not_add_up_are_a_defect_and_no_commit() {
    let effects = |gone: Option<u64>, written: u64| {
        let mut effects = RowEffects::default();
        (effects.counts.gone, effects.counts.written) = (gone, written);
        effects
    };
    let inserts = Counts { inserted: 2, ..Counts::default() };
    assert!(adds_up(&inserts, &effects(Some(0), 2)).is_ok());
    for wrong in [effects(Some(0), 1), effects(Some(1), 2), effects(None, 2)] {
        assert_eq!(adds_up(&inserts, &wrong).expect_err("wrong").code(), Code::INTERNAL);
    }
    // Rows were updated, but no file was removed and no vector written.
    let updates = Counts { matched_updated: 1, ..Counts::default() };
    assert_eq!(adds_up(&updates, &effects(Some(1), 1)).expect_err("doubled rows").code(), Code::INTERNAL);
}
