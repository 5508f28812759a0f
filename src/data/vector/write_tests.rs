use super::super::load;
use super::*;
use object_store::memory::InMemory;
use object_store::path::Path;
use proptest::prelude::*;
use std::collections::BTreeSet;
use url::Url;

fn root() -> TableRoot {
    TableRoot::with_store(Url::parse("memory:///t/").unwrap(), Arc::new(InMemory::new()), Path::from("t"))
}

async fn stored(sets: &[RoaringTreemap]) -> (TableRoot, Vec<VectorDescriptor>, Vec<String>) {
    let root = root();
    let mut writer = VectorWriter::new(&root, &Env::system());
    let mut descriptors = Vec::new();
    for rows in sets {
        descriptors.push(writer.write(rows).await.unwrap());
    }
    let files = writer.finish().await.unwrap();
    (root, descriptors, files)
}

// spec: DV-20, ROW-9
#[tokio::test]
async fn vectors_share_a_file_and_come_back_as_they_were() {
    let sets: Vec<RoaringTreemap> = vec![
        [0].into_iter().collect(),
        (0..70_000).collect(),
        (0..1_000_000).step_by(97).collect(),
        [5, u64::from(u32::MAX) + 9].into_iter().collect(),
    ];
    let (root, descriptors, files) = stored(&sets).await;
    assert_eq!(files.len(), 1);
    assert_eq!(descriptors[0].offset, Some(1), "the first begins behind the version byte");
    for (rows, descriptor) in sets.iter().zip(&descriptors) {
        assert_eq!((descriptor.storage_type.as_str(), descriptor.cardinality), ("u", rows.len() as i64));
        assert_eq!(load(&root, descriptor).await.unwrap(), *rows);
    }
}

// spec: ROW-9
#[tokio::test]
async fn full_file_is_stored_and_the_next_begun() {
    // Every second row: 8 KiB a container of 65536, so 1 MiB a vector.
    let large: RoaringTreemap = (0..8_400_000).step_by(2).collect();
    let (root, descriptors, files) = stored(&[large.clone(), large.clone(), large.clone()]).await;
    assert_eq!(files.len(), 2);
    for descriptor in &descriptors {
        assert_eq!(load(&root, descriptor).await.unwrap().len(), large.len());
    }
}

// spec: ROW-9
#[tokio::test]
async fn writer_that_gives_up_leaves_no_file() {
    let root = root();
    let mut writer = VectorWriter::new(&root, &Env::system());
    let large: RoaringTreemap = (0..34_000_000).step_by(2).collect();
    let descriptor = writer.write(&large).await.unwrap();
    assert!(load(&root, &descriptor).await.is_ok());
    writer.abort().await;
    assert!(load(&root, &descriptor).await.is_err());
}

proptest! {
    // spec: DV-20
    #[test]
    fn set_and_vector_hold_the_same_rows(rows in proptest::collection::btree_set(0u64..200_000, 0..500), runs in proptest::collection::vec((0u64..100_000, 1u64..3_000), 0..5)) {
        let model: BTreeSet<u64> = rows.into_iter().chain(runs.into_iter().flat_map(|(start, length)| start..start + length)).collect();
        let set: RoaringTreemap = model.iter().copied().collect();
        let mut filling = Filling { id: uuid::Uuid::nil(), bytes: vec![FILE_VERSION] };
        let descriptor = filling.push(&set).unwrap();
        let bytes = &filling.bytes[5..5 + descriptor.size_in_bytes as usize];
        let back: BTreeSet<u64> = bitmap::decode(bytes).unwrap().iter().collect();
        prop_assert_eq!(back, model);
    }
}
