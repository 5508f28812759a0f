use super::*;

fn held(files: u64, removed: u64, sorted: bool, touched: u64) -> Held {
    let tally = Tally { files, file_bytes: files as i64 * 10, removed, others: 0 };
    let facts = SidecarFacts { tally, newest_removed: 100, sorted, plain: true, index_bytes: 7, columns: "c".to_owned() };
    Held { facts, touched }
}
fn table(sidecars: usize) -> Vec<Held> {
    (0..sidecars).map(|_| held(4096, 0, true, 0)).collect()
}
const NEW: Fresh = Fresh { files: 10, removed: 0 };

// spec: CKP-16
#[test]
fn what_a_sidecar_says_about_itself_comes_back_from_its_tags() {
    let facts = held(3, 2, true, 0).facts;
    let mut sidecar = Sidecar { path: "s".to_owned(), size_in_bytes: 1, modification_time: 1, tags: Some(facts.tags()) };
    assert_eq!(SidecarFacts::of(&sidecar), Some(facts));
    let mut tags = sidecar.tags.take().unwrap();
    assert_eq!(SidecarFacts::of(&sidecar), None, "another writer made it");
    tags.insert(FILES.to_owned(), Some("many".to_owned()));
    assert_eq!(SidecarFacts::of(&Sidecar { tags: Some(tags), ..sidecar }), None);
}

// spec: CKP-16
#[test]
fn only_untouched_sidecars_are_named_again() {
    let mut all = table(20);
    all[3].touched = 1;
    all[4].touched = 4096;
    all[5].touched = 4000;
    let fates = fates(&all, NEW, 0).unwrap();
    assert_eq!(fates[..6], [Fate::Keep, Fate::Keep, Fate::Keep, Fate::Rewrite, Fate::Drop, Fate::Absorb]);
    assert!(fates[6..].iter().all(|f| *f == Fate::Keep));
}

// spec: CKP-17
#[test]
fn all_is_sorted_anew_when_a_third_is_not_sorted_or_half_is_written_in_any_case() {
    let all = table(20);
    assert!(fates(&all, Fresh { files: 40_000, removed: 0 }, 0).is_some());
    assert!(fates(&all, Fresh { files: 41_000, removed: 0 }, 0).is_none());
    let mut loose = all.clone();
    loose.extend((0..11).map(|_| held(4096, 0, false, 0)));
    assert!(fates(&loose, NEW, 0).is_none());
    let touched = |n: usize| table(20).into_iter().enumerate().map(|(i, h)| Held { touched: u64::from(i < n), ..h }).collect::<Vec<_>>();
    assert!(fates(&touched(10), NEW, 0).is_some());
    assert!(fates(&touched(11), NEW, 0).is_none());
    assert!(fates(&[], NEW, 0).is_none(), "a table that begins");
}

// spec: CKP-17
#[test]
fn small_sidecars_join_so_that_few_of_them_stand_and_no_file_is_written_often() {
    let mut all = table(30);
    let (mut written, mut most) = (0, 0);
    for _ in 0..1000 {
        let Some(fates) = fates(&all, NEW, 0) else { panic!("too early") };
        let absorbed: u64 = all.iter().zip(&fates).filter(|(_, f)| **f == Fate::Absorb).map(|(h, _)| h.facts.tally.files).sum();
        let mut kept: Vec<Held> = all.iter().zip(&fates).filter(|(_, f)| **f == Fate::Keep).map(|(h, _)| h.clone()).collect();
        kept.push(held(absorbed + 10, 0, false, 0));
        written += absorbed + 10;
        most = most.max(kept.iter().filter(|h| h.facts.tally.files < 4096).count());
        all = kept;
    }
    assert_eq!(all.iter().map(|h| h.facts.tally.files).sum::<u64>(), 30 * 4096 + 10_000);
    assert!(most <= 15, "{most} small sidecars");
    assert!(written <= 10_000 * 10, "{written} files written for 10,000 new ones");
}

// spec: CKP-17
#[test]
fn removed_files_are_forgotten_by_the_sidecar() {
    let mut all = table(10);
    all.push(held(0, 50, false, 0));
    assert_eq!(fates(&all, NEW, 99).unwrap()[10], Fate::Keep);
    assert_eq!(fates(&all, NEW, 100).unwrap()[10], Fate::Drop);
    assert_eq!(fates(&all, Fresh { files: 1, removed: 60 }, 99).unwrap()[10], Fate::Absorb);
}

// spec: CKP-16
#[test]
fn a_sidecar_is_a_small_share_of_a_large_table() {
    assert_eq!((sidecar_rows(0), sidecar_rows(1_000_000), sidecar_rows(4_000_000), sidecar_rows(1 << 40)), (4096, 4096, 15_625, 65_536));
}
