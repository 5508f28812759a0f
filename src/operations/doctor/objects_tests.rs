use super::*;

fn judged(path: &str, mentions: &[Mention]) -> Vec<(&'static str, String)> {
    let hidden = Hidden { partitions: vec!["_p=".to_owned()], metadata: true };
    let rules = Rules { orphans_before: Some(100), changes_since: 100, hidden, other_tables: BTreeSet::from(["p=1/inner/".to_owned()]) };
    let mut findings = Findings::new(10);
    rules.judge(&Entry { path: path.to_owned(), mentions: mentions.to_vec() }, &mut findings);
    findings.finish().into_iter().map(|f| (f.code, f.message)).collect()
}
fn codes(path: &str, mentions: &[Mention]) -> Vec<&'static str> {
    judged(path, mentions).into_iter().map(|(code, _)| code).collect()
}

const OLD: Mention = Mention::Stored { bytes: 5, modified: 50 };
const NEW: Mention = Mention::Stored { bytes: 5, modified: 150 };

#[test]
fn only_old_objects_that_nobody_names_are_orphans_and_hidden_ones_are_none() {
    // spec: DOC-8
    for path in ["a.parquet", "_p=1/a.parquet", "p=1/a", "_change_data/cdc.parquet", "x/deletion_vector_1.bin"] {
        assert_eq!(codes(path, &[OLD]), ["LB-DOC-ORPHAN"], "{path}");
        assert!(codes(path, &[NEW]).is_empty(), "{path}");
        assert!(codes(path, &[OLD, Mention::Named]).is_empty(), "{path}");
    }
    // spec: DOC-16
    assert!(codes("p=1/inner/a.parquet", &[OLD]).is_empty() && codes("p=1/inne/a.parquet", &[OLD]).len() == 1);
    for path in ["_delta_log/0.json", "_quarantine/1/a", "_x/a", ".a", "p=1/.a.crc", "metadata/v1.json", "_SUCCESS"] {
        assert!(codes(path, &[OLD]).is_empty(), "{path}");
    }
    assert_eq!(codes("_delta_log/_sidecars/a.parquet", &[OLD]), ["LB-DOC-SIDECAR-ORPHAN"]);
    assert!(codes("_delta_log/_sidecars/a.parquet", &[OLD, Mention::Sidecar { bytes: 5 }]).is_empty());
}

#[test]
fn files_that_are_missing_or_of_another_size_are_told() {
    // spec: DOC-8
    assert!(codes("a", &[NEW, Mention::Live { bytes: 5 }, Mention::Named]).is_empty());
    assert_eq!(codes("a", &[NEW, Mention::Live { bytes: 6 }]), ["LB-DOC-FILE-SIZE"]);
    assert_eq!(codes("a", &[Mention::Live { bytes: 6 }, Mention::Named]), ["LB-DOC-FILE-MISSING"]);
    assert_eq!(codes("a", &[NEW, Mention::Live { bytes: 5 }, Mention::Live { bytes: 5 }]), ["LB-DOC-FILE-TWICE"]);
    assert_eq!(codes("_delta_log/_sidecars/a", &[Mention::Sidecar { bytes: 5 }]), ["LB-DOC-SIDECAR"]);
    assert_eq!(codes("_change_data/a", &[Mention::Change { bytes: 5, committed: 150 }]), ["LB-DOC-CHANGE-FILE"]);
    // It may have been vacuumed, which is no damage.
    assert!(codes("_change_data/a", &[Mention::Change { bytes: 5, committed: 50 }]).is_empty());
}
