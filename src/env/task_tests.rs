use super::*;

#[test]
fn a_task_whose_runtime_ends_is_cancelled_and_not_a_defect() {
    let runtime = || tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().expect("a runtime");
    let (ending, waiting) = (runtime(), runtime());
    let inside = ending.enter();
    let task = Env::system().spawn(std::future::pending::<()>());
    drop(inside);
    drop(ending);
    assert_eq!(waiting.block_on(task).expect_err("stopped").code(), Code::CANCELLED);
}

#[tokio::test]
async fn a_task_that_panics_is_an_error_and_not_a_panic() {
    let error = Env::system().spawn(async { panic!("on purpose") }).await.expect_err("a panic");
    assert_eq!(error.code(), Code::INTERNAL);
}
