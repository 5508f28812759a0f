use super::*;

fn kind(name: &str) -> Option<(u64, LogFileKind)> {
    LogFile::parse(name, 7, 9).map(|f| (f.version.0, f.kind))
}

// spec: LOG-1
#[test]
fn every_kind_of_log_file_is_known_by_its_name() {
    let uuid = "80a083e8-7026-4e79-81be-64bd76c43a11";
    assert_eq!(kind("00000000000000000012.json"), Some((12, LogFileKind::Commit)));
    assert_eq!(kind("00000000000000000012.crc"), Some((12, LogFileKind::Checksum)));
    assert_eq!(kind("00000000000000000012.checkpoint.parquet"), Some((12, LogFileKind::Checkpoint)));
    assert_eq!(
        kind("00000000000000000012.checkpoint.0000000002.0000000003.parquet"),
        Some((12, LogFileKind::CheckpointPart { part: 2, parts: 3 }))
    );
    for (suffix, json) in [("json", true), ("parquet", false)] {
        assert_eq!(
            kind(&format!("00000000000000000012.checkpoint.{uuid}.{suffix}")),
            Some((12, LogFileKind::UuidCheckpoint { uuid: uuid.to_owned(), json }))
        );
    }
    assert_eq!(kind("00000000000000000012.00000000000000000015.compacted.json"), Some((12, LogFileKind::Compaction { to: Version(15) })));
    let file = LogFile::parse("00000000000000000012.json", 7, 9).expect("a commit");
    assert_eq!((file.name.as_str(), file.size, file.modified), ("00000000000000000012.json", 7, 9));
}

// spec: LOG-2
#[test]
fn names_that_are_not_log_files_are_ignored() {
    for name in [
        "",
        ".",
        "_last_checkpoint",
        "_last_vacuum_info",
        ".00000000000000000000.json.crc",
        "00000000000000000000.json.tmp",
        "00000000000000000000.crc.tmp",
        "00000000000000000000.json._COPYING_",
        "0000000000000000000.json",
        "000000000000000000000.json",
        "99999999999999999999.json",
        "09223372036854775808.json",
        "+0000000000000000001.json",
        "0000000000000000000\u{0661}.json",
        "00000000000000000012.checkpoint.json",
        "00000000000000000012.checkpoint.0000000000.0000000003.parquet",
        "00000000000000000012.checkpoint.0000000004.0000000003.parquet",
        "00000000000000000012.checkpoint.0000000001.0000000003.json",
        "00000000000000000012.checkpoint.not-a-uuid.parquet",
        "00000000000000000012.00000000000000000012.compacted.json",
        "00000000000000000012.00000000000000000011.compacted.json",
        "00000000000000000012.compacted.json",
        "00000000000000000001.80a083e8-7026-4e79-81be-64bd76c43a11.json",
    ] {
        assert_eq!(kind(name), None, "{name}");
    }
    assert_eq!(kind("09223372036854775807.json").map(|k| k.0), Some(i64::MAX as u64));
}
