use super::*;
use crate::log::encode_commit;
use crate::sim::build::{add, remove};

fn vector(name: &str, cardinality: i64) -> VectorDescriptor {
    VectorDescriptor { storage_type: "u".into(), path_or_inline_dv: name.into(), offset: Some(1), size_in_bytes: 40, cardinality }
}

fn gone(path: &str, old: Option<VectorDescriptor>) -> Remove {
    Remove { deletion_vector: old, ..remove(path, true) }
}

fn back(path: &str, new: Option<VectorDescriptor>) -> Add {
    Add { deletion_vector: new, ..add(path, true) }
}

fn read(actions: Vec<Action>) -> Footprint {
    Footprint::read(Version(1), &encode_commit(&actions).unwrap()).unwrap()
}

// spec: CON-5
#[test]
fn pair_that_only_lengthens_a_vector_is_lost_rows_and_nothing_else() {
    let old = || Some(vector("old", 1));
    let found = read(vec![
        Action::Remove(gone("a", None)),
        Action::Add(back("a", old())),
        Action::Remove(gone("b", old())),
        Action::Add(back("b", Some(vector("new", 3)))),
        Action::Add(back("c", None)),
    ]);
    let lost: Vec<_> = found.lost_rows.iter().map(|l| (l.file.path.as_str(), l.before.clone())).collect();
    assert_eq!(lost, [("a", None), ("b", old())]);
    assert_eq!((found.removes.len(), found.adds.len()), (0, 1));
    assert!(!found.blind_append);
}

// spec: CON-5
#[test]
fn pair_that_does_more_than_lengthen_a_vector_stays_a_remove_and_an_add() {
    let (old, new) = (|| Some(vector("old", 2)), || Some(vector("new", 3)));
    let other_size = Add { size: 7, ..back("a", new()) };
    let sized = Remove { size: Some(1), ..gone("a", old()) };
    let moved = Add { data_change: false, ..back("a", new()) };
    let cases = [
        // Rows came back.
        vec![Action::Remove(gone("a", new())), Action::Add(back("a", old()))],
        vec![Action::Remove(gone("a", old())), Action::Add(back("a", None))],
        // As many rows, perhaps others.
        vec![Action::Remove(gone("a", old())), Action::Add(back("a", Some(vector("other", 2))))],
        vec![Action::Remove(sized), Action::Add(other_size)],
        vec![Action::Remove(gone("a", old())), Action::Add(moved)],
        vec![Action::Remove(gone("a", None)), Action::Remove(gone("a", old())), Action::Add(back("a", new()))],
        vec![Action::Remove(gone("a%20b", old())), Action::Add(back("a b", new()))],
    ];
    for actions in cases {
        let found = read(actions.clone());
        assert!(found.lost_rows.is_empty() && !found.adds.is_empty() && !found.removes.is_empty(), "{actions:?}");
    }
}
