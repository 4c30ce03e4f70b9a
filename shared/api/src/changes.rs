//! Changes that people make to runs and to the kill switch.
//!
//! In one process the dispatcher's turn makes a change, and its outcome is known at once ([`Direct`]). On AWS only the dispatcher writes to
//! runs: the change is sent to it, and awaited in the run's log for a bounded time ([`Queued`]).

mod direct;
mod queued;
pub mod seen;

use async_trait::async_trait;
use heal_engine::RunId;
use heal_engine::event::RunStatus;
use heal_guard::Halt;
use heal_runtime::dispatcher::{DispatchError, IntakeOutcome, Prepared, SwitchOutcome};
use heal_runtime::message::Inbound;

pub use direct::Direct;
pub use queued::{Queued, SEEN_WITHIN};

/// What became of a change to a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangeOutcome {
    /// The run's log has the change.
    Changed {
        /// The run's status after the change.
        status: RunStatus,
    },
    /// The run is past this change, or had it already.
    Unchanged {
        /// The run's status.
        status: RunStatus,
    },
    /// The change was sent, and is not in the run's log yet. It is not lost: it takes effect once the dispatcher receives it.
    Sent {
        /// The run's status without the change.
        status: RunStatus,
    },
    /// A rule refuses the change.
    Refused {
        /// The rule, as a sentence.
        why: String,
    },
}

/// What became of an order to the kill switch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrderOutcome {
    /// The order was executed, or refused.
    Known(SwitchOutcome),
    /// The order was sent, and is not executed yet.
    Sent,
}

/// What became of a request to start a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StartOutcome {
    /// The dispatcher has taken the request.
    Taken(IntakeOutcome),
    /// The request was sent, and has no run yet.
    Sent {
        /// The run that it starts, unless it joins another one.
        run_id: RunId,
    },
    /// This home starts one run for one request, and the request is about several tickets.
    SeveralTickets,
}

/// A request to start a run.
#[derive(Debug)]
pub struct StartRequest {
    /// The request with its playbook.
    pub prepared: Prepared,
    /// The request as it came.
    pub text: String,
    /// W3C `traceparent` of the caller.
    pub traceparent: Option<String>,
    /// The identity of the caller, which may not approve the run.
    pub requested_by: Option<String>,
}

/// Makes changes in one home of the engine.
#[async_trait]
pub trait Changes: Send + Sync + 'static {
    /// Makes the change `input` to an existing run. The same change again changes nothing.
    ///
    /// # Errors
    /// The run does not exist, or it cannot be read or written; or the change cannot be sent.
    async fn change(&self, run_id: &RunId, input: Inbound) -> Result<ChangeOutcome, DispatchError>;

    /// Starts the run of a remediation request, or finds the one that it started before.
    ///
    /// # Errors
    /// The runs cannot be read or written; or the request cannot be sent.
    async fn start(&self, request: StartRequest) -> Result<StartOutcome, DispatchError>;

    /// Orders a halt.
    ///
    /// # Errors
    /// The halts cannot be read or written; or the order cannot be sent.
    async fn halt(&self, halt: &Halt) -> Result<OrderOutcome, DispatchError>;

    /// Ends the halt `id`, in the name of `by`.
    ///
    /// # Errors
    /// As [`Changes::halt`].
    async fn resume(&self, id: &str, by: &str) -> Result<OrderOutcome, DispatchError>;
}
