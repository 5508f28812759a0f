use super::*;

fn rules() -> Rules {
    let hidden = Hidden { partitions: vec!["_p=".to_owned()], metadata: false };
    Rules { before: 100, unnamed_before: 50, hidden }
}

#[test]
fn what_is_named_stays_and_the_rest_goes_by_its_age() {
    // spec: VAC-1, VAC-2, VAC-4, VAC-5
    let roles = [
        (Some(Role::Live), 0, Fate::Stays(Kept::Live)),
        (Some(Role::Retained), 0, Fate::Stays(Kept::Retained)),
        (Some(Role::Spelled), 0, Fate::Stays(Kept::Retained)),
        (Some(Role::Cloned), 0, Fate::Stays(Kept::Cloned)),
        (Some(Role::Expired), 99, Fate::Goes(Dead::Tombstoned)),
        (Some(Role::Expired), 100, Fate::Stays(Kept::Young)),
        (None, 49, Fate::Goes(Dead::Orphan)),
        (None, 50, Fate::Stays(Kept::Young)),
    ];
    for (role, modified, fate) in roles {
        assert_eq!(rules().fate("p=1/f.parquet", modified, role), fate, "{role:?}");
    }
}

#[test]
fn names_tell_what_an_unnamed_object_is() {
    // spec: VAC-4, VAC-8, VAC-14
    let hex = "0123456789abcdef0123456789abcdef";
    let (hidden, leftover) = (Fate::Stays(Kept::Hidden), Fate::Goes(Dead::Leftover));
    for (path, fate) in [
        ("x/deletion_vector_1.bin".to_owned(), Fate::Goes(Dead::Vector)),
        ("_change_data/p=1/x".to_owned(), Fate::Goes(Dead::ChangeData)),
        ("ab/cdc-1.parquet".to_owned(), Fate::Goes(Dead::ChangeData)),
        ("_p=1/f".to_owned(), Fate::Goes(Dead::Orphan)),
        ("_q=1/f".to_owned(), hidden),
        ("p/.f.crc".to_owned(), hidden),
        ("metadata/v1.json".to_owned(), Fate::Goes(Dead::Orphan)),
        (format!("p=1/.lakebed-{hex}.tmp"), leftover),
        (format!("_delta_log/.lakebed-{hex}.tmp"), leftover),
        (format!("_lakebed_probe_{hex}"), leftover),
        (format!("p/.lakebed-{hex}0.tmp"), hidden),
        ("_delta_log/00000000000000000000.json".to_owned(), hidden),
    ] {
        assert_eq!(rules().fate(&path, 0, None), fate, "{path}");
    }
    let iceberg = Rules { hidden: Hidden { partitions: vec![], metadata: true }, ..rules() };
    assert_eq!(iceberg.fate("metadata/v1.json", 0, None), hidden);
    // Whatever a removal in the log names.
    assert_eq!(rules().fate("_delta_log/00000000000000000000.json", 0, Some(Role::Expired)), hidden);
    assert_eq!(other_table("a/b/_delta_log/0.json"), Some("a/b/"));
    assert_eq!((other_table("_delta_log/0.json"), other_table("a/_delta_logs/x")), (None, None));
}
