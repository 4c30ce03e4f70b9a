//! How a call can fail. One type for all services, because the engine asks the same of each: may a later try succeed, may the
//! target have been changed, and when to retry.

use std::time::Duration;

use heal_runtime::trouble;

pub(crate) use heal_telemetry::text::{chain, one_line};

use crate::observe::CallOutcome;

/// Why a call failed.
///
/// `Unavailable` is an outage: the guide's fail-safe applies, and a later try may succeed. `Refused` is a final answer: a retry
/// changes nothing. `Misconfigured` needs a person: this process calls the wrong service, or in the wrong way. `Invalid` was never sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// An argument or a setting is unusable.
    #[error("{field}: {problem}")]
    Invalid {
        /// The argument, or the setting's variable.
        field: &'static str,
        /// Observed and expected.
        problem: String,
    },
    /// What answers is not the service that this process is configured for.
    #[error(transparent)]
    Misconfigured(Misconfiguration),
    /// The service answered, and the answer is final.
    #[error(transparent)]
    Refused(Refusal),
    /// The service did not answer, or cannot serve the call now.
    #[error(transparent)]
    Unavailable(Outage),
}

/// What answers is not the service that this process is configured for. Nothing took effect there, and no retry helps.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{service} does not fit {variable} (during {operation}): observed {observed}, expected {expected}")]
pub struct Misconfiguration {
    /// The service's name, such as [`crate::tickets::SERVICE`].
    pub service: &'static str,
    /// The call, such as `get_ticket`.
    pub operation: &'static str,
    /// The environment variable to correct, such as `EXECUTION_TICKET_SERVICE_API`.
    pub variable: &'static str,
    /// What the service showed of itself, such as the SPIFFE ID of its certificate.
    pub observed: String,
    /// What `variable` makes this process expect.
    pub expected: String,
}

/// The service answered, and the answer is final.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{service} {} {operation} ({code}): {message}", kind.verb())]
pub struct Refusal {
    /// The service's name, such as [`crate::tickets::SERVICE`].
    pub service: &'static str,
    /// The call, such as `get_ticket`.
    pub operation: &'static str,
    /// What a caller can tell apart.
    pub kind: RefusalKind,
    /// HTTP status or gRPC code name, as the service sent it.
    pub code: String,
    /// The service's own message if it sent one, or what is wrong with its answer; cut to [`LINE_CHARACTERS`](heal_telemetry::text::LINE_CHARACTERS).
    pub message: String,
    /// Whether the target may have been changed.
    pub effect: Effect,
}

/// The kind of a final answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// The target does not exist (`NOT_FOUND`, 404, 410).
    NotFound,
    /// The target's state forbids the call (`FAILED_PRECONDITION`, 409, 412).
    Precondition,
    /// The service rejected the request as malformed (`INVALID_ARGUMENT`, 400, 422).
    BadRequest,
    /// This process is not allowed to (`PERMISSION_DENIED`, `UNAUTHENTICATED`, 401, 403).
    Forbidden,
    /// The service redirected the call (3xx) to where it is not followed.
    Redirect,
    /// The answer cannot be used: wrong content type, size or shape.
    BadAnswer,
    /// The service answered with success, and its answer or the target does not show the change.
    NotApplied,
    /// Any other final answer.
    Other,
}

impl RefusalKind {
    fn verb(self) -> &'static str {
        match self {
            Self::BadAnswer => "sent an unusable answer to",
            Self::NotApplied => "did not apply",
            Self::NotFound | Self::Precondition | Self::BadRequest | Self::Forbidden | Self::Redirect | Self::Other => {
                "refused"
            }
        }
    }
}

/// The service did not answer, or answered that it cannot serve the call now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{service} is unavailable for {operation} ({}): {detail}", kind.as_str())]
pub struct Outage {
    /// The service's name, such as [`crate::tickets::SERVICE`].
    pub service: &'static str,
    /// The call, such as `get_ticket`.
    pub operation: &'static str,
    /// The cause.
    pub kind: OutageKind,
    /// How long to wait before the next try, if the service or the breaker named a time.
    pub retry_after: Option<Duration>,
    /// Whether the target may have been changed.
    pub effect: Effect,
    /// The cause in words, with the service's own message if it sent one.
    pub detail: String,
}

/// The cause of an outage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutageKind {
    /// No connection: refused, no route, unknown host, or a failed handshake.
    Connect,
    /// The connection broke before the answer was complete.
    Reset,
    /// The client's timeout or the caller's deadline expired.
    Timeout,
    /// Not tried: the caller's deadline had passed before.
    DeadlinePassed,
    /// The service failed at this call (500, or a gRPC code of the same meaning): the next target may be served.
    ServerError,
    /// Whatever was asked, it cannot be served now: 502, 503, 504 or `UNAVAILABLE`.
    NotServing,
    /// 429 or `RESOURCE_EXHAUSTED`.
    RateLimited,
    /// 408.
    RequestTimeout,
    /// `ABORTED`: the call conflicted with a concurrent one.
    Aborted,
    /// Not tried: the circuit breaker is open after too many failures.
    BreakerOpen,
    /// Not tried: the Workload API, file or secret provided no identity.
    NoIdentity,
    /// This process or its machine could not make the call: no descriptor, memory, buffer or port was free, or the disk was full. It says
    /// nothing about the service.
    OwnTrouble,
}

/// What the result of a call says about its service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lesson {
    /// It is up: it served the call, or refused it.
    Answers,
    /// Its connection failed, or it said that it serves nobody now.
    IsAway,
    /// It failed at this one call.
    FailedAtTarget,
    /// Nothing: the call was not made.
    Nothing,
}

impl OutageKind {
    /// Whether the connection could not be opened, or broke: worth one immediate retry if that cannot repeat an effect. After a timeout
    /// the retry would time out too.
    pub(crate) fn is_of_the_connection(self) -> bool {
        match self {
            Self::Connect | Self::Reset => true,
            Self::Timeout
            | Self::DeadlinePassed
            | Self::ServerError
            | Self::NotServing
            | Self::RateLimited
            | Self::RequestTimeout
            | Self::Aborted
            | Self::BreakerOpen
            | Self::NoIdentity
            | Self::OwnTrouble => false,
        }
    }

    fn lesson(self) -> Lesson {
        match self {
            Self::Connect | Self::Reset | Self::Timeout | Self::NotServing => Lesson::IsAway,
            Self::ServerError => Lesson::FailedAtTarget,
            Self::RateLimited | Self::RequestTimeout | Self::Aborted => Lesson::Answers,
            Self::DeadlinePassed | Self::BreakerOpen | Self::NoIdentity | Self::OwnTrouble => Lesson::Nothing,
        }
    }

    /// The name in error texts, such as `server_error`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Reset => "reset",
            Self::Timeout => "timeout",
            Self::DeadlinePassed => "deadline_passed",
            Self::ServerError => "server_error",
            Self::NotServing => "not_serving",
            Self::RateLimited => "rate_limited",
            Self::RequestTimeout => "request_timeout",
            Self::Aborted => "aborted",
            Self::BreakerOpen => "breaker_open",
            Self::NoIdentity => "no_identity",
            Self::OwnTrouble => "own_trouble",
        }
    }
}

/// Whether a failed call may have changed its target.
///
/// Only on `NotApplied` may the caller release a reservation that it made for the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Proven: the request did not reach the service, or the service refused it.
    NotApplied,
    /// The request was sent, and no answer tells whether it was applied.
    Unknown,
}

impl Outage {
    /// An error of kind `OwnTrouble` is noted for the attempt in whose course it happened: it is made again, and ends neither step nor run.
    pub(crate) fn into_error(self) -> Error {
        if self.kind == OutageKind::OwnTrouble {
            trouble::note(&self.detail);
        }
        Error::Unavailable(self)
    }
}

impl Error {
    /// Whether a later try may succeed.
    pub fn is_unavailable(&self) -> bool {
        match self {
            Self::Unavailable(_) => true,
            Self::Invalid { .. } | Self::Misconfigured(_) | Self::Refused(_) => false,
        }
    }

    /// Whether the service answered that the target does not exist.
    pub fn is_not_found(&self) -> bool {
        match self {
            Self::Refused(refusal) => refusal.kind == RefusalKind::NotFound,
            Self::Invalid { .. } | Self::Misconfigured(_) | Self::Unavailable(_) => false,
        }
    }

    /// Whether the target may have been changed.
    pub fn effect(&self) -> Effect {
        match self {
            Self::Invalid { .. } | Self::Misconfigured(_) => Effect::NotApplied,
            Self::Refused(refusal) => refusal.effect,
            Self::Unavailable(outage) => outage.effect,
        }
    }

    /// How long to wait before the next try, if the service or the breaker named a time.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Unavailable(outage) => outage.retry_after,
            Self::Invalid { .. } | Self::Misconfigured(_) | Self::Refused(_) => None,
        }
    }

    /// What the breaker learns from this error. A final answer is an answer; what was never sent says nothing.
    pub(crate) fn lesson(&self) -> Lesson {
        match self {
            Self::Unavailable(outage) => outage.kind.lesson(),
            Self::Misconfigured(_) | Self::Refused(_) => Lesson::Answers,
            Self::Invalid { .. } => Lesson::Nothing,
        }
    }

    pub(crate) fn outcome(&self) -> CallOutcome {
        match self {
            Self::Invalid { .. } | Self::Misconfigured(_) | Self::Refused(_) => CallOutcome::Refused,
            Self::Unavailable(_) => CallOutcome::Unavailable,
        }
    }
}
