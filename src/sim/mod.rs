//! The simulation of writers on a faulty store, and the defects that it must find. Test only.
//!
//! `world` enumerates every schedule of a few commit machines over an abstract log; `actors` runs whole transactions over a
//! fault-injecting store, one schedule a seed. A failing seed is printed; `LAKEBED_SEED=<n>` runs it alone.

mod actors;
pub(crate) mod build;
mod exhaustive;
mod faults;
mod laws;
mod oracle;
mod schedule;
mod seeded;
mod staging;
mod store;
mod world;

/// A defect that can be planted into the commit path, to prove that the simulation would find it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plant {
    /// "Exists" is read as "another writer won" although the commit that is there is ours.
    ExistsMeansLost,
    /// "Unknown" is reported as a failure.
    UnknownMeansFailed,
    /// After "exists" the next version is tried without a look at who won.
    BlindRetryNextVersion,
    /// After "exists" a conflict is reported without reading the version back.
    ExistsWithoutReadBack,
    /// After "unknown" the next version is tried.
    UnknownRetryNextVersion,
    /// Every attempt carries another transaction id.
    NewIdEachAttempt,
    /// Of several winners only the last one is judged.
    JudgeOnlyLastWinner,
    /// One conflict rule is not asked.
    SkipRule(&'static str),
    /// The in-commit timestamp is the clock's, whatever the commit before says.
    TimestampNotMonotone,
    /// The body of the first attempt is sent again at later versions.
    BodyNotStampedAgain,
    /// Retries are not bounded.
    NoBound,
    /// Giving up with an unsettled put is reported as "nothing landed".
    GiveUpAsKnown,
}
