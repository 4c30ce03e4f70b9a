//! How a call can end badly. One type for all services, because the engine asks the same three questions of each.

use std::time::Duration;

pub(crate) use heal_telemetry::text::{chain, one_line};

use crate::observe::CallOutcome;

/// A call without the answer that was asked for.
///
/// `Unavailable` is an outage: the fail-safe of the guide applies and a later try may succeed. `Refused` is an answer: trying
/// again changes nothing. `Invalid` never left this process.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// An argument cannot be sent.
    #[error("{field}: {problem}")]
    Invalid { field: &'static str, problem: String },
    #[error(transparent)]
    Refused(Refusal),
    #[error(transparent)]
    Unavailable(Outage),
}

/// The service answered, and the answer is final.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{service} refused {operation} ({code}): {message}")]
pub struct Refusal {
    pub service: &'static str,
    pub operation: &'static str,
    pub kind: RefusalKind,
    /// HTTP status or gRPC code name, as it came.
    pub code: String,
    /// The service's own words where it had any, cut to [`MAX_MESSAGE_CHARS`].
    pub message: String,
    pub effect: Effect,
}

/// What kind of final answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    NotFound,
    /// The target is in a state that forbids the call (`FAILED_PRECONDITION`, 409, 412).
    Precondition,
    /// The service found the request wrong (`INVALID_ARGUMENT`, 400, 422).
    BadRequest,
    /// Not allowed to (`PERMISSION_DENIED`, `UNAUTHENTICATED`, 401, 403).
    Forbidden,
    /// The service wanted the call somewhere else; redirects are not followed.
    Redirect,
    /// An answer that cannot be read: content type, size or shape.
    BadAnswer,
    Other,
}

/// The service did not answer, or said that it cannot just now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{service} is unavailable for {operation} ({}): {detail}", kind.as_str())]
pub struct Outage {
    pub service: &'static str,
    pub operation: &'static str,
    pub kind: OutageKind,
    /// The earliest time to try again, where the service or the breaker named one.
    pub retry_after: Option<Duration>,
    pub effect: Effect,
    pub detail: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutageKind {
    /// No connection: refused, no route, no such host, no handshake.
    Connect,
    /// The connection ended before the answer did.
    Reset,
    /// The client's timeout or the caller's deadline.
    Timeout,
    /// 5xx, or a gRPC code of the same meaning.
    ServerError,
    /// 429 or `RESOURCE_EXHAUSTED`.
    RateLimited,
    /// 408.
    RequestTimeout,
    /// `ABORTED`: the call met another one.
    Aborted,
    /// Not tried: too many failures before this one.
    BreakerOpen,
    /// No identity to call with: the Workload API, file or secret gave none.
    NoIdentity,
    /// Somebody else answers there: the server has no valid certificate, or not the expected identity.
    Untrusted,
}

impl OutageKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Reset => "reset",
            Self::Timeout => "timeout",
            Self::ServerError => "server_error",
            Self::RateLimited => "rate_limited",
            Self::RequestTimeout => "request_timeout",
            Self::Aborted => "aborted",
            Self::BreakerOpen => "breaker_open",
            Self::NoIdentity => "no_identity",
            Self::Untrusted => "untrusted",
        }
    }
}

/// Whether the target may have been touched by a call that failed.
///
/// A reservation made for the call may be given back only on `NotApplied`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Proven: the request did not get there, or was turned down.
    NotApplied,
    /// Sent, and no answer says what became of it.
    Unknown,
}

/// Characters of a service's message that are kept.
pub const MAX_MESSAGE_CHARS: usize = heal_telemetry::text::LINE_CHARACTERS;

impl Error {
    /// Whether a later try may succeed.
    pub fn is_unavailable(&self) -> bool {
        match self {
            Self::Unavailable(_) => true,
            Self::Invalid { .. } | Self::Refused(_) => false,
        }
    }

    pub fn is_not_found(&self) -> bool {
        match self {
            Self::Refused(refusal) => refusal.kind == RefusalKind::NotFound,
            Self::Invalid { .. } | Self::Unavailable(_) => false,
        }
    }

    pub fn effect(&self) -> Effect {
        match self {
            Self::Invalid { .. } => Effect::NotApplied,
            Self::Refused(refusal) => refusal.effect,
            Self::Unavailable(outage) => outage.effect,
        }
    }

    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Unavailable(outage) => outage.retry_after,
            Self::Invalid { .. } | Self::Refused(_) => None,
        }
    }

    /// Whether the breaker counts it. An answer never counts, not even 408 or 429: who answers is there.
    pub(crate) fn is_failure_of_the_service(&self) -> bool {
        match self {
            Self::Unavailable(outage) => match outage.kind {
                OutageKind::Connect | OutageKind::Reset | OutageKind::Timeout | OutageKind::ServerError => true,
                OutageKind::RateLimited
                | OutageKind::RequestTimeout
                | OutageKind::Aborted
                | OutageKind::BreakerOpen
                | OutageKind::NoIdentity
                | OutageKind::Untrusted => false,
            },
            Self::Invalid { .. } | Self::Refused(_) => false,
        }
    }

    pub(crate) fn outcome(&self) -> CallOutcome {
        match self {
            Self::Invalid { .. } | Self::Refused(_) => CallOutcome::Refused,
            Self::Unavailable(_) => CallOutcome::Unavailable,
        }
    }
}
