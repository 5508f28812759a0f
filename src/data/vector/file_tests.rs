use super::*;
use object_store::memory::InMemory;
use object_store::{ObjectStore, path::Path};
use proptest::prelude::*;
use std::sync::Arc;
use url::Url;

fn descriptor(storage_type: &str, text: &str, offset: Option<i32>, size: i32, cardinality: i64) -> VectorDescriptor {
    VectorDescriptor { storage_type: storage_type.into(), path_or_inline_dv: text.into(), offset, size_in_bytes: size, cardinality }
}

fn set(rows: &[u64]) -> RoaringTreemap {
    rows.iter().copied().collect()
}

/// A descriptor that holds these rows itself.
pub(crate) fn inline(rows: &RoaringTreemap) -> VectorDescriptor {
    let bytes = bitmap::encode(rows);
    descriptor("i", &z85::encode(&bytes), None, bytes.len() as i32, rows.len() as i64)
}

/// A file of vectors, one after the other, and where each begins.
fn framed(vectors: &[RoaringTreemap]) -> (Vec<u8>, Vec<(i32, i32)>) {
    let mut file = vec![FILE_VERSION];
    let mut places = Vec::new();
    for rows in vectors {
        let bytes = bitmap::encode(rows);
        places.push((file.len() as i32, bytes.len() as i32));
        file.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
        file.extend_from_slice(&bytes);
        file.extend_from_slice(&crc32fast::hash(&bytes).to_be_bytes());
    }
    (file, places)
}

// spec: DV-2
#[test]
fn inline_example_of_the_protocol_gives_its_rows() {
    for (text, size) in
        [("wi5b=000010000siXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L", 40), ("^Bg9^0rr910000000000iXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L", 44)]
    {
        let d = descriptor("i", text, None, size, 6);
        let Place::Inline(bytes) = place(&d).unwrap() else { panic!("not inline") };
        assert_eq!(rows(&bytes, &d).unwrap(), set(&[3, 4, 7, 11, 18, 29]), "{text}");
    }
}

// spec: DV-3
#[test]
fn relative_example_of_the_protocol_names_its_file() {
    assert_eq!(relative_path("ab^-aqEH.-t@S}K{vb[*k^").unwrap(), "ab/deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin");
    assert_eq!(relative_path("^-aqEH.-t@S}K{vb[*k^").unwrap(), "deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin");
    assert!(relative_path("a%b/c d^-aqEH.-t@S}K{vb[*k^").unwrap().starts_with("a%25b/c%20d/deletion_vector_"));
    for bad in ["", "short", "^-aqEH.-t@S}K{vb[*k~", "é^-aqEH.-t@S}K{vb[*"] {
        assert_eq!(relative_path(bad).unwrap_err().code(), Code::DV, "{bad}");
    }
}

// spec: DV-1
#[test]
fn odd_descriptors_are_refused() {
    for d in [
        descriptor("x", "", None, 1, 1),
        descriptor("i", "wi5b=0000~", None, 8, 1),
        descriptor("i", "wi5b=", None, 8, 1),
        descriptor("i", "wi5b=00001", None, -1, 1),
        descriptor("p", "/t/v.bin", Some(-1), 10, 1),
    ] {
        assert_eq!(place(&d).unwrap_err().code(), Code::DV, "{d:?}");
    }
}

// spec: DV-5
#[test]
fn every_flipped_byte_of_a_framed_vector_is_noticed() {
    let (file, places) = framed(&[set(&[1, 5, 70_000, 1 << 33])]);
    let (_, size) = places[0];
    let d = descriptor("u", "", Some(1), size, 4);
    let blob = &file[1..];
    assert_eq!(rows(unframe(blob, &d).unwrap(), &d).unwrap(), set(&[1, 5, 70_000, 1 << 33]));
    for i in 0..blob.len() {
        let mut bad = blob.to_vec();
        bad[i] ^= 0x10;
        let answer = unframe(&bad, &d).and_then(|bytes| rows(bytes, &d));
        assert_eq!(answer.unwrap_err().code(), Code::DV, "byte {i}");
    }
}

// spec: DV-6
#[test]
fn cardinality_that_contradicts_the_log_is_refused() {
    let bytes = bitmap::encode(&set(&[1, 2, 3]));
    let e = rows(&bytes, &descriptor("i", "", None, bytes.len() as i32, 2)).unwrap_err();
    assert!(e.message().contains("holds 3 rows, the log says 2"), "{e}");
}

// spec: DV-4
#[test]
fn native_form_reads_like_the_portable_one() {
    let mut bytes = 1_681_511_376u32.to_le_bytes().to_vec();
    bytes.extend_from_slice(&2i32.to_le_bytes());
    for values in [vec![1u32, 9], vec![4]] {
        let mut one = Vec::new();
        values.into_iter().collect::<roaring::RoaringBitmap>().serialize_into(&mut one).unwrap();
        bytes.extend_from_slice(&(one.len() as i32).to_le_bytes());
        bytes.extend_from_slice(&one);
    }
    assert_eq!(bitmap::decode(&bytes).unwrap(), set(&[1, 9, (1 << 32) + 4]));
}

// spec: DV-4
#[test]
fn damaged_bitmaps_are_named_never_a_panic() {
    let good = bitmap::encode(&set(&[1, 2, 1 << 40]));
    for end in 0..good.len() {
        assert!(bitmap::decode(&good[..end]).is_err(), "cut at {end}");
    }
    let mut long = good.clone();
    long.push(0);
    assert!(bitmap::decode(&long).unwrap_err().contains("follow"));
    let mut many = good;
    many[4..12].copy_from_slice(&u64::MAX.to_le_bytes());
    assert!(bitmap::decode(&many).is_err());
}

/// A root over memory, for requests only: nothing is resolved.
async fn store_with(name: &str, body: Vec<u8>) -> TableRoot {
    let store = Arc::new(InMemory::new());
    store.put_opts(&Path::from(format!("t/{name}")), body.into(), Default::default()).await.unwrap();
    TableRoot::with_store(Url::parse("memory:///t/").unwrap(), store, Path::from("t"))
}

// spec: DV-3 DV-5
#[tokio::test]
async fn vectors_packed_in_one_file_are_read_by_offset() {
    let sets = [set(&[0]), set(&[2, 3, 4, 5]), set(&[9, 1 << 32])];
    let (file, places) = framed(&sets);
    let name = "deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin";
    let root = store_with(name, file.clone()).await;
    for (rows, (offset, size)) in sets.iter().zip(&places) {
        let d = descriptor("u", "^-aqEH.-t@S}K{vb[*k^", Some(*offset), *size, rows.len() as i64);
        assert_eq!(&load(&root, &d).await.unwrap(), rows);
    }
    let d = descriptor("u", "^-aqEH.-t@S}K{vb[*k^", Some(1), places[0].1, 1);
    let mut other = file.clone();
    other[0] = 2;
    let e = load(&store_with(name, other).await, &d).await.unwrap_err();
    assert!(e.message().contains("version"), "{e}");
    let e = load(&store_with(name, file[..10].to_vec()).await, &d).await.unwrap_err();
    assert_eq!(e.code(), Code::DV);
    let e = load(&store_with("elsewhere", file).await, &d).await.unwrap_err();
    assert!(e.code() == Code::DV && e.message().contains("missing"), "{e}");
}

proptest! {
    // spec: DV-2 DV-4
    #[test]
    fn any_set_survives_bytes_and_text(values in proptest::collection::vec(0u64..1 << 35, 0..300), run in 0u64..5000) {
        let mut all: RoaringTreemap = values.into_iter().collect();
        all.insert_range(run..run * 2);
        let bytes = bitmap::encode(&all);
        let d = descriptor("i", &z85::encode(&bytes), None, bytes.len() as i32, all.len() as i64);
        let Place::Inline(back) = place(&d).unwrap() else { panic!("not inline") };
        prop_assert_eq!(&back, &bytes);
        prop_assert_eq!(rows(&back, &d).unwrap(), all);
    }

    // spec: DV-4
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), native: bool) {
        let mut all = (1_681_511_377u32 - u32::from(native)).to_le_bytes().to_vec();
        all.extend_from_slice(&bytes);
        let _ = bitmap::decode(&all);
    }
}
