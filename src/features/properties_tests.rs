use super::*;

fn asked(pairs: &[(&str, &str)]) -> Result<Requested> {
    request(&pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
}

// spec: PRP-1
#[test]
fn known_keys_are_stored_in_their_canonical_spelling_and_own_keys_as_they_are() {
    let requested = asked(&[
        ("DELTA.APPENDONLY", "true"),
        ("Own.Key", "Value"),
        ("delta.enableChangeDataCapture", "false"),
        ("delta.constraints.Positive Id", "id > 0"),
    ])
    .expect("properties");
    let keys: Vec<&str> = requested.properties.keys().map(String::as_str).collect();
    assert_eq!(keys, ["Own.Key", "delta.appendOnly", "delta.constraints.positive id", "delta.enableChangeDataFeed"]);
}

// spec: PRP-2
#[test]
fn unknown_delta_keys_are_refused_with_the_nearest_key() {
    let error = asked(&[("delta.chekpointIntervall", "10")]).expect_err("unknown");
    assert_eq!(error.code(), Code::PROPERTY);
    assert_eq!(error.next_step(), Some("did you mean `delta.checkpointInterval`?"));
    assert!(!asked(&[("delta.x", "1")]).expect_err("unknown").next_step().expect("help").contains("did you mean"));
}

// spec: PRP-3
#[test]
fn values_that_do_not_fit_are_refused_with_what_does() {
    for (key, value) in [
        ("delta.appendOnly", "yes"),
        ("delta.checkpointInterval", "0"),
        ("delta.checkpointInterval", "ten"),
        ("delta.dataSkippingNumIndexedCols", "-2"),
        ("delta.logRetentionDuration", "interval 1 month"),
        ("delta.logRetentionDuration", "interval"),
        ("delta.logRetentionDuration", "interval -1 days"),
        ("delta.checkpointPolicy", "v3"),
        ("delta.isolationLevel", "SnapshotIsolation"),
        ("delta.targetFileSize", "big"),
        ("delta.parquet.format.version", "abc"),
        ("delta.parquet.format.version", "3.0.0"),
        ("delta.parquet.format.version", "1.x"),
        ("delta.dataSkippingStatsColumns", "`a"),
        ("delta.dataSkippingStatsColumns", "a..b"),
        ("delta.randomPrefixLength", "0"),
        ("delta.randomPrefixLength", "64"),
        ("delta.columnMapping.maxColumnId", "7"),
        ("delta.feature.deletionVectors", "on"),
    ] {
        let error = asked(&[(key, value)]).expect_err(key);
        assert_eq!(error.code(), Code::PROPERTY);
        assert!(error.message().contains(key), "{error}");
    }
    assert_eq!(asked(&[("delta.appendOnly", "true"), ("delta.AppendOnly", "false")]).expect_err("twice").code(), Code::PROPERTY);
}

// spec: PRP-4
#[test]
fn intervals_and_sizes_are_read_in_every_spelling() {
    for (text, ms) in [
        ("interval 1 week", 604_800_000),
        ("INTERVAL 2 Days 3 hours", 183_600_000),
        ("30 minutes", 1_800_000),
        ("interval 1500 milliseconds 1999 microseconds", 1501),
        ("interval 0 seconds", 0),
    ] {
        assert_eq!(interval_ms(text), Some(ms), "{text}");
    }
    for text in ["", "interval 1", "interval 1 year", "interval one day", "interval 9223372036854775807 weeks"] {
        assert_eq!(interval_ms(text), None, "{text}");
    }
    for (text, bytes) in [("1000", 1000), ("128mb", 128 << 20), ("1 GB", 1 << 30), ("64K", 64 << 10)] {
        assert_eq!(size_bytes(text), Some(bytes), "{text}");
    }
    for text in ["", "mb", "1x", "-1", "0", "99999999999999999999", "18446744073709551615t"] {
        assert_eq!(size_bytes(text), None, "{text}");
    }
}

// spec: PRP-5
#[test]
fn every_default_is_a_value_that_its_property_takes() {
    for property in ALL {
        if let Some(default) = property.default {
            check(property, default).expect(property.key);
        }
    }
    let keys: Vec<String> = ALL.iter().map(|property| property.key.to_ascii_lowercase()).collect();
    let mut unique = keys.clone();
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), keys.len());
}
