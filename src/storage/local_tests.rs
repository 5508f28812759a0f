use super::*;
use futures::TryStreamExt;
use object_store::ObjectStoreExt;

fn store(root: &std::path::Path) -> LocalStore {
    LocalStore::new(root.to_owned(), Durability::Full, Env::system())
}

fn key(name: &str) -> Path {
    Path::parse(name).unwrap()
}

async fn keys(store: &LocalStore, prefix: &str) -> Vec<String> {
    store.list(Some(&key(prefix))).map_ok(|m| m.location.to_string()).try_collect().await.unwrap()
}

// spec: STO-4
#[tokio::test]
async fn create_writes_once_and_leaves_no_temporary_file() {
    let dir = tempfile::tempdir().unwrap();
    let s = store(&dir.path().join("new/table"));
    s.put_opts(&key("_delta_log/0.json"), "a".into(), PutMode::Create.into()).await.unwrap();
    let second = s.put_opts(&key("_delta_log/0.json"), "b".into(), PutMode::Create.into()).await;
    assert!(matches!(second, Err(object_store::Error::AlreadyExists { .. })), "{second:?}");
    assert_eq!(s.get(&key("_delta_log/0.json")).await.unwrap().bytes().await.unwrap(), "a");
    let names: Vec<_> = std::fs::read_dir(dir.path().join("new/table/_delta_log")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["0.json"]);
}

// spec: STO-20
#[tokio::test]
async fn replacing_a_file_takes_the_checksum_that_hadoop_keeps_beside_it() {
    let dir = tempfile::tempdir().unwrap();
    let s = store(dir.path());
    let log = dir.path().join("_delta_log");
    std::fs::create_dir(&log).unwrap();
    for name in ["_last_checkpoint", "._last_checkpoint.crc", ".other.crc"] {
        std::fs::write(log.join(name), "old").unwrap();
    }
    s.put(&key("_delta_log/_last_checkpoint"), "new".into()).await.unwrap();
    let mut names: Vec<_> = std::fs::read_dir(&log).unwrap().map(|e| e.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, [".other.crc", "_last_checkpoint"]);
}

// spec: STO-2
#[tokio::test]
async fn names_are_kept_as_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let s = store(dir.path());
    let names = ["a b", "100%", "%20", "x:y", "#", "?", "p=1+2", "é", "😀", "{~}[^]\"<>|*`"];
    for name in names {
        s.put(&key(&format!("d/{name}")), name.into()).await.unwrap();
        assert!(dir.path().join("d").join(name).is_file(), "{name}");
        assert_eq!(s.get(&key(&format!("d/{name}"))).await.unwrap().bytes().await.unwrap(), name);
    }
    let mut expected: Vec<String> = names.iter().map(|n| format!("d/{n}")).collect();
    expected.sort();
    assert_eq!(keys(&s, "d").await, expected);
}

// spec: STO-3
#[tokio::test]
async fn a_listing_is_in_key_order_and_starts_after_the_offset() {
    let dir = tempfile::tempdir().unwrap();
    let s = store(dir.path());
    let mut all = ["a/x", "a.b", "a-b", "a/y/z", "b", "a0", "a/y.c"].map(str::to_owned);
    for name in &all {
        s.put(&key(name), "1".into()).await.unwrap();
    }
    all.sort();
    assert_eq!(keys(&s, "").await, all);
    for (i, offset) in all.iter().enumerate() {
        let after: Vec<String> = s.list_with_offset(None, &key(offset)).map_ok(|m| m.location.to_string()).try_collect().await.unwrap();
        assert_eq!(after, all[i + 1..], "after {offset}");
    }
    let inside: Vec<String> = s.list_with_offset(None, &key("a/y")).map_ok(|m| m.location.to_string()).try_collect().await.unwrap();
    assert_eq!(inside, ["a/y.c", "a/y/z", "a0", "b"]);
    assert_eq!(keys(&s, "nothing").await, Vec::<String>::new());
}

#[tokio::test]
async fn a_large_file_comes_in_chunks_and_by_range() {
    let dir = tempfile::tempdir().unwrap();
    let s = store(dir.path());
    let body: Vec<u8> = (0..CHUNK as usize * 2 + 77).map(|i| (i % 251) as u8).collect();
    let mut upload = s.put_multipart(&key("big")).await.unwrap();
    let first = upload.put_part(body[..1000].to_vec().into());
    let second = upload.put_part(body[1000..].to_vec().into());
    // Parts may arrive in any order.
    second.await.unwrap();
    assert!(!dir.path().join("big").exists());
    first.await.unwrap();
    upload.complete().await.unwrap();
    assert_eq!(s.get(&key("big")).await.unwrap().bytes().await.unwrap(), body);
    assert_eq!(s.get_range(&key("big"), 999..1003).await.unwrap(), body[999..1003]);
    assert_eq!(s.get_ranges(&key("big"), &[0..2, 7..9]).await.unwrap(), [&body[0..2], &body[7..9]]);
    assert!(s.get_ranges(&key("big"), &[0..body.len() as u64 + 1]).await.is_err());
    assert_eq!(s.head(&key("big")).await.unwrap().size, body.len() as u64);
}

#[tokio::test]
async fn an_upload_that_is_dropped_or_aborted_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let s = store(dir.path());
    let mut upload = s.put_multipart(&key("d/one")).await.unwrap();
    upload.put_part("abc".into()).await.unwrap();
    drop(upload);
    let mut upload = s.put_multipart(&key("d/two")).await.unwrap();
    upload.put_part("abc".into()).await.unwrap();
    upload.abort().await.unwrap();
    assert_eq!(std::fs::read_dir(dir.path().join("d")).unwrap().count(), 0);
}

// spec: STO-9
#[tokio::test]
async fn a_link_out_of_the_root_is_refused_for_reading_writing_and_listing() {
    let dir = tempfile::tempdir().unwrap();
    let (root, outside) = (dir.path().join("t"), dir.path().join("outside"));
    std::fs::create_dir_all(&root).unwrap();
    std::fs::create_dir_all(&outside).unwrap();
    std::fs::write(outside.join("secret"), "s").unwrap();
    std::os::unix::fs::symlink(&outside, root.join("way")).unwrap();
    std::os::unix::fs::symlink(outside.join("secret"), root.join("file")).unwrap();
    let s = store(&root);
    for name in ["way/secret", "file"] {
        let e = s.get(&key(name)).await.unwrap_err();
        assert_eq!(crate::storage::failure(e, "reading", name).code(), Code::PATH, "{name}");
    }
    assert!(s.put(&key("way/new"), "x".into()).await.is_err());
    assert!(s.put(&key("way/sub/new"), "x".into()).await.is_err());
    assert!(s.delete(&key("way/secret")).await.is_err());
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 1);
    assert_eq!(keys(&s, "").await, Vec::<String>::new());
}

#[tokio::test]
async fn eight_racing_creators_have_one_winner() {
    let dir = tempfile::tempdir().unwrap();
    let s = store(dir.path());
    for version in 0..20 {
        let puts = (0..8).map(|n: u32| {
            let s = s.clone();
            async move {
                let body = n.to_string();
                s.put_opts(&key(&format!("_delta_log/{version}.json")), body.into(), PutMode::Create.into()).await.is_ok()
            }
        });
        let won = futures::future::join_all(puts).await.into_iter().filter(|w| *w).count();
        assert_eq!(won, 1);
    }
}

// spec: STO-6
#[test]
fn a_staged_file_has_a_dot_name_until_one_step_gives_it_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let s = store(dir.path());
    let names = || std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect::<Vec<_>>();
    let (name, target) = (key("f"), dir.path().join("f"));
    let temp = s.temp_name();
    assert!(temp.starts_with('.'), "{temp}");
    let stage = || s.disk.stage(&target, &temp, &name).unwrap();
    let mut staged = stage();
    std::io::Write::write_all(&mut staged.file, b"whole").unwrap();
    assert_eq!(names(), [temp.as_str()]);
    s.disk.publisher.publish(staged, &target, publish::Existing::Keep, &name).unwrap();
    assert_eq!((names(), std::fs::read(&target).unwrap()), (vec!["f".to_owned()], b"whole".to_vec()));
    let second = s.disk.publisher.publish(stage(), &target, publish::Existing::Keep, &name);
    assert!(matches!(second, Err(object_store::Error::AlreadyExists { .. })), "{second:?}");
    assert_eq!((names(), std::fs::read(&target).unwrap()), (vec!["f".to_owned()], b"whole".to_vec()));
}

fn with_sync(root: &std::path::Path, sync: fn(&File) -> io::Result<()>) -> LocalStore {
    let publisher = Publisher::with_sync(root.to_owned(), sync);
    LocalStore::over(Disk { root: root.to_owned(), publisher }, Env::system())
}

fn put_new(s: &LocalStore, name: &str) -> Result<PutResult> {
    s.disk.put_new(&key(name), ".temp", &"body".into())
}

thread_local! {
    /// What was synced: each file's name at that time.
    static SYNCED: std::cell::RefCell<Vec<PathBuf>> = const { std::cell::RefCell::new(Vec::new()) };
}

fn record(file: &File) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    let name = std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
    SYNCED.with_borrow_mut(|synced| synced.push(name));
    file.sync_all()
}

// spec: STO-6
#[test]
fn a_durable_write_syncs_the_folders_it_made_then_the_file_then_its_folder() {
    let dir = tempfile::tempdir().unwrap();
    let base = dir.path().canonicalize().unwrap();
    let s = with_sync(&base.join("new/table"), record);
    put_new(&s, "_delta_log/0.json").unwrap();
    let below = |names: &[&str]| names.iter().map(|n| base.join(n)).collect::<Vec<_>>();
    let log = "new/table/_delta_log";
    assert_eq!(SYNCED.take(), below(&["", "new", "new/table", &format!("{log}/.temp"), log]));
    put_new(&s, "_delta_log/1.json").unwrap();
    assert_eq!(SYNCED.take(), below(&[&format!("{log}/.temp"), log]));
    // Who hears that a file is there may find that it is his own: it must be on the disk then.
    assert!(matches!(put_new(&s, "_delta_log/1.json"), Err(object_store::Error::AlreadyExists { .. })));
    assert_eq!(SYNCED.take(), below(&[log]));
    s.disk.put_over(&key("p=1/f"), ".temp", &"body".into()).unwrap();
    assert_eq!(SYNCED.take(), below(&["new", "new/table", "new/table/p=1/.temp", "new/table/p=1"]));
}

// spec: STO-6
#[test]
fn a_file_system_that_cannot_sync_folders_is_taken_at_its_word() {
    let dir = tempfile::tempdir().unwrap();
    let s = with_sync(dir.path(), |file| match file.metadata()?.is_dir() {
        true => Err(rustix::io::Errno::INVAL.into()),
        false => Ok(()),
    });
    put_new(&s, "new/f").unwrap();
}

// spec: STO-12
#[test]
fn only_failures_that_come_before_the_step_are_sure() {
    use crate::storage::PutOutcome;
    use publish::{Missed, Step, missed};
    use rustix::io::Errno;
    let outcome = |errno, step| match missed(errno, step, &key("x")) {
        Missed::Surely(e) => (true, outcome_of(Err(e))),
        Missed::Perhaps(e) => (false, outcome_of(Err(e))),
    };
    for errno in [Errno::ACCESS, Errno::PERM, Errno::ROFS, Errno::NOSPC, Errno::DQUOT, Errno::XDEV, Errno::NAMETOOLONG, Errno::NOTDIR] {
        for step in [Step::Link, Step::Rename] {
            assert!(matches!(outcome(errno, step), (true, PutOutcome::Failed(_))), "{errno:?} {step:?}");
        }
    }
    for errno in [Errno::IO, Errno::TIMEDOUT, Errno::STALE, Errno::INTR, Errno::NETDOWN, Errno::BUSY, Errno::CONNRESET] {
        for step in [Step::Link, Step::Rename] {
            assert!(matches!(outcome(errno, step), (false, PutOutcome::Unknown(_))), "{errno:?} {step:?}");
        }
    }
    assert!(matches!(outcome(Errno::NOENT, Step::Link), (true, PutOutcome::Failed(_))));
    assert!(matches!(outcome(Errno::NOENT, Step::Rename), (false, PutOutcome::Unknown(_))));
    assert!(matches!(outcome(Errno::EXIST, Step::Link), (false, PutOutcome::Exists)));
}

fn outcome_of(result: Result<PutResult>) -> crate::storage::PutOutcome {
    crate::storage::create::outcome(result.unwrap_err(), &key("x"))
}

// spec: STO-6, STO-12
#[test]
fn a_file_that_cannot_be_synced_is_not_published_and_a_folder_that_cannot_leaves_the_outcome_unknown() {
    let refuse = |_: &File| Err(io::Error::from(io::ErrorKind::StorageFull));
    let folders = |file: &File| match file.metadata()?.is_dir() {
        true => Err(io::Error::other("lost power")),
        false => Ok(()),
    };
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("d")).unwrap();
    let known = with_sync(dir.path(), |_| Ok(()));
    put_new(&known, "d/known").unwrap();
    for (name, sync, published) in [("d/full", refuse as fn(&File) -> io::Result<()>, false), ("d/lost", folders, true)] {
        let s = with_sync(dir.path(), sync);
        s.disk.publisher.remember(dir.path().join("d"));
        match outcome_of(put_new(&s, name)) {
            crate::storage::PutOutcome::Failed(e) => assert!(!published && e.message().contains("space"), "{name}: {e}"),
            crate::storage::PutOutcome::Unknown(e) => assert!(published && e.code() == Code::COMMIT_UNKNOWN, "{name}: {e}"),
            other => panic!("{name}: {other:?}"),
        }
        if published {
            // Sent again, it is still not said to be there.
            assert!(matches!(outcome_of(put_new(&s, name)), crate::storage::PutOutcome::Unknown(e) if e.code() == Code::COMMIT_UNKNOWN));
        }
        assert_eq!(dir.path().join(name).exists(), published, "{name}");
        assert!(!dir.path().join("d/.temp").exists(), "{name}");
    }
}
