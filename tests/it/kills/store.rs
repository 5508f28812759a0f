//! A scripted S3 that counts what a process asks for and kills it at the n-th request.

use super::jobs::Job;
use super::world::{World, now};
use crate::support::http::{Ask, Objects, Say, Server, dated_s3, s3, status};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// When a process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kill {
    Never,
    /// Its n-th request is not carried out.
    Before(usize),
    /// Its n-th request is, but nobody hears the answer.
    After(usize),
}

/// How a process ended.
pub struct Ended {
    /// `None` when it was killed.
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
    /// Which of its requests, in their order, could change something.
    pub writes: Vec<bool>,
}

/// The process of a job whose tables lie in this folder.
pub fn command(job: &Job, folder: &str, cache: &Path) -> Command {
    let new = cache.join("new.ndjson");
    let words = job.words.iter().map(|word| word.replace("{}", folder).replace("{new}", new.to_str().unwrap()));
    let mut command = Command::new(env!("CARGO_BIN_EXE_lakebed"));
    command.args(words).args(["--format", "json"]).env_remove("RUST_LOG");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Writes the rows that jobs bring.
pub fn write_new(cache: &Path) {
    let rows = (5..12).chain(60..64).map(|id| format!("{{\"id\":{id},\"n\":{}}}\n", id * 3));
    std::fs::write(cache.join("new.ndjson"), rows.collect::<String>()).unwrap();
}

/// The store of one process at a time.
pub struct Killer {
    server: Server,
    objects: Objects,
    run: Arc<Run>,
    runs: AtomicUsize,
    cache: tempfile::TempDir,
}

#[derive(Default)]
struct Run {
    child: Mutex<Option<Child>>,
    born: Mutex<BTreeMap<String, i64>>,
    trap: Mutex<Trap>,
}

struct Trap {
    /// The folder of this run; what a process of an earlier one still asks for is not heard.
    folder: String,
    kill: Kill,
    copies: bool,
    writes: Vec<bool>,
    sprung: bool,
}

impl Default for Trap {
    fn default() -> Self {
        Trap { folder: String::new(), kill: Kill::Never, copies: true, writes: Vec::new(), sprung: true }
    }
}

impl Killer {
    pub fn new() -> Killer {
        let run = Arc::new(Run::default());
        let inside = Arc::clone(&run);
        let (server, objects) = s3(move |ask, _, objects| Some(inside.answer(ask, objects)));
        let cache = tempfile::tempdir().unwrap();
        write_new(cache.path());
        Killer { server, objects, run, runs: AtomicUsize::new(0), cache }
    }

    /// Runs the job's command on this world. Gives the world that it leaves.
    pub fn run(&self, world: &World, job: &Job, kill: Kill) -> (Ended, World) {
        let folder = format!("run{:06}", self.runs.fetch_add(1, Ordering::Relaxed));
        let prefix = format!("/lake/{folder}/");
        *self.objects.lock().unwrap() = world.objects.iter().map(|(key, body)| (format!("{prefix}{key}"), body.clone())).collect();
        *self.run.born.lock().unwrap() = world.born.iter().map(|(key, time)| (format!("{prefix}{key}"), *time)).collect();
        *self.run.trap.lock().unwrap() = Trap { folder: folder.clone(), kill, copies: job.copies, writes: Vec::new(), sprung: false };

        let mut command = command(job, &format!("s3://lake/{folder}"), self.cache.path());
        let cache = self.cache.path().to_str().unwrap();
        for (key, value) in [
            ("endpoint", self.server.url.as_str()),
            ("access_key_id", "k"),
            ("secret_access_key", "s"),
            ("max_retries", "0"),
            ("cache_dir", cache),
        ] {
            command.args(["--storage-option", &format!("{key}={value}")]);
        }
        let (mut out, mut err) = (String::new(), String::new());
        let (mut stdout, mut stderr) = {
            // The process is known before its first request is answered.
            let mut slot = self.run.child.lock().unwrap();
            let child = slot.insert(command.spawn().unwrap());
            (child.stdout.take().unwrap(), child.stderr.take().unwrap())
        };
        stdout.read_to_string(&mut out).unwrap();
        stderr.read_to_string(&mut err).unwrap();
        let status = self.run.child.lock().unwrap().take().unwrap().wait().unwrap();
        let writes = {
            let mut trap = self.run.trap.lock().unwrap();
            trap.sprung = true;
            std::mem::take(&mut trap.writes)
        };
        let strip = |path: &String| path.strip_prefix(&prefix).map(str::to_owned);
        let objects = self.objects.lock().unwrap().iter().filter_map(|(path, body)| Some((strip(path)?, body.clone()))).collect();
        let born = self.run.born.lock().unwrap().iter().filter_map(|(path, time)| Some((strip(path)?, *time))).collect();
        (Ended { code: status.code(), out, err, writes }, World { objects, born })
    }
}

impl Run {
    fn answer(&self, ask: &Ask, objects: &Objects) -> Say {
        // Objects stand under their names, which a URL spells in another way.
        let decoded = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8().unwrap().into_owned();
        let mut ask = Ask { path: decoded(&ask.path), ..ask.clone() };
        ask.headers.entry("x-amz-copy-source".to_owned()).and_modify(|from| *from = decoded(from));
        let ask = &ask;
        let mut trap = self.trap.lock().unwrap();
        if ask.path.contains(&trap.folder) || ask.query.contains(&trap.folder) || ask.path.trim_end_matches('/') == "/lake" {
            if trap.sprung {
                return Say::Hang;
            }
            trap.writes.push(!matches!(ask.method.as_str(), "GET" | "HEAD"));
            let asked = trap.writes.len();
            trap.sprung = [Kill::Before(asked), Kill::After(asked)].contains(&trap.kill);
            if trap.kill == Kill::After(asked) {
                self.carry_out(ask, objects, trap.copies);
            }
            if trap.sprung {
                // Others that ask at this moment wait for the trap: they must not be hung up on before the process is dead.
                return self.kill();
            }
        }
        let copies = trap.copies;
        drop(trap);
        self.carry_out(ask, objects, copies)
    }

    fn carry_out(&self, ask: &Ask, objects: &Objects, copies: bool) -> Say {
        if !copies && ask.headers.contains_key("x-amz-copy-source") {
            return status(400);
        }
        if ask.method == "PUT" || ask.method == "POST" {
            self.born.lock().unwrap().insert(ask.path.clone(), now());
        }
        let born = self.born.lock().unwrap();
        dated_s3(ask, objects, &|path| born.get(path).copied().unwrap_or_default())
    }

    fn kill(&self) -> Say {
        if let Some(child) = self.child.lock().unwrap().as_mut() {
            child.kill().unwrap();
        }
        Say::Hang
    }
}
