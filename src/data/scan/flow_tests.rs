use super::*;
use futures::FutureExt;

// spec: DAT-12
#[tokio::test]
async fn files_beyond_the_first_enter_only_when_there_is_room() {
    let gate = Arc::new(Gate::new(MemoryBudget::new(100 << 10)));
    let first = gate.enter(40 << 10).await;
    let mut second = Box::pin(gate.enter(20 << 10));
    assert!(second.as_mut().now_or_never().is_none(), "half of the budget is all a scan may hold");
    let small = gate.enter(10 << 10).now_or_never().expect("there is room");
    drop(first);
    let second = second.now_or_never().expect("the first has left");
    drop((second, small));
    assert_eq!(gate.inside().bytes, 0);
}

// spec: DAT-12
#[tokio::test]
async fn waiting_files_do_not_stand_in_the_way_of_others() {
    let memory = MemoryBudget::new(100 << 10);
    let gate = Arc::new(Gate::new(memory.clone()));
    let _first = gate.enter(50 << 10).await;
    let mut second = Box::pin(gate.enter(50 << 10));
    assert!(second.as_mut().now_or_never().is_none());
    assert!(memory.reserve(50 << 10).now_or_never().is_some(), "whoever drains the scan can reserve the other half");
}

// spec: DAT-12
#[tokio::test]
async fn first_file_enters_however_large_it_is_and_however_little_is_free() {
    let memory = MemoryBudget::new(100 << 10);
    let gate = Arc::new(Gate::new(memory.clone()));
    assert!(gate.enter(u64::MAX).now_or_never().is_some());
    let all = memory.reserve(100 << 10).await;
    let first = gate.enter(1).now_or_never().expect("the first never waits");
    assert!(gate.enter(1).now_or_never().is_none(), "the second does");
    drop((first, all));
    assert!(gate.inside().bytes == 0 && memory.try_reserve(100 << 10).is_some());
}

// spec: DAT-12
#[test]
fn files_that_come_at_the_same_moment_do_not_share_one_room() {
    let gate = Arc::new(Gate::new(MemoryBudget::new(100 << 10)));
    let most = AtomicU64::new(0);
    std::thread::scope(|threads| {
        for _ in 0..4 {
            threads.spawn(|| {
                for _ in 0..5_000 {
                    let pass = gate.try_enter(20 << 10);
                    most.fetch_max(gate.inside().bytes, Ordering::Relaxed);
                    std::thread::yield_now();
                    drop(pass);
                }
            });
        }
    });
    let most = most.into_inner();
    assert!(most > 20 << 10 && most <= 50 << 10, "{most} bytes were inside at once");
}
