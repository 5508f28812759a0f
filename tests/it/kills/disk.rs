//! Processes on the local disk, killed at moments of chance.

use super::world::{Seen, World, now};
use super::{JOBS, Wanted};
use crate::support::random::{Random, seeds};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

/// Puts a world into a folder, its files as old as they are.
fn lay(world: &World, folder: &Path) {
    for (key, body) in &world.objects {
        let path = folder.join(key);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, body).unwrap();
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(world.born[key].unsigned_abs());
        std::fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    }
}

/// What lies in a folder.
fn gather(folder: &Path) -> World {
    fn walk(folder: &Path, root: &Path, world: &mut World) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, root, world);
            } else {
                let key = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                world.born.insert(key.clone(), now());
                world.objects.insert(key, std::fs::read(&path).unwrap());
            }
        }
    }
    let mut world = World::default();
    walk(folder, folder, &mut world);
    world
}

fn command(words: &[&str], folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lakebed"));
    command.args(words.iter().map(|word| word.replace("{}", folder.to_str().unwrap()))).args(["--format", "json"]);
    command.env_remove("RUST_LOG").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

// spec: OPS-40
#[tokio::test]
async fn commands_killed_at_any_moment_on_the_local_disk_leave_every_version_and_their_second_runs_finish() {
    let seed = seeds(1).start;
    println!("LAKEBED_SEED={seed}");
    let mut random = Random::new(seed);
    let world = World::new().await;
    let before = Seen::of(&world.table("t").await, 0).await.unwrap().unwrap();
    let mut kills = 0;
    for job in JOBS {
        let clean = tempfile::tempdir().unwrap();
        lay(&world, clean.path());
        let begun = Instant::now();
        let ran = command(job.words, clean.path()).output().unwrap();
        let took = begun.elapsed();
        assert!(ran.status.success(), "{:?}: {}", job.words, String::from_utf8_lossy(&ran.stderr));
        let wanted = Wanted::new(job, &before, &gather(clean.path())).await;
        for _ in 0..3 {
            let folder = tempfile::tempdir().unwrap();
            lay(&world, folder.path());
            let mut child = command(job.words, folder.path()).spawn().unwrap();
            // A moment that no step of the process decides.
            let moment = Duration::from_micros(random.below(took.as_micros() as u64 + 1));
            std::thread::sleep(moment);
            child.kill().unwrap();
            kills += usize::from(child.wait().unwrap().code().is_none());
            let told = |what| format!("{:?} killed after {moment:?} of {took:?}: {what}", job.words);
            wanted.check(&gather(folder.path()), false).await.map_err(told).unwrap();
            let second = command(job.words, folder.path()).output().unwrap();
            assert!(second.status.success(), "{:?}, again: {}", job.words, String::from_utf8_lossy(&second.stderr));
            wanted.check(&gather(folder.path()), true).await.map_err(told).unwrap();
        }
    }
    println!("{kills} kills");
    assert!(kills > JOBS.len(), "most processes were killed before they ended");
}
