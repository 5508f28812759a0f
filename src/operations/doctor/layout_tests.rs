use super::*;

fn log(names: &[(&str, u64)]) -> (Layout, Vec<(&'static str, String)>) {
    let files: Vec<LogFile> = names.iter().map(|(name, size)| LogFile::parse(name, *size, 0).unwrap()).collect();
    let mut findings = Findings::new(100);
    let layout = look(&files, &mut findings);
    (layout, findings.finish().into_iter().map(|f| (f.code, f.object)).collect())
}
fn commit(version: u64) -> String {
    LogFile::commit_name(Version(version))
}
fn runs(layout: &Layout) -> Vec<Vec<u64>> {
    layout.runs.iter().map(|run| run.iter().map(|f| f.version.0).collect()).collect()
}

#[test]
fn holes_are_errors_unless_a_later_checkpoint_covers_them() {
    // spec: DOC-3
    let names: Vec<String> = [0, 1, 4, 5].map(commit).to_vec();
    let commits: Vec<(&str, u64)> = names.iter().map(|n| (n.as_str(), 9)).collect();
    let (layout, found) = log(&commits);
    assert_eq!(found, [("LB-DOC-GAP", format!("_delta_log/{}", commit(2)))]);
    assert_eq!(runs(&layout), [[0, 1], [4, 5]]);
    let checkpoint = format!("{:020}.checkpoint.parquet", 4);
    let with_checkpoint: Vec<_> = commits.iter().copied().chain([(checkpoint.as_str(), 9)]).collect();
    assert_eq!(log(&with_checkpoint).1[0].0, "LB-DOC-GAP-OLD");
    // Cleaned up: nothing is missing.
    assert!(log(&with_checkpoint[2..]).1.is_empty());
    // Without the checkpoint the beginning is missing.
    assert_eq!(log(&commits[2..]).1, [("LB-DOC-GAP", format!("_delta_log/{}", commit(0)))]);
}

#[test]
fn files_without_bytes_and_lonely_ones_are_named() {
    // spec: DOC-3
    let part = format!("{:020}.checkpoint.{:010}.{:010}.parquet", 1, 1, 2);
    let (empty, crc, compaction) =
        (format!("{:020}.checkpoint.parquet", 1), format!("{:020}.crc", 9), format!("{:020}.{:020}.compacted.json", 1, 7));
    let (a, b) = (commit(0), commit(1));
    let (layout, found) = log(&[(&a, 5), (&b, 0), (&part, 5), (&empty, 0), (&crc, 5), (&compaction, 5)]);
    let codes: Vec<_> = found.iter().map(|(code, _)| *code).collect();
    assert_eq!(codes, ["LB-DOC-COMMIT-EMPTY", "LB-DOC-CKPT-BROKEN", "LB-DOC-COMPACTION", "LB-DOC-CKPT-PARTS", "LB-DOC-CRC-ALONE"]);
    assert_eq!((runs(&layout), layout.broken), (vec![vec![0]], BTreeSet::from([Version(1)])));
}
