// `#[tokio::test]` waits for the test; the bans of `clippy.toml` are for the library.
#![allow(clippy::disallowed_methods)]

use super::*;
use lakebed::Code;
use std::collections::VecDeque;
use std::sync::Mutex;

/// A log that gives these outcomes in turn, and then never answers.
#[derive(Debug)]
struct Script(Mutex<VecDeque<PutOutcome>>);

#[async_trait]
impl LogStore for Script {
    fn list(&self, _: Version) -> BoxStream<'_, lakebed::Result<LogFile>> {
        stream::empty().boxed()
    }
    async fn read(&self, _: &LogFile) -> lakebed::Result<Bytes> {
        Ok(Bytes::new())
    }
    async fn read_commit(&self, _: Version) -> lakebed::Result<Option<Bytes>> {
        Ok(None)
    }
    async fn put_commit(&self, _: Version, _: Bytes) -> PutOutcome {
        let next = self.0.lock().expect("no panic before").pop_front();
        match next {
            Some(outcome) => outcome,
            None => future::pending().await,
        }
    }
}

fn log(stop: &Stop, outcomes: Vec<PutOutcome>) -> Arc<dyn LogStore> {
    let script: Arc<dyn LogStore> = Arc::new(Script(Mutex::new(outcomes.into())));
    stop.log(&script)
}

fn body() -> Bytes {
    Bytes::from_static(b"{\"commitInfo\":{\"txnId\":\"t-1\"}}\n{\"add\":{}}\n")
}

fn unknown() -> PutOutcome {
    PutOutcome::Unknown(Error::cancelled("no answer"))
}

fn failed() -> PutOutcome {
    PutOutcome::Failed(Error::cancelled("refused"))
}

/// Version of the newest landed commit and of the unsettled one, as far as the run knows them.
fn known(stop: &Stop) -> (Option<u64>, Option<u64>) {
    let commits = stop.commits.borrow();
    (commits.landed.map(|v| v.0), commits.unsettled.as_ref().map(|put| put.version.0))
}

#[tokio::test]
async fn work_that_is_broken_off_while_a_put_is_unsettled_says_that_the_commit_may_have_landed() {
    let stop = Stop::new();
    let log = log(&stop, vec![]);
    let signalled = stop.clone();
    let outcome = stop.run(async {
        // The grace of writers is not waited for here: the put is what the signal finds.
        let put = log.put_commit(Version(7), body());
        let signal = async { signalled.asked.send_replace(true) };
        let (_, _) = future::join(put, signal).await;
        Ok(())
    });
    let failure = outcome.await.expect_err("it was interrupted");
    assert_eq!(failure.exit_code(), 3);
    let put = Put { version: Version(7), txn_id: Some("t-1".to_owned()) };
    assert!(matches!(failure, Failure::Interrupted(Commits { landed: None, unsettled: Some(found) }) if found == put));
}

#[tokio::test]
async fn a_put_is_settled_by_created_by_failed_and_by_turning_to_another_version() {
    let stop = Stop::new();
    let log = log(&stop, vec![failed(), PutOutcome::Created, unknown(), failed(), PutOutcome::Exists, unknown()]);
    let mut seen = Vec::new();
    for version in [0, 0, 1, 1, 1, 2] {
        log.put_commit(Version(version), body()).await;
        seen.push(known(&stop));
    }
    let landed = Some(0);
    assert_eq!(seen, [(None, None), (landed, None), (landed, Some(1)), (landed, Some(1)), (landed, Some(1)), (landed, Some(2))]);
}

#[tokio::test]
async fn after_a_signal_no_put_is_made_and_what_was_known_stays() {
    let stop = Stop::new();
    let log = log(&stop, vec![PutOutcome::Created, unknown(), PutOutcome::Created]);
    log.put_commit(Version(0), body()).await;
    log.put_commit(Version(1), body()).await;
    stop.asked.send_replace(true);
    // The same version again: the put before may still arrive.
    for (version, expected) in [(1, (Some(0), Some(1))), (2, (Some(0), None))] {
        let outcome = log.put_commit(Version(version), body()).await;
        assert!(matches!(outcome, PutOutcome::Failed(e) if e.code() == Code::CANCELLED));
        assert_eq!(known(&stop), expected);
    }
    let failure = stop.interrupted();
    assert_eq!(failure.exit_code(), 130);
    assert!(matches!(failure, Failure::Interrupted(Commits { landed: Some(Version(0)), unsettled: None })));
}
