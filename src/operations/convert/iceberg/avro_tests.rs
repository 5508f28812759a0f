use super::*;

fn long(n: i64) -> Vec<u8> {
    let mut raw = ((n << 1) ^ (n >> 63)) as u64;
    let mut out = Vec::new();
    while raw >= 0x80 {
        out.push(raw as u8 | 0x80);
        raw >>= 7;
    }
    out.push(raw as u8);
    out
}

fn bytes(content: &[u8]) -> Vec<u8> {
    [long(content.len() as i64), content.to_vec()].concat()
}

fn file(schema: &str, codec: &str, count: i64, block: &[u8]) -> Vec<u8> {
    let mut out = b"Obj\x01".to_vec();
    out.extend(long(2));
    for (key, value) in [("avro.schema", schema), ("avro.codec", codec)] {
        out.extend([bytes(key.as_bytes()), bytes(value.as_bytes())].concat());
    }
    out.extend([long(0), vec![7; 16], long(count), bytes(block), vec![7; 16]].concat());
    out
}

fn read(file: &[u8]) -> Result<Vec<Value>> {
    let mut out = Vec::new();
    records(file, |value| {
        out.push(value);
        Ok(())
    })?;
    Ok(out)
}

const SCHEMA: &str = r#"{"type":"record","name":"r","fields":[
    {"name":"a","type":"long","field-id":1},
    {"name":"b","type":["null",{"type":"fixed","name":"two","size":2}],"field-id":2},
    {"name":"c","type":{"type":"array","items":{"type":"record","name":"kv","fields":[{"name":"k","type":"int"},{"name":"v","type":"bytes"}]}}},
    {"name":"d","type":{"type":"map","values":"string"}},
    {"name":"e","type":["two","string"],"field-id":5}]}"#;

fn record() -> Vec<u8> {
    let list = [long(-1), long(4), long(9), bytes(b"xy"), long(0)].concat();
    let map = [long(1), bytes(b"k"), bytes("é".as_bytes()), long(0)].concat();
    [long(-300), long(1), b"ab".to_vec(), list, map, long(1), bytes(b"text")].concat()
}

// spec: ICV-8
#[test]
fn records_are_known_by_the_ids_of_their_fields_under_every_codec() {
    let two = [record(), record()].concat();
    let mut packed = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut packed, &two).unwrap();
    for file in [file(SCHEMA, "null", 2, &two), file(SCHEMA, "deflate", 2, &packed.finish().unwrap())] {
        let found = read(&file).unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(
            (found[1].field(1).long(), found[1].field(2), found[1].field(5).text()),
            (Some(-300), &Value::Bytes(b"ab".to_vec()), Some("text"))
        );
        assert_eq!((found[1].field(99), found[1].known_field(99)), (&Value::Null, None));
    }
    let e = read(&file(SCHEMA, "snappy", 2, &two)).unwrap_err();
    assert!(e.code() == Code::FEATURE_READ && e.to_string().contains("snappy"), "{e}");
}

// spec: ICV-8
#[test]
fn damage_is_an_error_wherever_it_is() {
    let good = file(SCHEMA, "null", 1, &record());
    let header = good.len() - [long(1), bytes(&record()), vec![0; 16]].concat().len();
    for end in 0..good.len() {
        assert_eq!(read(&good[..end]).is_ok(), end == header, "cut at {end}");
    }
    for at in 0..good.len() {
        for byte in [0, 1, 0x7f, 0x80, 0xff] {
            let mut bad = good.clone();
            bad[at] = byte;
            let _ = read(&bad);
        }
    }
    // What takes no byte is not counted for ever, and a small block does not become a large one.
    let nothing = r#"{"type":"record","name":"r","fields":[{"name":"n","type":{"type":"array","items":"null"}}]}"#;
    assert!(read(&file(nothing, "null", 1, &[long(i64::MAX), long(0)].concat())).is_err());
    assert!(read(&file(nothing, "null", i64::MAX, &long(0))).is_err());
    let deep = (0..100).fold("\"int\"".to_owned(), |inner, _| format!("{{\"type\":\"array\",\"items\":{inner}}}"));
    assert!(read(&file(&deep, "null", 1, &long(0))).is_err());
    let itself = r#"{"type":"record","name":"r","fields":[{"name":"r","type":"r"}]}"#;
    assert!(read(&file(itself, "null", 1, &[])).is_err());
}
