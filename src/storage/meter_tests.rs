use super::{Meter, Requests, Spent, coalesced};
use futures::{StreamExt, TryStreamExt};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use std::sync::Arc;

// spec: PLN-2
#[tokio::test]
async fn every_class_of_request_is_counted_and_answers_are_those_of_the_store() {
    let inner: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let meter = Meter::default();
    let store = meter.wrap(&inner);
    let (a, b) = (Path::from("a"), Path::from("b"));
    store.put(&a, vec![7; 100].into()).await.unwrap();
    let mut upload = store.put_multipart(&b).await.unwrap();
    upload.put_part(vec![1; 10].into()).await.unwrap();
    upload.complete().await.unwrap();
    assert_eq!(store.get(&a).await.unwrap().bytes().await.unwrap().len(), 100);
    assert_eq!(store.get_ranges(&a, &[0..10, 50..60]).await.unwrap().len(), 2);
    assert_eq!(store.head(&b).await.unwrap().size, 10);
    assert_eq!(store.list(None).try_collect::<Vec<_>>().await.unwrap().len(), 2);
    store.copy(&a, &Path::from("c")).await.unwrap();
    let gone = store.delete_stream(futures::stream::iter([Ok(a.clone()), Ok(b)]).boxed());
    assert_eq!(gone.try_collect::<Vec<_>>().await.unwrap().len(), 2);
    assert!(inner.get(&a).await.is_err());
    let requests = Requests { list: 1, get: 2, head: 1, put: 4, copy: 1, delete: 2 };
    assert_eq!(meter.spent(), Spent { requests, bytes_read: 160, bytes_written: 110 });
}

#[tokio::test]
async fn a_listing_counts_one_request_for_each_thousand_objects() {
    let inner: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    for n in 0..2_001 {
        inner.put(&Path::from(format!("{n}")), Vec::new().into()).await.unwrap();
    }
    let meter = Meter::default();
    assert_eq!(meter.wrap(&inner).list(None).count().await, 2_001);
    assert_eq!(meter.spent().requests.list, 3);
}

#[test]
fn ranges_that_lie_near_each_other_are_one_request() {
    assert_eq!(coalesced(&[0..10, 100..110]), (1, 110));
    assert_eq!(coalesced(&[5_000_000..5_000_010, 0..10]), (2, 20));
    assert_eq!(coalesced(&[0..100, 10..20]), (1, 100));
    assert_eq!(coalesced(&[]), (0, 0));
}
