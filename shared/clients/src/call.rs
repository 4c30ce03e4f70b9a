//! What a caller gives to every call, and what all clients of one process share.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use heal_runtime::port::BreakerStore;
use http::HeaderValue;

use crate::identity::{IdentityProvider, NoIdentity};
use crate::observe::{NoopObserver, Observer};

/// The caller's side of one call: how long it may last, and what ties its tries together.
#[derive(Debug, Clone)]
pub struct CallContext {
    /// The same for every try of one attempt. Without it a changing call is never repeated by the client.
    pub idempotency_key: Option<String>,
    /// W3C `traceparent`, sent as it is where the call's own span goes nowhere.
    pub traceparent: Option<String>,
    /// When the caller stops listening. The client's own timeout may end the call earlier.
    pub deadline: Instant,
}

impl CallContext {
    /// A call that has to be over at `deadline`.
    pub fn until(deadline: Instant) -> Self {
        Self { idempotency_key: None, traceparent: None, deadline }
    }

    /// A call that has to be over `time` from now.
    pub fn within(time: Duration) -> Self {
        Self::until(Instant::now() + time)
    }

    #[must_use]
    pub fn with_key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }

    #[must_use]
    pub fn with_traceparent(mut self, traceparent: impl Into<String>) -> Self {
        self.traceparent = Some(traceparent.into());
        self
    }

    /// What the service is told of the trace: the current span where spans are exported, else what the caller gave.
    pub(crate) fn outgoing_traceparent(&self) -> Option<String> {
        heal_telemetry::trace::current().or_else(|| self.traceparent.clone())
    }

    /// [`CallContext::outgoing_traceparent`] as a header. A trace that cannot be continued is no reason not to heal.
    pub(crate) fn traceparent_header(&self) -> Option<HeaderValue> {
        match HeaderValue::from_str(&self.outgoing_traceparent()?) {
            Ok(value) => Some(value),
            Err(error) => {
                tracing::debug!(%error, "call.traceparent_dropped");
                None
            }
        }
    }

    /// The end of a call that starts now and may last `timeout`.
    pub(crate) fn limit(&self, timeout: Duration) -> Instant {
        self.deadline.min(Instant::now() + timeout)
    }
}

/// What the clients of one process share: who is told of their calls, where their breakers meet other processes, and who they are.
#[derive(Clone)]
pub struct Wiring {
    pub observer: Arc<dyn Observer>,
    /// `None` keeps breaker state in this process alone.
    pub breaker_store: Option<Arc<dyn BreakerStore>>,
    /// Needed for mutual TLS towards the orchestrator.
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
