use super::*;
use object_store::ObjectStoreExt;
use object_store::memory::InMemory;

// spec: STO-10
#[tokio::test]
async fn an_absent_object_is_none_and_an_empty_one_is_empty() {
    let (store, key) = (InMemory::new(), |name: &str| Path::parse(name).unwrap());
    assert!(get(&store, &key("absent")).await.unwrap().is_none());
    for body in ["", "0123456789"] {
        store.put(&key("x"), body.into()).await.unwrap();
        assert_eq!(get(&store, &key("x")).await.unwrap().unwrap(), body);
    }
}
