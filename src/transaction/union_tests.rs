use super::*;
use crate::sim::build::{add, root};
use crate::transaction::RowDelete;
use crate::transaction::footprint::LostRows;

fn vector(id: &str) -> VectorDescriptor {
    VectorDescriptor { storage_type: "u".into(), path_or_inline_dv: id.into(), offset: Some(1), size_in_bytes: 40, cardinality: 1 }
}

// spec: CON-6
#[test]
fn winner_that_no_longer_says_how_many_rows_a_file_has_cannot_be_united_with() {
    let note = |stats: Option<&str>| {
        let mut file = add("f", true);
        file.stats = Some(r#"{"numRecords":9}"#.to_owned());
        let ours = RowDelete { file: file.clone(), rows: Arc::new([1].into_iter().collect()), vector: vector("ab^-aqEH.-t@S}K{vb[*k^") };
        let mut intent = Intent { row_deletes: vec![ours], ..Intent::default() };
        file.stats = stats.map(str::to_owned);
        file.deletion_vector = Some(vector("^-aqEH.-t@S}K{vb[*k^"));
        let lost_rows = vec![LostRows { before: None, file }];
        let winner = Footprint { version: Version(5), lost_rows, ..Footprint::default() };
        Union::default().note(&mut intent, &PathForm::new(&root()), &winner)
    };
    note(Some(r#"{"numRecords":9,"tightBounds":false}"#)).unwrap();
    for stats in [None, Some("{}"), Some("no JSON")] {
        let overlap = note(stats).unwrap_err();
        assert!(overlap.winner == Version(5) && overlap.evidence.starts_with("f: "), "{overlap:?}");
    }
}
