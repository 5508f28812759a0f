//! Tables whose past is as old as the test says: commits, files and tombstones alike.

use futures::future::BoxFuture;
use lakebed::{Clock, Env, Table, Timestamp};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

pub const HOUR: i64 = 3_600_000;

/// A clock that shows what it is set to.
#[derive(Debug, Default)]
pub struct Hands(AtomicI64);

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}

fn time(millis: i64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(millis.unsigned_abs())
}

/// A folder with a table in it that is written in the past and vacuumed today.
pub struct Aged {
    pub folder: tempfile::TempDir,
    /// Writes in the past.
    pub table: Table,
    hands: Arc<Hands>,
    today: i64,
}

/// Every file below a folder, links not followed.
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        match entry.file_type().unwrap().is_dir() {
            true => found.extend(files_below(&entry.path())),
            false => found.push(entry.path()),
        }
    }
    found.sort();
    found
}

impl Aged {
    pub fn new() -> Aged {
        let folder = tempfile::tempdir().unwrap();
        let today = Env::system().now().millis();
        let hands = Arc::new(Hands(AtomicI64::new(today)));
        let env = Env::system().with_threads(2).with_clock(Arc::clone(&hands) as Arc<dyn Clock>);
        let table = Table::at(folder.path().to_str().unwrap()).env(env).open().unwrap();
        Aged { folder, table, hands, today }
    }
    /// The same table today.
    pub fn now(&self) -> Table {
        Table::at(self.folder.path().to_str().unwrap()).env(Env::system().with_threads(2)).open().unwrap()
    }
    /// Sets the writer's clock to so many hours ago.
    pub fn go_to(&self, hours_ago: i64) {
        self.hands.0.store(self.today - hours_ago * HOUR, Ordering::SeqCst);
    }
    /// Gives the files that were written since the last call the time of the writer's clock.
    pub fn settle(&self) {
        for file in files_below(self.folder.path()) {
            let modified = file.metadata().unwrap().modified().unwrap();
            if modified >= time(self.today - 60_000) && !file.is_symlink() {
                File::options().write(true).open(file).unwrap().set_modified(time(self.hands.now().millis())).unwrap();
            }
        }
    }
    /// Writes a file that no commit names, so many hours old.
    pub fn plant(&self, name: &str, hours_ago: i64) {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, name).unwrap();
        File::options().write(true).open(path).unwrap().set_modified(time(self.today - hours_ago * HOUR)).unwrap();
    }
    /// Everything outside the log, by its name inside the table.
    pub fn objects(&self) -> Vec<String> {
        let name = |path: PathBuf| path.strip_prefix(self.folder.path()).unwrap().to_str().unwrap().to_owned();
        files_below(self.folder.path()).into_iter().map(name).filter(|name| !name.starts_with("_delta_log/")).collect()
    }
    pub fn has(&self, name: &str) -> bool {
        self.folder.path().join(name).exists()
    }
    /// The time of the writer's clock.
    pub fn clock(&self) -> i64 {
        self.hands.now().millis()
    }
    /// Writes a commit as another engine would.
    pub fn commit(&self, version: u64, lines: &[serde_json::Value]) {
        let body: String = lines.iter().map(|line| format!("{line}\n")).collect();
        std::fs::write(self.folder.path().join(format!("_delta_log/{version:020}.json")), body).unwrap();
    }
    /// The actions of one kind in the commits, by version.
    pub fn actions(&self, kind: &str) -> Vec<(u64, serde_json::Value)> {
        let mut found = Vec::new();
        for file in files_below(&self.folder.path().join("_delta_log")) {
            let name = file.file_name().unwrap().to_str().unwrap().to_owned();
            let Some(version) = name.strip_suffix(".json").filter(|v| v.len() == 20).and_then(|v| v.parse().ok()) else { continue };
            for line in std::fs::read_to_string(&file).unwrap().lines() {
                let mut action: serde_json::Value = serde_json::from_str(line).unwrap();
                if action.get(kind).is_some() {
                    found.push((version, action[kind].take()));
                }
            }
        }
        found
    }
}
