//! What a caller passes to every call, and what all clients of one process share.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use heal_runtime::port::BreakerStore;
use heal_runtime::traceparent;
use http::HeaderValue;
use tokio::time::Instant;

use crate::identity::{IdentityProvider, NoIdentity};
use crate::observe::{NoopObserver, Observer};

/// The caller's part of one call: its deadline, and the keys that identify its retries and its trace.
#[derive(Debug, Clone)]
pub struct CallContext {
    /// The same for every try of one change, so that a service can recognise a repeated call.
    pub idempotency_key: Option<String>,
    /// W3C `traceparent`; sent unchanged if spans are not exported.
    pub traceparent: Option<String>,
    /// When the caller stops waiting. The client's own timeout may end the call earlier.
    pub deadline: Instant,
}

impl CallContext {
    /// A call that must end by `deadline`.
    pub fn until(deadline: Instant) -> Self {
        Self { idempotency_key: None, traceparent: None, deadline }
    }

    /// A call that must end within `time` from now.
    pub fn within(time: Duration) -> Self {
        Self::until(Instant::now() + time)
    }

    /// Sets the idempotency key.
    #[must_use]
    pub fn with_key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }

    /// Sets the W3C `traceparent`.
    #[must_use]
    pub fn with_traceparent(mut self, traceparent: impl Into<String>) -> Self {
        self.traceparent = Some(traceparent.into());
        self
    }

    /// The `traceparent` to send: the current span's if spans are exported, else the caller's if it is one.
    pub(crate) fn outgoing_traceparent(&self) -> Option<String> {
        heal_telemetry::trace::current()
            .or_else(|| self.traceparent.clone().filter(|given| traceparent::is_valid(given)))
    }

    /// [`CallContext::outgoing_traceparent`] as a header; `None` if it is not a legal value: that must not fail the call.
    pub(crate) fn traceparent_header(&self) -> Option<HeaderValue> {
        match HeaderValue::from_str(&self.outgoing_traceparent()?) {
            Ok(value) => Some(value),
            Err(error) => {
                tracing::debug!(%error, "call.traceparent_dropped");
                None
            }
        }
    }

    /// When a call that starts now and may last `timeout` must end.
    pub(crate) fn limit(&self, timeout: Duration) -> Instant {
        self.deadline.min(Instant::now() + timeout)
    }
}

/// What the clients of one process share: the observer of their calls, the store of shared breaker state, and their identity.
#[derive(Clone)]
pub struct Wiring {
    /// Receives a report of every call.
    pub observer: Arc<dyn Observer>,
    /// Where breaker state is shared with other processes. `None` keeps it in this process alone.
    pub breaker_store: Option<Arc<dyn BreakerStore>>,
    /// The identity for mutual TLS with the orchestrator.
    pub identity: Arc<dyn IdentityProvider>,
}

impl fmt::Debug for Wiring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wiring").field("has_breaker_store", &self.breaker_store.is_some()).finish_non_exhaustive()
    }
}

impl Default for Wiring {
    fn default() -> Self {
        Self { observer: Arc::new(NoopObserver), breaker_store: None, identity: Arc::new(NoIdentity) }
    }
}
