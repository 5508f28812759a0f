use super::*;

#[test]
fn codec_and_version_follow_the_properties() {
    // spec: DAT-W3
    let of = |codec, version| Encoding::from_properties(codec, version).unwrap();
    assert_eq!(of(None, None), Encoding { compression: Compression::SNAPPY, version: WriterVersion::PARQUET_1_0 });
    assert_eq!(of(Some("ZSTD"), Some("2.12.0")).version, WriterVersion::PARQUET_2_0);
    assert_eq!(of(Some("zstd"), None).name_part(), ".zstd");
    assert_eq!(of(Some("none"), None).name_part(), "");
    assert_eq!(Encoding::from_properties(Some("rar"), None).unwrap_err().code(), Code::PROPERTY);
    assert_eq!(Encoding::from_properties(None, Some("3.0.0")).unwrap_err().code(), Code::PROPERTY);
}

#[test]
fn sizes_are_read_with_and_without_units() {
    assert_eq!(parse_size("1024").unwrap(), 1024);
    assert_eq!(parse_size("100mb").unwrap(), 100 << 20);
    assert_eq!(parse_size("1 GiB").unwrap(), 1 << 30);
    for bad in ["", "0", "mb", "-1", "1tb", "99999999999g"] {
        assert_eq!(parse_size(bad).unwrap_err().code(), Code::PROPERTY, "{bad}");
    }
}
