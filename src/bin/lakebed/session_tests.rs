use super::*;

#[test]
fn a_suffix_picks_a_version_only_when_it_is_one() {
    let at = |millis| Some(At::Timestamp(Timestamp(millis)));
    for (text, location, picked) in [
        ("events", "events", None),
        ("events@v12", "events", Some(At::Version(Version(12)))),
        ("s3://b/events@v0", "s3://b/events", Some(At::Version(Version(0)))),
        ("events@1970-01-01T00:00:01Z", "events", at(1000)),
        ("events@1970-01-01T01:00:00.5+01:00", "events", at(500)),
        ("events@1970-01-02", "events", at(86_400_000)),
        ("abfss://box@account.dfs.core.windows.net/t", "abfss://box@account.dfs.core.windows.net/t", None),
        ("abfss://box@account.dfs.core.windows.net/t@v3", "abfss://box@account.dfs.core.windows.net/t", Some(At::Version(Version(3)))),
        ("mail@example", "mail@example", None),
        ("t@v", "t@v", None),
        ("t@v-1", "t@v-1", None),
        ("@v1", "@v1", None),
    ] {
        assert_eq!(split_suffix(text), (location, picked), "{text}");
    }
}
