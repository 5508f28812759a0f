//! What can go wrong with a request.

/// A fault of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Refused before anything happened, and the answer says so.
    Refused,
    /// The request got lost; the writer sees a time-out.
    RequestLost,
    /// It was done, and the answer got lost.
    AnswerLost,
    /// It was done, the answer got lost inside the client, which asked again and hears "exists" about its own object.
    SentTwice,
    /// A failed condition (412), although nothing is there.
    Busy,
    /// "Exists", although nothing is there: another request was under way (409).
    InFlight,
    /// Too many requests (429); nothing was done, but the answer does not say so.
    Throttled,
    /// The service is unavailable (503); the same.
    Unavailable,
    /// The writer sees a time-out; the request arrives at some later time.
    ArrivesLate,
    /// The writer dies before the request is sent.
    Crash,
    /// The writer dies after it was done.
    CrashAfter,
}

impl Fault {
    pub(crate) const OF_PUTS: &[Fault] = &[
        Fault::Refused,
        Fault::RequestLost,
        Fault::AnswerLost,
        Fault::SentTwice,
        Fault::Busy,
        Fault::ArrivesLate,
        Fault::Crash,
        Fault::CrashAfter,
    ];
    /// Of requests to a real store; a crash is not the request's.
    pub(crate) const OF_REQUESTS: &[Fault] = &[
        Fault::Refused,
        Fault::RequestLost,
        Fault::AnswerLost,
        Fault::SentTwice,
        Fault::Busy,
        Fault::InFlight,
        Fault::Throttled,
        Fault::Unavailable,
        Fault::ArrivesLate,
    ];
    pub(crate) const OF_LOST_PUTS: &[Fault] = &[Fault::Refused, Fault::RequestLost, Fault::Crash];
    /// For looks at the log, `RequestLost` stands for every failure.
    pub(crate) const OF_LOOKS: &[Fault] = &[Fault::RequestLost, Fault::Crash];
}
