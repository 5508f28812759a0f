//! Logs and data files with seeded damage: never a panic, never more than a bounded time and memory, and the right rows or an error with a code of its own.
//!
//! `LAKEBED_SEED=<n>` runs one case alone; `LAKEBED_TEST_SCALE=<n>` runs n times as many.

use crate::support::digest::Rows;
use futures::{FutureExt, TryStreamExt};
use lakebed::{At, ErrorKind, PathLogStore, Result, Table, TableRoot, Version};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

/// What one case may take.
const TIME: Duration = Duration::from_secs(20);
/// What the whole run may add to the peak memory of the process.
const MEMORY_KIB: u64 = 1 << 20;

struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }
}

/// A golden table in memory.
struct Golden {
    name: String,
    /// Files that the damage may hit, with their bytes.
    files: Vec<(Path, Vec<u8>)>,
    store: Arc<InMemory>,
    newest: u64,
    /// Digests of the newest version and of version 0, where they can be read.
    rows: [Result<(usize, String), String>; 2],
}

fn files_below(folder: &std::path::Path, into: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files_below(&path, into) } else { into.push(path) }
    }
}

impl Golden {
    async fn load(folder: &std::path::Path, of_the_log: bool) -> Golden {
        let mut paths = Vec::new();
        files_below(folder, &mut paths);
        paths.sort();
        let store = Arc::new(InMemory::new());
        let mut files = Vec::new();
        for path in paths {
            let name = path.strip_prefix(folder).unwrap().to_str().unwrap();
            let (key, body) = (Path::parse(format!("t/{name}")).unwrap(), std::fs::read(&path).unwrap());
            store.put(&key, body.clone().into()).await.unwrap();
            if name.starts_with("_delta_log/") == of_the_log && !name.contains("/.") && !name.starts_with('.') {
                files.push((key, body));
            }
        }
        let name = folder.parent().unwrap().file_name().unwrap().to_str().unwrap().to_owned();
        let mut golden = Golden { name, files, store, newest: 0, rows: [Err(String::new()), Err(String::new())] };
        golden.newest = golden.table().snapshot().await.map_or(0, |s| s.version().0);
        golden.rows = golden.read().await.map(|r| r.map_err(|e| e.0));
        golden
    }
    fn table(&self) -> Table {
        let url = url::Url::parse("memory:///t/").unwrap();
        let root = TableRoot::with_store(url, Arc::clone(&self.store) as Arc<dyn ObjectStore>, Path::from("t"));
        let env = lakebed::Env::system().with_memory_limit(256 << 20).with_threads(2);
        Table::with_log(root.clone(), Arc::new(PathLogStore::new(root)), env)
    }
    /// The newest version and version 0: rows and digest, or what went wrong and of which kind.
    async fn read(&self) -> [Result<(usize, String), (String, ErrorKind)>; 2] {
        let table = self.table();
        let read = |at: At| {
            let table = table.clone();
            async move {
                let snapshot = table.snapshot_at(at).await?;
                let version = snapshot.version().0;
                let mut batches = snapshot.scan().build()?.stream();
                let mut rows = Rows::default();
                while let Some(batch) = batches.try_next().await? {
                    rows.push(&batch);
                }
                Ok::<_, lakebed::Error>((version, rows))
            }
        };
        let told = |read: Result<(u64, Rows)>, version: u64| match read {
            Ok((v, mut rows)) if v == version => Ok((rows.len(), rows.sha256())),
            Ok((v, _)) => Ok((usize::MAX, format!("version {v}"))),
            Err(e) => Err((format!("{e:?}"), e.kind())),
        };
        [told(read(At::Latest).await, self.newest), told(read(At::Version(Version(0))).await, 0)]
    }
    fn is_commit(key: &Path) -> bool {
        let name = key.filename().unwrap_or_default();
        name.len() == 25 && name.ends_with(".json")
    }
}

/// What is done to one file. Structural damage can be seen for what it is; changed values are perhaps values.
#[derive(Clone, Copy)]
enum Damage {
    Empty,
    CutShort,
    Zeros,
    Gone,
    AnotherFile,
    FlipBit,
    Overwrite,
    Insert,
    Repeat,
    HugeNumber,
    Deep,
}

const DAMAGES: [Damage; 11] = [
    Damage::Empty,
    Damage::CutShort,
    Damage::Zeros,
    Damage::Gone,
    Damage::AnotherFile,
    Damage::FlipBit,
    Damage::Overwrite,
    Damage::Insert,
    Damage::Repeat,
    Damage::HugeNumber,
    Damage::Deep,
];

impl Damage {
    /// The damaged bytes; `None` for a file that is gone.
    fn done(self, body: &[u8], other: &[u8], dice: &mut Dice) -> Option<Vec<u8>> {
        let mut out = body.to_vec();
        let at = dice.below(out.len());
        let span = 1 + dice.below(64);
        match self {
            Damage::Empty => out.clear(),
            Damage::CutShort => {
                // Not behind a line: there nothing shows that something is missing.
                let end = (at..out.len()).find(|i| *i == 0 || !matches!(out[*i - 1], b'\n' | b'}' | b'\r')).unwrap_or(0);
                out.truncate(end);
            }
            Damage::Zeros => out.fill(0),
            Damage::Gone => return None,
            Damage::AnotherFile => out = other.to_vec(),
            Damage::FlipBit => {
                for _ in 0..1 + dice.below(8) {
                    let at = dice.below(out.len());
                    if let Some(byte) = out.get_mut(at) {
                        *byte ^= 1 << dice.below(8);
                    }
                }
            }
            Damage::Overwrite => out.iter_mut().skip(at).take(span).for_each(|b| *b = dice.next() as u8),
            Damage::Insert => drop(out.splice(at..at, (0..span).map(|_| dice.next() as u8).collect::<Vec<_>>())),
            Damage::Repeat => {
                let piece = out[at..(at + span * 16).min(out.len())].to_vec();
                drop(out.splice(at..at, piece));
            }
            Damage::HugeNumber => {
                let digits: Vec<usize> = (0..out.len()).filter(|i| out[*i].is_ascii_digit()).collect();
                let numbers: [&[u8]; 6] =
                    [b"-1", b"99999999999999999999", b"9223372036854775807", b"-9223372036854775808", b"1e308", b"2147483648"];
                let number = numbers[dice.below(numbers.len())];
                if !digits.is_empty() {
                    let at = digits[dice.below(digits.len())];
                    drop(out.splice(at..at + 1, number.iter().copied()));
                }
            }
            Damage::Deep => {
                let depth = 1 << (8 + dice.below(10));
                let open = [b'[', b'{'][dice.below(2)];
                drop(out.splice(at..at, vec![open; depth]));
            }
        }
        Some(out)
    }
    fn is_structural(self) -> bool {
        matches!(self, Damage::Empty | Damage::CutShort | Damage::Zeros | Damage::Gone)
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [
            "empty",
            "cut short",
            "zeros",
            "gone",
            "another file",
            "bits flipped",
            "overwritten",
            "inserted",
            "repeated",
            "number",
            "deep",
        ];
        f.write_str(names[*self as usize])
    }
}

fn peak_memory_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    line.and_then(|l| l.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// What is wrong with how a case ended.
async fn judge(golden: &Golden, seed: u64) -> Option<String> {
    let mut dice = Dice(seed);
    let (key, body) = &golden.files[dice.below(golden.files.len())];
    let other = &golden.files[dice.below(golden.files.len())].1;
    let damage = DAMAGES[dice.below(DAMAGES.len())];
    match damage.done(body, other, &mut dice) {
        Some(damaged) => _ = golden.store.put(key, damaged.into()).await.unwrap(),
        None => golden.store.delete(key).await.unwrap(),
    }
    let outcome = tokio::time::timeout(TIME, AssertUnwindSafe(golden.read()).catch_unwind()).await;
    golden.store.put(key, body.clone().into()).await.unwrap();
    let what = format!("{} {key} {damage}", golden.name);
    let read = match outcome {
        Err(_) => return Some(format!("{what}: took longer than {TIME:?}")),
        Ok(Err(panic)) => {
            let text = panic.downcast_ref::<String>().cloned().or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()));
            return Some(format!("{what}: panic: {}", text.unwrap_or_default()));
        }
        Ok(Ok(read)) => read,
    };
    for (i, (got, right)) in read.iter().zip(&golden.rows).enumerate() {
        match (got, right) {
            (Err((e, ErrorKind::Internal)), _) => return Some(format!("{what}: an error of lakebed's own: {e}")),
            (Ok((rows, digest)), Ok(right)) if (*rows, digest) != (right.0, &right.1) => {
                // A log whose newest commit is gone is a log with one commit less.
                let newest = Golden::is_commit(key) && key.filename() == Some(format!("{:020}.json", golden.newest).as_str());
                if damage.is_structural() && !(matches!(damage, Damage::Gone) && newest) {
                    return Some(format!("{what}: read {i}: {rows} rows ({digest}), right are {}", right.0));
                }
            }
            _ => {}
        }
    }
    None
}

async fn run(of_the_log: bool, cases: u64) {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/golden");
    let mut folders: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path().join("table")).filter(|p| p.exists()).collect();
    folders.sort();
    let mut tables = Vec::new();
    for folder in folders {
        tables.push(Golden::load(&folder, of_the_log).await);
    }
    let readable = tables.iter().filter(|t| t.rows[0].is_ok()).count();
    assert!(readable * 10 > tables.len() * 8, "only {readable} of {} tables read at all", tables.len());
    tables.retain(|t| !t.files.is_empty());
    let number = |name: &str| std::env::var(name).ok().and_then(|v| v.parse::<u64>().ok());
    let seeds = match number("LAKEBED_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..cases * number("LAKEBED_TEST_SCALE").unwrap_or(1),
    };
    let before = peak_memory_kib();
    let mut wrong = Vec::new();
    for seed in seeds {
        let golden = &tables[(seed % tables.len() as u64) as usize];
        if let Some(what) = judge(golden, seed).await {
            wrong.push(format!("LAKEBED_SEED={seed}: {what}"));
        }
        let peak = peak_memory_kib();
        if peak.saturating_sub(before) > MEMORY_KIB {
            wrong.push(format!("LAKEBED_SEED={seed}: the peak of memory rose from {before} to {peak} KiB"));
            break;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

// spec: LOG-22
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_logs_end_in_the_right_rows_or_in_an_error_with_a_code() {
    run(true, 700).await;
}

// spec: LOG-22
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_data_files_and_vectors_end_in_the_right_rows_or_in_an_error_with_a_code() {
    run(false, 400).await;
}
