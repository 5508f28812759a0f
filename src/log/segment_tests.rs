use super::*;
use proptest::prelude::*;

const UUID: &str = "80a083e8-7026-4e79-81be-64bd76c43a11";

fn file(name: &str) -> LogFile {
    LogFile::parse(name, 10, 0).unwrap_or_else(|| panic!("{name}"))
}
fn commit(v: u64) -> LogFile {
    file(&LogFile::commit_name(Version(v)))
}
fn commits(range: std::ops::RangeInclusive<u64>) -> Vec<LogFile> {
    range.map(commit).collect()
}
fn classic(v: u64) -> LogFile {
    file(&format!("{v:020}.checkpoint.parquet"))
}
fn part(v: u64, part: u32, parts: u32) -> LogFile {
    file(&format!("{v:020}.checkpoint.{part:010}.{parts:010}.parquet"))
}
fn uuid(v: u64) -> LogFile {
    file(&format!("{v:020}.checkpoint.{UUID}.json"))
}
fn compaction(x: u64, y: u64) -> LogFile {
    file(&format!("{x:020}.{y:020}.compacted.json"))
}
fn crc(v: u64) -> LogFile {
    file(&format!("{v:020}.crc"))
}
fn pick(files: &[LogFile], target: Option<u64>) -> Result<LogSegment, NoSegment> {
    choose(files, target.map(Version), &BTreeSet::new())
}
fn names(files: &[LogFile]) -> Vec<&str> {
    files.iter().map(|f| f.name.as_str()).collect()
}
fn versions(files: &[LogFile]) -> Vec<u64> {
    files.iter().map(|f| f.version.0).collect()
}

// spec: LOG-6
#[test]
fn the_newest_complete_checkpoint_and_the_commits_after_it_make_the_version() {
    let mut files = commits(0..=25);
    files.extend([classic(10), classic(20), crc(5), crc(20), crc(24), crc(25)]);
    let s = pick(&files, None).expect("latest");
    assert_eq!((s.version.0, versions(&s.commits)), (25, vec![21, 22, 23, 24, 25]));
    assert_eq!(s.checkpoint.as_ref().map(|c| c.version.0), Some(20));
    assert_eq!(versions(&s.checksums), [25, 24, 20]);
    assert_eq!(s.older_checkpoints.len(), 1);
    let s = pick(&files, Some(19)).expect("19");
    assert_eq!((s.checkpoint.map(|c| c.version.0), versions(&s.commits)), (Some(10), (11..=19).collect()));
    let s = pick(&files, Some(20)).expect("20");
    assert_eq!((s.checkpoint.map(|c| c.version.0), s.commits.len()), (Some(20), 0));
    let s = pick(&files, Some(3)).expect("3");
    assert_eq!((s.checkpoint, versions(&s.commits)), (None, vec![0, 1, 2, 3]));
}

// spec: LOG-7
#[test]
fn a_multi_part_checkpoint_counts_only_with_all_its_parts() {
    let mut files = commits(0..=12);
    files.extend([part(10, 1, 3), part(10, 3, 3)]);
    assert_eq!(pick(&files, None).expect("json").checkpoint, None);
    files.extend([part(10, 2, 2), part(10, 1, 2)]);
    let s = pick(&files, None).expect("two parts");
    let c = s.checkpoint.expect("a checkpoint");
    assert_eq!(names(&c.files), [part(10, 1, 2).name, part(10, 2, 2).name]);
    let mut torn = part(10, 2, 3);
    torn.size = 0;
    files.push(torn);
    assert_eq!(pick(&files, None).expect("still two").checkpoint.map(|c| c.files.len()), Some(2));
}

// spec: LOG-8
#[test]
fn checkpoints_without_bytes_and_broken_ones_are_passed_over() {
    let mut empty = classic(10);
    empty.size = 0;
    let mut files = commits(0..=12);
    files.extend([empty, classic(5), uuid(8)]);
    let s = pick(&files, None).expect("8");
    assert_eq!(s.checkpoint.as_ref().map(|c| c.version.0), Some(8));
    let broken = BTreeSet::from([uuid(8).name]);
    let s = choose(&files, None, &broken).expect("5");
    assert_eq!((s.checkpoint.map(|c| c.version.0), s.commits.len()), (Some(5), 7));
    let broken = BTreeSet::from([uuid(8).name, classic(5).name]);
    assert_eq!(choose(&files, None, &broken).expect("json").commits.len(), 13);
}

// spec: LOG-8
#[test]
fn a_checkpoint_that_would_have_been_read_but_is_none_is_told_once() {
    let mut files = commits(0..=12);
    let empty = |mut file: LogFile| {
        file.size = 0;
        file
    };
    files.extend([part(4, 1, 2), classic(5), empty(classic(8)), part(10, 1, 3), part(10, 3, 3), empty(uuid(11))]);
    let told = |files: &[LogFile], target| passed_over(files, &pick(files, target).expect("a version"));
    let notes = told(&files, None);
    assert_eq!(notes.len(), 3, "{notes:?}");
    assert!(notes.iter().any(|n| n.contains(&classic(8).name) && n.contains("no bytes")), "{notes:?}");
    assert!(notes.iter().any(|n| n.contains(&uuid(11).name) && n.contains("no bytes")), "{notes:?}");
    assert!(notes.iter().any(|n| n.contains(&part(10, 1, 3).name) && n.contains("2 of its 3 parts")), "{notes:?}");
    assert_eq!(told(&files, Some(7)), [""; 0], "what lies below the one that is read, or above the version, is of no use anyway");
    files.push(classic(12));
    assert_eq!(told(&files, None), [""; 0]);
}

// spec: LOG-9
#[test]
fn of_checkpoints_of_one_version_the_uuid_named_is_first_and_the_others_stand_in() {
    let files = [part(3, 1, 2), classic(3), uuid(3), part(3, 2, 2)];
    let s = pick(&files, None).expect("3");
    assert_eq!(s.checkpoint.as_ref().map(|c| c.name().to_owned()), Some(uuid(3).name));
    let others: Vec<_> = s.older_checkpoints.iter().map(|c| c.name().to_owned()).collect();
    assert_eq!(others, [classic(3).name, part(3, 1, 2).name]);
}

// spec: LOG-10
#[test]
fn a_hole_names_the_first_missing_version() {
    let mut files = commits(0..=3);
    files.extend(commits(6..=9));
    assert_eq!(pick(&files, None), Err(NoSegment::Missing(Version(4))));
    assert_eq!(pick(&files, Some(7)), Err(NoSegment::Missing(Version(4))));
    assert_eq!(pick(&files, Some(3)).expect("before the hole").version.0, 3);
    files.push(classic(7));
    assert_eq!(pick(&files, None).expect("the checkpoint covers the hole").version.0, 9);
    files.remove(6); // 8
    assert_eq!(pick(&files, None), Err(NoSegment::Missing(Version(8))));
    assert_eq!(pick(&commits(2..=4), None), Err(NoSegment::Missing(Version(0))));
    let e = explain(&commits(2..=4), None, NoSegment::Missing(Version(0)));
    assert_eq!(e.code(), Code::LOG_GAP);
    assert!(e.to_string().contains("version 0 is missing"), "{e}");
}

// spec: LOG-10
#[test]
fn a_hole_below_a_checkpoint_is_a_hole_and_what_can_be_read_is_named() {
    let mut files = commits(0..=449);
    files.remove(420);
    files.push(classic(449));
    let why = |target| explain(&files, Some(Version(target)), pick(&files, Some(target)).expect_err("no such version"));
    let e = why(430);
    assert_eq!((e.code(), e.context()[0].1.as_str()), (Code::LOG_GAP, "420"), "{e}");
    assert!(e.next_step().is_some_and(|help| help.ends_with("can be read: 0 to 419, 449")), "{:?}", e.next_step());
    assert!(pick(&files, Some(400)).is_ok() && pick(&files, Some(449)).is_ok());
    let e = why(1000);
    assert_eq!(e.code(), Code::VERSION, "{e}");
    assert!(e.next_step().is_some_and(|help| help.ends_with("can be read: 0 to 419, 449")), "{:?}", e.next_step());
    // What a clean-up has taken is no hole.
    let mut cleaned = commits(30..=60);
    cleaned.push(classic(50));
    let e = explain(&cleaned, Some(Version(40)), pick(&cleaned, Some(40)).expect_err("cleaned up"));
    assert_eq!(e.code(), Code::VERSION, "{e}");
}

// spec: LOG-11
#[test]
fn a_log_of_checkpoints_only_opens() {
    let s = pick(&[classic(108)], None).expect("108");
    assert_eq!((s.version.0, s.commits.len()), (108, 0));
}

// spec: LOG-12
#[test]
fn a_version_that_does_not_exist_says_which_do() {
    let mut files = commits(8..=20);
    files.push(classic(10));
    for (target, why) in [(21, pick(&files, Some(21))), (9, pick(&files, Some(9)))] {
        let e = explain(&files, Some(Version(target)), why.expect_err("no such version"));
        assert_eq!(e.code(), Code::VERSION);
        assert!(e.to_string().contains("earliest: 10, latest: 20"), "{e}");
    }
    assert_eq!(explain(&[], None, pick(&[], None).expect_err("nothing")).code(), Code::TABLE);
    let torn = [part(3, 1, 2)];
    assert_eq!(explain(&torn, None, pick(&torn, None).expect_err("nothing whole")).code(), Code::TABLE);
}

// spec: REC-1
#[test]
fn compactions_inside_the_tail_are_chosen_greedily_and_do_not_overlap() {
    let mut files = commits(0..=20);
    files.extend([
        classic(10),
        compaction(8, 12),
        compaction(11, 12),
        compaction(11, 14),
        compaction(14, 16),
        compaction(15, 17),
        compaction(19, 21),
    ]);
    let s = pick(&files, None).expect("20");
    assert_eq!(names(&s.compactions), [compaction(11, 14).name, compaction(15, 17).name]);
    assert_eq!(versions(&s.commits), (11..=20).collect::<Vec<_>>());
    let s = pick(&files, Some(13)).expect("13");
    assert_eq!(names(&s.compactions), [compaction(11, 12).name], "a compaction past the target is of no use");
}

fn any_log() -> impl Strategy<Value = Vec<LogFile>> {
    let one = prop_oneof![
        6 => (0u64..10).prop_map(commit),
        1 => (0u64..10).prop_map(classic),
        1 => (0u64..10).prop_map(uuid),
        1 => (0u64..10, 1u32..=2).prop_map(|(v, p)| part(v, p, 2)),
        1 => (0u64..10, 1u64..4).prop_map(|(x, n)| compaction(x, x + n)),
        1 => (0u64..10).prop_map(crc),
    ];
    proptest::collection::vec((one, proptest::bool::weighted(0.05)), 0..40).prop_map(|files| {
        let resize = |(mut f, empty): (LogFile, bool)| {
            f.size = if empty { 0 } else { f.size };
            f
        };
        files.into_iter().map(resize).collect()
    })
}

/// Whether version `v` can be made with the checkpoint of version `c` (or none), by looking at names only.
fn naive(files: &[LogFile], v: u64) -> Option<Option<u64>> {
    let whole = |name: &str| files.iter().find(|f| f.name == name).is_some_and(|f| f.size > 0);
    let first = |name: String| whole(&name);
    let has_checkpoint = |c: u64| first(classic(c).name) || first(uuid(c).name) || (first(part(c, 1, 2).name) && first(part(c, 2, 2).name));
    let has_commit = |c: u64| files.iter().any(|f| f.name == commit(c).name);
    match (0..=v).rev().find(|c| has_checkpoint(*c)) {
        Some(c) => ((c + 1)..=v).all(has_commit).then_some(Some(c)),
        None => (0..=v).all(has_commit).then_some(None),
    }
}

proptest! {
    #[test]
    fn the_choice_equals_that_of_a_naive_chooser(mut files in any_log(), target in 0u64..10) {
        // A file has one size.
        let mut sizes = std::collections::BTreeMap::new();
        for f in &mut files {
            f.size = *sizes.entry(f.name.clone()).or_insert(f.size);
        }
        match pick(&files, Some(target)) {
            Ok(s) => {
                let naive = naive(&files, target);
                prop_assert_eq!(naive, Some(s.checkpoint.as_ref().map(|c| c.version.0)));
                prop_assert_eq!(s.version.0, target);
                let want: Vec<u64> = (s.tail_from().0..=target).collect();
                prop_assert_eq!(versions(&s.commits), want);
                let mut next = s.tail_from();
                for c in &s.compactions {
                    prop_assert!(c.version >= next && c.size > 0);
                    let end = compaction_end(c).expect("a compaction");
                    prop_assert!(end <= s.version);
                    next = end.next();
                }
                prop_assert!(s.checksums.iter().all(|f| f.version <= s.version));
            }
            Err(NoSegment::Missing(v)) => {
                prop_assert_eq!(naive(&files, target), None);
                prop_assert!(!files.iter().any(|f| f.name == commit(v.0).name));
            }
            Err(_) => prop_assert_eq!(naive(&files, target), None),
        }
    }
}
