use super::*;
use proptest::prelude::*;

fn commit(version: u64, modified: i64) -> LogFile {
    LogFile::parse(&LogFile::commit_name(Version(version)), 1, modified).expect("a commit")
}

// spec: TT-2
#[test]
fn file_times_that_do_not_rise_are_moved_up_by_a_millisecond() {
    let files: Vec<_> = [10, 10, 5, 30, 29].iter().enumerate().map(|(v, t)| commit(v as u64, *t)).collect();
    let times: Vec<i64> = adjusted(&files).into_iter().map(|(_, t)| t.millis()).collect();
    assert_eq!(times, [10, 11, 12, 30, 31]);
}

proptest! {
    // spec: TT-2
    #[test]
    fn adjusted_times_rise_strictly_and_never_lie_before_the_file(times in proptest::collection::vec(-50i64..50, 0..30)) {
        let files: Vec<_> = times.iter().enumerate().map(|(v, t)| commit(v as u64, *t)).collect();
        let adjusted = adjusted(&files);
        prop_assert!(adjusted.is_sorted_by(|a, b| a.1 < b.1));
        prop_assert!(adjusted.iter().zip(&times).all(|(a, t)| a.1.millis() >= *t));
    }
}
