use super::*;
use crate::log::NullableMap;

const CUBE: u64 = 1000;

fn table() -> Cluster {
    Cluster {
        columns: vec![vec!["a".to_owned()], vec!["st".to_owned(), "x-y".to_owned()]],
        of: 3,
        kind: Kind::Declared { full: false, cube_bytes: CUBE },
    }
}

fn full() -> Cluster {
    Cluster { kind: Kind::Declared { full: true, cube_bytes: CUBE }, ..table() }
}

fn file(path: &str, size: i64) -> Add {
    Add {
        path: path.to_owned(),
        partition_values: NullableMap::new(),
        size,
        modification_time: 0,
        data_change: true,
        stats: None,
        tags: None,
        deletion_vector: None,
        base_row_id: None,
        default_row_commit_version: None,
        clustering_provider: None,
    }
}

/// A file as Spark leaves it.
fn of_cube(path: &str, size: i64, id: &str) -> Add {
    let tags = [(CUBE_ID, id), (CUBE_COLUMNS, "[\"a\",\"st.`x-y`\"]")];
    let tags = tags.map(|(key, value)| (key.to_owned(), Some(value.to_owned())));
    Add { tags: Some(tags.into_iter().collect()), clustering_provider: Some(PROVIDER.to_owned()), ..file(path, size) }
}

fn by_others(path: &str) -> Add {
    let mut other = of_cube(path, 10, "other");
    other.tags.get_or_insert_default().insert(CUBE_COLUMNS.to_owned(), Some("[\"b\"]".to_owned()));
    other
}

fn divided(cluster: &Cluster, files: Vec<Add>) -> Vec<Vec<String>> {
    cluster.divide(files).into_iter().map(|(files, _)| files.into_iter().map(|f| f.path).collect()).collect()
}

// spec: ZOR-6
#[test]
fn loose_files_are_clustered_with_small_cubes_and_large_cubes_stay() {
    let files = vec![of_cube("b1", 300, "B"), file("new", 10), of_cube("s1", 600, "S"), of_cube("s2", 400, "S"), of_cube("c1", 5, "C")];
    assert_eq!(divided(&table(), files), [vec!["new", "b1", "c1"]]);
}

// spec: ZOR-7
#[test]
fn what_is_one_cube_already_is_left_alone() {
    assert!(divided(&table(), vec![of_cube("b1", 300, "B"), of_cube("b2", 300, "B")]).is_empty());
    assert!(divided(&full(), vec![of_cube("b1", 300, "B"), of_cube("s1", 1000, "S")]).is_empty());
    assert!(divided(&table(), Vec::new()).is_empty());
    assert_eq!(divided(&table(), vec![file("alone", 1)]), [vec!["alone"]]);
}

// spec: ZOR-7
#[test]
fn cubes_that_do_not_fit_together_are_not_rewritten_for_nothing() {
    assert!(divided(&table(), vec![of_cube("b", 900, "B"), of_cube("c", 900, "C")]).is_empty());
    assert_eq!(divided(&table(), vec![of_cube("b", 900, "B"), of_cube("c", 900, "C"), file("n", 600)]), [vec!["n", "b"]]);
}

// spec: ZOR-8
#[test]
fn files_of_other_columns_or_programs_are_taken_by_full_alone() {
    let foreign = Add { clustering_provider: Some("another".to_owned()), ..file("foreign", 10) };
    let files = || vec![by_others("other"), foreign.clone()];
    assert!(divided(&table(), files()).is_empty());
    assert_eq!(divided(&full(), files()), [vec!["other", "foreign"]]);
    assert_eq!(divided(&full(), [files(), vec![of_cube("sealed", 1000, "S")]].concat()), [vec!["other", "foreign"]]);
}

// spec: ZOR-9
#[test]
fn what_was_made_is_one_cube_that_this_and_spark_recognise() {
    let mut made = vec![file("m1", 10), file("m2", 10)];
    table().tag(&mut made, &Env::system());
    let tags = made[0].tags.clone().unwrap_or_default();
    assert_eq!(tags.get(CUBE_COLUMNS), Some(&Some("[\"a\",\"st.`x-y`\"]".to_owned())));
    assert_eq!(tags.get(CUBE_CURVE), Some(&Some("hilbert".to_owned())));
    assert_eq!(tags.get(CUBE_ID), made[1].tags.as_ref().and_then(|tags| tags.get(CUBE_ID)));
    assert_eq!(made[0].clustering_provider.as_deref(), Some("liquid"));
    assert!(divided(&table(), made.clone()).is_empty());
    assert_eq!(divided(&table(), vec![made[0].clone(), made[1].clone(), file("n", 1)]), [vec!["n", "m1", "m2"]]);
    let by_hand = Cluster { kind: Kind::ZOrder, ..table() };
    let mut plain = vec![file("p", 1)];
    by_hand.tag(&mut plain, &Env::system());
    assert_eq!(plain, [file("p", 1)]);
}

// spec: ZOR-4
#[test]
fn z_order_takes_every_file_of_a_partition() {
    let by_hand = Cluster { kind: Kind::ZOrder, ..table() };
    assert_eq!(divided(&by_hand, vec![file("x", 1), of_cube("s", 5000, "S")]), [vec!["x", "s"]]);
    assert!(divided(&by_hand, Vec::new()).is_empty());
}
