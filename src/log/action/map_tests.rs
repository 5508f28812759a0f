use super::*;
use std::collections::BTreeMap;

#[test]
fn keeps_keys_sorted_and_the_last_value_of_each() {
    let mut model = BTreeMap::new();
    let mut map = NullableMap::new();
    for (i, key) in ["b", "a", "c", "a", "", "b"].into_iter().enumerate() {
        let value = (i % 2 == 0).then(|| i.to_string());
        assert_eq!(map.insert(key.to_owned(), value.clone()), model.insert(key.to_owned(), value));
    }
    assert_eq!(map.iter().collect::<Vec<_>>(), model.iter().collect::<Vec<_>>());
    assert_eq!(map.keys().collect::<Vec<_>>(), model.keys().collect::<Vec<_>>());
    assert_eq!(serde_json::to_string(&map).unwrap(), serde_json::to_string(&model).unwrap());
    assert_eq!(serde_json::from_str::<NullableMap>(&serde_json::to_string(&model).unwrap()).unwrap(), map);
    assert_eq!(model.clone().into_iter().collect::<NullableMap>(), map);
    let twice = ["b", "a", "b"].into_iter().enumerate().map(|(i, key)| (key.to_owned(), Some(i.to_string())));
    let twice: Vec<_> = twice.collect::<NullableMap>().into_iter().collect();
    assert_eq!(twice, [("a".to_owned(), Some("1".to_owned())), ("b".to_owned(), Some("2".to_owned()))]);
    assert_eq!((map.get("c"), map.get("d"), map.contains_key(""), map.len()), (Some(&Some("2".to_owned())), None, true, 4));
    assert_eq!(map.remove("c"), Some(Some("2".to_owned())));
    assert_eq!((map.remove("c"), map.contains_key("c"), map.len()), (None, false, 3));
    assert_eq!(map.into_iter().map(|(key, _)| key).collect::<Vec<_>>(), ["", "a", "b"]);
}
