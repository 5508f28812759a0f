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
