use super::*;
use futures::TryStreamExt;
use object_store::ObjectStoreExt;
use object_store::memory::InMemory;

fn key(name: &str) -> Path {
    Path::parse(name).unwrap()
}

// spec: STO-10
#[tokio::test]
async fn an_absent_object_is_none_and_an_absent_range_names_the_file() {
    let store = InMemory::new();
    assert!(get(&store, &key("x")).await.unwrap().is_none());
    let e = get_range(&store, &key("x"), 0..4).await.unwrap_err();
    assert_eq!((e.code(), e.context()[0].1.as_str()), (Code::FILE, "x"));
}

// spec: STO-10
#[tokio::test]
async fn a_range_beyond_the_end_is_an_error_and_not_a_shorter_answer() {
    let store = InMemory::new();
    store.put(&key("x"), "0123456789".into()).await.unwrap();
    assert_eq!(get_range(&store, &key("x"), 2..10).await.unwrap(), "23456789");
    assert_eq!(get_range(&store, &key("x"), 5..5).await.unwrap(), "");
    assert_eq!(get_range(&store, &key("x"), 2..11).await.unwrap_err().code(), Code::FILE);
    assert!(get_range(&store, &key("x"), 20..22).await.is_err());
}

// spec: STO-10
#[tokio::test]
async fn many_objects_come_in_order_with_absent_ones_marked() {
    let store = InMemory::new();
    for n in 0..20 {
        store.put(&key(&n.to_string()), n.to_string().into()).await.unwrap();
    }
    let keys: Vec<Path> = (0..25).map(|n| key(&n.to_string())).collect();
    let found: Vec<_> = get_all(&store, keys, 4).try_collect().await.unwrap();
    for (n, (k, bytes)) in found.iter().enumerate() {
        assert_eq!(k.as_ref(), n.to_string());
        assert_eq!(bytes.as_ref().map(|b| b.to_vec()), (n < 20).then(|| n.to_string().into_bytes()));
    }
}
