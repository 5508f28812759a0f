use super::*;
use crate::env::seeds::{numbers, seeds};
use crate::log::segment::available;

fn names(files: &[OldFile]) -> Vec<String> {
    files.iter().map(|f| f.name.trim_start_matches('0').to_owned()).collect()
}
fn log(names: &[&str]) -> Vec<LogFile> {
    names
        .iter()
        .map(|name| {
            let (version, rest) = name.split_once('.').unwrap();
            let version: u64 = version.parse().unwrap();
            let rest = match rest.split_once(".compacted") {
                Some((to, _)) => format!("{:020}.compacted.json", to.parse::<u64>().unwrap()),
                None => rest.to_owned(),
            };
            LogFile::parse(&format!("{version:020}.{rest}"), 1, 0).unwrap_or_else(|| panic!("{name}"))
        })
        .collect()
}
fn commits(to: u64) -> Vec<String> {
    (0..=to).map(|v| format!("{v}.json")).collect()
}
fn with(to: u64, more: &[&str]) -> Vec<LogFile> {
    let commits = commits(to);
    log(&commits.iter().map(String::as_str).chain(more.iter().copied()).collect::<Vec<_>>())
}

// spec: CLN-1
#[test]
fn a_log_is_cut_at_the_newest_checkpoint_that_is_old_enough() {
    let files = with(9, &["3.checkpoint.parquet", "6.checkpoint.parquet", "6.crc", "9.checkpoint.parquet"]);
    let at = |expired| cuts(&files, Version(expired)).unwrap().iter().map(|c| c.version.0).collect::<Vec<_>>();
    assert_eq!((at(2), at(3), at(8), at(9)), (vec![], vec![3], vec![6, 3], vec![9, 6, 3]));
}

// spec: CLN-4
#[test]
fn commits_go_first_and_checkpoints_last() {
    let files = with(
        7,
        &[
            "1.checkpoint.parquet",
            "1.crc",
            "2.3.compacted.json",
            "4.7.compacted.json",
            "4.checkpoint.parquet",
            "4.crc",
            "5.6.compacted.json",
        ],
    );
    let gone = below(&files, Version(4));
    let gone: Vec<String> = names(&gone);
    assert_eq!(
        gone,
        [
            ".json",
            "1.json",
            "2.json",
            "3.json",
            "1.crc",
            "2.00000000000000000003.compacted.json",
            "4.00000000000000000007.compacted.json",
            "1.checkpoint.parquet"
        ]
    );
}

// spec: CLN-2
#[test]
fn retention_ends_at_midnight() {
    let day = DAY_MS;
    assert_eq!(midnight_before(10 * day + 5, day), 9 * day);
    assert_eq!(midnight_before(10 * day - 1, 0), 9 * day);
    assert_eq!(midnight_before(-1, 0), -day);
    assert_eq!(midnight_before(i64::MIN + 5, i64::MAX), i64::MIN);
    assert_eq!(sidecar_cutoff(10 * day + 5), 9 * day);
}

// spec: CLN-3
#[test]
fn nothing_is_cut_from_a_log_that_would_have_a_hole() {
    let files = with(7, &["4.checkpoint.parquet"]);
    let gone = below(&files, Version(4));
    assert_eq!(keeps_all(&files, &gone, Version(4), Version(7)), Ok(()));
    // The hole is above the cut.
    let mut torn = files.clone();
    torn.retain(|f| f.version != Version(6));
    assert_eq!(keeps_all(&torn, &below(&torn, Version(4)), Version(4), Version(7)), Err(NoSegment::Missing(Version(6))));
    // There is no checkpoint at the cut.
    assert_eq!(keeps_all(&files, &gone, Version(5), Version(7)), Err(NoSegment::Missing(Version(5))));
    // The checkpoint itself would go.
    assert!(keeps_all(&files, &files.iter().map(as_old).collect::<Vec<_>>(), Version(4), Version(7)).is_err());
}

// spec: CLN-3, CLN-4, CLN-11
#[test]
fn every_log_keeps_its_promise_wherever_deleting_ends() {
    for seed in seeds(1..=500) {
        let mut next = numbers(seed);
        let latest = 3 + next(20);
        let mut more = Vec::new();
        for v in 0..=latest {
            if next(4) == 0 {
                more.push(match next(3) {
                    0 => format!("{v}.checkpoint.parquet"),
                    1 => format!("{v}.checkpoint.00000000-0000-0000-0000-{v:012}.parquet"),
                    _ => format!("{v}.checkpoint.0000000001.0000000002.parquet"),
                });
            }
            if next(4) == 0 {
                more.push(format!("{v}.{}.compacted.json", v + 1 + next(3)));
            }
            if next(2) == 0 {
                more.push(format!("{v}.crc"));
            }
        }
        let files = with(latest, &more.iter().map(String::as_str).collect::<Vec<_>>());
        let expired = Version(next(latest + 1));
        for cut in cuts(&files, expired).unwrap() {
            let gone = below(&files, cut.version);
            keeps_all(&files, &gone, cut.version, Version(latest)).unwrap_or_else(|e| panic!("seed {seed}: {e:?}"));
            for end in 0..=gone.len() {
                let left: Vec<LogFile> = files.iter().filter(|f| !gone[..end].iter().any(|g| g.name == f.name)).cloned().collect();
                for version in cut.version.0..=latest {
                    let made =
                        |files: &[LogFile]| choose(files, Some(Version(version)), &BTreeSet::new()).map(|s| (s.checkpoint, s.commits));
                    assert_eq!(made(&left), made(&files), "seed {seed}: version {version} after {end} deletions");
                }
            }
            // Within a round the store deletes in any order, and one that is refused does not stop the others.
            let end = next(gone.len() as u64 + 1) as usize;
            let kind = gone.get(end).map(|file| file.kind);
            let is_gone: Vec<&str> = gone
                .iter()
                .enumerate()
                .filter(|(at, g)| *at < end || Some(g.kind) == kind && next(2) == 0)
                .map(|(_, g)| g.name.as_str())
                .collect();
            let left: Vec<LogFile> = files.iter().filter(|f| !is_gone.contains(&f.name.as_str())).cloned().collect();
            let (first, last) = available(&left).unwrap_or_else(|| panic!("seed {seed}: nothing is left"));
            assert!(first <= cut.version && last == Version(latest), "seed {seed}: {first} to {last}, cut at {}", cut.version);
            for version in first.0..=latest {
                choose(&left, Some(Version(version)), &BTreeSet::new()).unwrap_or_else(|e| panic!("seed {seed}: version {version}: {e:?}"));
            }
            // The next clean-up finishes what this one has begun.
            let again = cuts(&left, expired).unwrap_or_else(|e| panic!("seed {seed}: {e:?}"));
            assert_eq!(again.first(), cuts(&files, expired).unwrap().first(), "seed {seed}");
            let rest = below(&left, cut.version);
            keeps_all(&left, &rest, cut.version, Version(latest)).unwrap_or_else(|e| panic!("seed {seed}: {e:?}"));
            assert_eq!(rest.iter().filter(|file| !gone.contains(file)).count(), 0, "seed {seed}");
        }
    }
}
