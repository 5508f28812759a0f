use super::*;
use crate::log::VectorDescriptor;
use std::sync::Arc;

fn add(path: &str, records: i64) -> Add {
    let text = format!(r#"{{"path":"{path}","partitionValues":{{}},"size":7,"modificationTime":0,"dataChange":true}}"#);
    Add { stats: Some(format!("{{\"numRecords\":{records}}}")), ..serde_json::from_str(&text).unwrap() }
}

fn marked(path: &str, before: i64, rows: &[u64], cardinality: i64) -> RowDelete {
    let vector = |cardinality| VectorDescriptor {
        storage_type: "u".into(),
        path_or_inline_dv: "^-aqEH.-t@S}K{vb[*k^".into(),
        offset: Some(1),
        size_in_bytes: 40,
        cardinality,
    };
    let mut file = add(path, 100);
    file.deletion_vector = (before > 0).then(|| vector(before));
    RowDelete { file, rows: Arc::new(rows.iter().copied().collect()), vector: vector(cardinality) }
}

fn effects() -> RowEffects {
    RowEffects {
        adds: vec![add("a", 3), add("b", 4)],
        row_deletes: vec![marked("c", 5, &[1, 2], 7)],
        counts: RowCounts { copied: 5, written: 2, ..RowCounts::default() },
        ..RowEffects::default()
    }
}

// spec: ROW-15
#[test]
fn sums_that_do_not_add_up_are_no_commit() {
    effects().check().unwrap();
    let breaks: [(&str, fn(&mut RowEffects)); 6] = [
        ("a copied row was lost", |e| e.counts.copied -= 1),
        ("a row was written twice", |e| e.adds[0] = add("a", 4)),
        ("a new file does not say how many rows it has", |e| e.adds[0].stats = None),
        ("a vector lost a row", |e| e.row_deletes[0].vector.cardinality = 6),
        ("a vector without new rows", |e| e.row_deletes[0] = marked("c", 5, &[], 5)),
        ("one file twice", |e| e.row_deletes.push(marked("c", 5, &[3], 6))),
    ];
    for (what, break_it) in breaks {
        let mut broken = effects();
        break_it(&mut broken);
        assert_eq!(broken.check().unwrap_err().code(), Code::INTERNAL, "{what}");
    }
}

// spec: ROW-15
#[test]
fn update_that_loses_or_doubles_a_row_is_no_commit() {
    let counts = |gone, written| RowCounts { gone, written, ..RowCounts::default() };
    counts(Some(4), 4).check_replaced().unwrap();
    // A file went unread that does not say how many rows it has.
    counts(None, 4).check_replaced().unwrap();
    for written in [3, 5] {
        assert_eq!(counts(Some(4), written).check_replaced().unwrap_err().code(), Code::INTERNAL);
    }
}
