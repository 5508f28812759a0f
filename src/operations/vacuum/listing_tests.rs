use super::*;
use object_store::ObjectStoreExt;

#[test]
fn ranges_cover_all_names_once_and_leave_the_log_out() {
    // spec: VAC-20
    let samples = ["_a", "_delta_log-old/x", "a", "b=1/x", "b=2/x", "c", "d\u{1}", "d/../e", "file:///x//y"];
    for width in 1..9 {
        let ranges = ranges(&samples, width);
        let inside =
            |name: &str| ranges.iter().filter(|r| *name > *r.after && r.upto.as_ref().is_none_or(|upto| name <= upto.as_str())).count();
        for name in
            ["+", "A", "_", "_a", "_delta_log-old/x", "_delta_log.x", "_delta_log/.lakebed", "_e", "a", "b=1/x", "b=1/xy", "zz", "é"]
        {
            assert_eq!(inside(name), 1, "{name} in {ranges:?}");
        }
        for name in ["_delta_log/00000000000000000000.json", "_delta_log/_last_checkpoint", "_delta_log/_sidecars/x"] {
            assert_eq!(inside(name), 0, "{name} in {ranges:?}");
        }
    }
    assert_eq!((width(100, 8, true), width(100_000, 8, false), width(1_000_000, 8, true)), (1, 8, 32));
}

#[tokio::test]
async fn a_listing_by_ranges_shows_what_one_listing_shows() {
    // spec: VAC-20
    let env = crate::env::Env::system();
    let folder = tempfile::tempdir().unwrap();
    for location in [folder.path().to_str().unwrap().to_owned(), "memory://vacuum/a b".to_owned()] {
        let root = TableRoot::open(&location, &Default::default(), &env).unwrap();
        let names: Vec<String> =
            (0..60).map(|i| format!("p={}%3A/{i:03}", i % 7)).chain(["x:y".to_owned(), "_delta_log/.lakebed-1".to_owned()]).collect();
        for name in names.iter().chain(&["_delta_log/00000000000000000000.json".to_owned()]) {
            root.store().put(&root.key(name), "12".into()).await.unwrap();
        }
        let mut samples: Vec<&str> = names.iter().map(String::as_str).collect();
        samples.sort_unstable();
        for width in [1, 3, 40] {
            let mut listed: Vec<String> = list(&root, ranges(&samples, width)).map_ok(|l| l.path).try_collect().await.unwrap();
            listed.sort_unstable();
            assert_eq!(listed, samples, "{location}, {width} wide");
        }
    }
}
