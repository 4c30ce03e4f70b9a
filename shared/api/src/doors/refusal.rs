//! Refusals: what the caller reads, what is counted, and at most one line a second in the log.

use std::sync::Arc;
use std::sync::Mutex;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use heal_engine::Timestamp;
use heal_runtime::port::Clock;
use heal_telemetry::metrics::{Id, Metrics};

use crate::problem::Problem;

/// The shortest time between two log lines about refusals, in milliseconds.
const LOG_EVERY_MS: u64 = 1_000;
/// Seconds after which a caller that was too fast may try again.
const RETRY_AFTER_SECONDS: &str = "1";

/// The label values of the metric of refusals.
pub use heal_telemetry::metrics::values::REFUSALS as REASONS;

/// Which door refused a request or a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The request names a host that this server does not have.
    Host,
    /// Another site's page sent the request.
    Origin,
    /// The request would change something, and its body is not JSON.
    ContentType,
    /// Nobody is identified as the caller.
    NoIdentity,
    /// The credentials are wrong, expired or revoked.
    Credentials,
    /// The caller's role does not allow the request.
    Role,
    /// The peer or the caller sends too many requests.
    Rate,
    /// Too many requests are in flight.
    Busy,
    /// There are too many connections in all.
    Connections,
    /// There are too many connections from this peer.
    PeerConnections,
}

impl Reason {
    /// The label value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Origin => "origin",
            Self::ContentType => "content_type",
            Self::NoIdentity => "no_identity",
            Self::Credentials => "credentials",
            Self::Role => "role",
            Self::Rate => "rate",
            Self::Busy => "busy",
            Self::Connections => "connections",
            Self::PeerConnections => "peer_connections",
        }
    }

    const fn status(self) -> StatusCode {
        match self {
            Self::Host => StatusCode::MISDIRECTED_REQUEST,
            Self::Origin | Self::Role => StatusCode::FORBIDDEN,
            Self::ContentType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::NoIdentity | Self::Credentials => StatusCode::UNAUTHORIZED,
            Self::Rate => StatusCode::TOO_MANY_REQUESTS,
            Self::Busy | Self::Connections | Self::PeerConnections => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// A request that a door refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub reason: Reason,
    /// For the caller and the log: no secret is in it.
    pub message: String,
}

impl Refusal {
    pub(crate) fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = self.reason.status();
        let mut response = Problem::new(status, self.message).into_response();
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if status == StatusCode::TOO_MANY_REQUESTS {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_SECONDS));
        }
        response
    }
}

/// Counts and logs refusals.
#[expect(missing_debug_implementations, reason = "ports are behaviour, there is nothing to print")]
pub struct Refusals {
    metrics: Metrics,
    clock: Arc<dyn Clock>,
    logged: Mutex<Logged>,
}

#[derive(Debug, Default)]
struct Logged {
    at: Option<Timestamp>,
    /// Refusals since then that have no line of their own.
    omitted: u64,
}

impl Refusals {
    /// With the metrics of this process.
    pub fn new(metrics: Metrics, clock: Arc<dyn Clock>) -> Self {
        Self { metrics, clock, logged: Mutex::default() }
    }

    /// Counts a refusal; logs it unless another one was logged within the last second.
    pub fn note(&self, reason: Reason, message: &str) {
        self.metrics.count(Id::ApiRefused, &[reason.as_str()]);
        if let Some(omitted) = self.take_line(self.clock.now()) {
            tracing::warn!(reason = reason.as_str(), omitted, "refused: {message}");
        }
    }

    /// The number of refusals without a line, if there may be a line now.
    fn take_line(&self, now: Timestamp) -> Option<u64> {
        let mut logged = self.logged.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if logged.at.is_some_and(|at| now.since_ms(at) < LOG_EVERY_MS) {
            logged.omitted += 1;
            return None;
        }
        logged.at = Some(now);
        Some(std::mem::take(&mut logged.omitted))
    }
}

#[cfg(test)]
mod tests {
    use heal_runtime::port::SystemClock;

    use super::*;

    #[test]
    fn one_line_a_second_says_how_many_it_stands_for() {
        let refusals = Refusals::new(Metrics::silent(), Arc::new(SystemClock));
        let lines = [0, 1, 999, 1_000, 1_001, 5_000].map(|at| refusals.take_line(Timestamp(at)));
        assert_eq!(lines, [Some(0), None, None, Some(2), None, Some(1)]);
    }

    #[test]
    fn every_reason_is_a_value_of_the_metric() {
        let all = [
            Reason::Host,
            Reason::Origin,
            Reason::ContentType,
            Reason::NoIdentity,
            Reason::Credentials,
            Reason::Role,
            Reason::Rate,
            Reason::Busy,
            Reason::Connections,
            Reason::PeerConnections,
        ];
        assert_eq!(all.map(Reason::as_str).as_slice(), REASONS);
    }
}
