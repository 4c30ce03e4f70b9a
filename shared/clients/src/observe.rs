//! Reports of the clients' calls, so that metrics can be attached without the clients depending on a metrics vendor.

use std::fmt::Debug;
use std::time::Duration;

use crate::breaker;

/// Receives a report after every call. Every method defaults to doing nothing; an implementation must not block.
pub trait Observer: Debug + Send + Sync {
    /// A ticket's reallocation was requested, alone or in a batch (`self_healing_ticket_reallocation_total` and `…_duration_seconds`).
    fn ticket_reallocation(&self, _outcome: CallOutcome, _reason: &str, _took: Duration) {}

    /// `self_healing_ticket_status_update_total`; `new_status` is the wire value.
    fn ticket_status_update(&self, _outcome: CallOutcome, _new_status: &str) {}

    /// `self_healing_orchestrator_calls_total` and `…_call_duration_seconds`; `operation` as in the span names.
    fn orchestrator_call(&self, _operation: &'static str, _outcome: CallOutcome, _took: Duration) {}

    /// `self_healing_opa_validation_total`; `result` is `allow`, `deny` or `unavailable`, `source` names who decided.
    fn opa_validation(&self, _action: &str, _result: &'static str, _source: &'static str, _took: Duration) {}

    /// The state of the breaker of `service`, at each call and each change.
    fn breaker_state(&self, _service: &'static str, _state: breaker::State) {}
}

/// How a call ended, as a metric label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallOutcome {
    /// The call returned what was requested.
    Success,
    /// A final answer, or an argument that could not be sent.
    Refused,
    /// The service did not answer, or cannot serve the call now.
    Unavailable,
}

impl CallOutcome {
    /// The label's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Refused => "refused",
            Self::Unavailable => "unavailable",
        }
    }

    pub(crate) fn from_result<T>(result: &Result<T, crate::Error>) -> Self {
        match result {
            Ok(_) => Self::Success,
            Err(error) => error.outcome(),
        }
    }
}

/// Ignores every report.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoopObserver;

impl Observer for NoopObserver {}
