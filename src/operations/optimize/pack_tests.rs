use super::*;
use crate::log::VectorDescriptor;

fn file(i: usize, size: u64, rows: i64, deleted: i64) -> Add {
    let text = format!(r#"{{"path":"f{i}","partitionValues":{{}},"size":{size},"modificationTime":{i},"dataChange":true}}"#);
    let mut add: Add = serde_json::from_str(&text).unwrap();
    add.stats = Some(format!("{{\"numRecords\":{rows}}}"));
    add.deletion_vector = (deleted > 0).then(|| VectorDescriptor {
        storage_type: "u".to_owned(),
        path_or_inline_dv: "ab^-aqEH.-t@S}K{vb[*k^".to_owned(),
        offset: Some(1),
        size_in_bytes: 40,
        cardinality: deleted,
    });
    add
}

fn names(groups: &[(Vec<Add>, &str)]) -> Vec<Vec<String>> {
    groups.iter().map(|(files, _)| files.iter().map(|f| f.path.clone()).collect()).collect()
}

// spec: OPT-2
#[test]
fn small_files_are_joined_in_their_order_and_large_or_lonely_ones_stay() {
    let files = vec![file(0, 30, 1, 0), file(1, 100, 1, 0), file(2, 30, 1, 0), file(3, 90, 1, 0), file(4, 40, 1, 0)];
    assert_eq!(names(&Pack::Small.divide(files.clone(), 100)), [vec!["f0", "f2", "f4"]]);
    assert!(Pack::Small.divide(files[..2].to_vec(), 100).is_empty(), "one small file and a large one");
    assert!(Pack::Purge.divide(files, 100).is_empty(), "nothing is deleted");
}

// spec: OPT-4
#[test]
fn deleted_rows_are_a_reason_when_they_are_many_and_for_a_purge_always() {
    let files = vec![file(0, 500, 100, 5), file(1, 500, 100, 6), file(2, 500, 100, 0)];
    assert_eq!(names(&Pack::Small.divide(files.clone(), 100)), [vec!["f1"]]);
    assert_eq!(names(&Pack::Purge.divide(files, 1000)), [vec!["f0", "f1"]]);
    let mut unknown = file(0, 500, 100, 1);
    unknown.stats = None;
    assert_eq!(names(&Pack::Small.divide(vec![unknown], 100)), [vec!["f0"]], "how many rows are deleted of how many is not known");
    assert_eq!(living_bytes(&file(0, 500, 100, 40)), 300);
}

// spec: OPT-3
#[test]
fn a_settled_file_is_taken_along_and_no_reason() {
    let settled = |i, size| {
        let mut add = file(i, size, 1, 0);
        settle(&mut add, 100);
        add
    };
    assert!(Pack::Small.divide(vec![settled(0, 10), settled(1, 10), file(2, 10, 1, 0)], 100).is_empty());
    let joined = Pack::Small.divide(vec![settled(0, 10), file(1, 20, 1, 0), file(2, 20, 1, 0), settled(3, 70)], 100);
    assert_eq!(names(&joined), [vec!["f0", "f1", "f2"]], "where there is room");
    let other_size = vec![settled(0, 10), settled(1, 10)];
    assert_eq!(names(&Pack::Small.divide(other_size, 200)).len(), 1, "made for another size");
}

// spec: OPT-3
#[test]
fn after_a_run_there_is_nothing_to_do_however_large_the_new_files_are() {
    let mut state = 7u64;
    let mut random = |n: u64| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) % n.max(1)
    };
    for round in 0..500 {
        let target = 1 + random(1000);
        let widths = [target / 20, target / 2, target, target * 2];
        let mut files: Vec<Add> = (0..random(80) as usize)
            .map(|i| file(i, random(widths[i % 4]), 100, if random(5) == 0 { random(100) as i64 } else { 0 }))
            .collect();
        files.iter_mut().filter(|f| f.size % 3 == 0).for_each(|f| settle(f, target));
        let mut next = files.len();
        for more in 0..3 {
            let groups = Pack::Small.divide(files.clone(), target);
            for (gone, _) in &groups {
                files.retain(|f| gone.iter().all(|g| g.path != f.path));
                let bytes: u64 = gone.iter().map(living_bytes).sum();
                // Joined files shrink and grow as they like.
                let mut new = file(next, bytes * (1 + random(30)) / 15, 100, 0);
                settle(&mut new, target);
                next += 1;
                files.insert(random(files.len() as u64) as usize, new);
            }
            assert_eq!(names(&Pack::Small.divide(files.clone(), target)), Vec::<Vec<String>>::new(), "round {round}, run {more}");
            files.extend((0..random(10) as usize).map(|i| file(next + i, random(widths[i % 4]), 100, 0)));
            next += 10;
        }
    }
}
