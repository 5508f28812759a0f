//! Processes on the local disk, killed at moments of chance.

use super::ended_well;
use super::jobs::JOBS;
use super::store::{command, write_new};
use super::wanted::Wanted;
use super::world::World;
use crate::support::random::{Random, seeds};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

/// So often each command is killed.
const TRIES: u32 = 2;

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

/// What lies in a folder, without files that were being written: a process that dies at once leaves them under a dot name, never read.
fn gather(folder: &Path) -> World {
    fn walk(folder: &Path, root: &Path, world: &mut World) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, root, world);
            } else if !path.file_name().unwrap().to_str().unwrap().starts_with('.') {
                let key = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                let born = path.metadata().unwrap().modified().unwrap().duration_since(SystemTime::UNIX_EPOCH).unwrap();
                world.put(&key, std::fs::read(&path).unwrap(), born.as_secs() as i64);
            }
        }
    }
    let mut world = World::default();
    walk(folder, folder, &mut world);
    world
}

// spec: OPS-40
#[tokio::test]
async fn commands_killed_at_any_moment_on_the_local_disk_leave_every_version_and_their_second_runs_finish() {
    let seed = seeds(1).start;
    println!("LAKEBED_SEED={seed}");
    let mut random = Random::new(seed);
    let cache = tempfile::tempdir().unwrap();
    write_new(cache.path());
    let all = World::new().await;
    let mut kills = 0;
    // Shallow copies name their source by its place, which is another in every run.
    for job in JOBS.iter().filter(|job| job.copies && !job.words.contains(&"--shallow")) {
        let world = all.of(&[job.table, job.target]);
        let command = |folder: &Path| command(job, folder.to_str().unwrap(), cache.path());
        let clean = tempfile::tempdir().unwrap();
        lay(&world, clean.path());
        let begun = Instant::now();
        let ran = command(clean.path()).output().unwrap();
        let took = begun.elapsed();
        assert!(ended_well(ran.status.code()), "{:?}: {}", job.words, String::from_utf8_lossy(&ran.stderr));
        let wanted = Wanted::new(job, &world, &gather(clean.path())).await;
        for _ in 0..TRIES {
            let folder = tempfile::tempdir().unwrap();
            lay(&world, folder.path());
            let mut child = command(folder.path()).spawn().unwrap();
            // A moment that no step of the process decides.
            let moment = Duration::from_micros(random.below(took.as_micros() as u64 + 1));
            std::thread::sleep(moment);
            child.kill().unwrap();
            kills += usize::from(child.wait().unwrap().code().is_none());
            let told = |what| format!("{:?} killed after {moment:?} of {took:?}: {what}", job.words);
            wanted.check(&gather(folder.path()), false).await.map_err(told).unwrap();
            let second = command(folder.path()).output().unwrap();
            wanted.second(second.status.code(), &String::from_utf8_lossy(&second.stderr)).map_err(told).unwrap();
            wanted.check(&gather(folder.path()), true).await.map_err(told).unwrap();
        }
    }
    println!("{kills} kills");
    assert!(kills > JOBS.len(), "most processes were killed before they ended");
}
