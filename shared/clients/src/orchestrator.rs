//! The orchestrator over gRPC: pause, resume and replan workflows, and read their state.
//!
//! Start at [`Client`]. A changing call needs the idempotency key of its [`crate::CallContext`]: it is the `adjustment_id` on the
//! wire, so the orchestrator recognises a repeated call. A call that was sent and ended with an error or without an answer may have been
//! applied; [`crate::Error::effect`] says which.

mod client;
mod control;
mod model;
mod replan;
mod rpc;
pub(crate) mod status;
mod trigger;

pub use client::Client;
pub use model::{
    Confirmation, Paused, Replanned, ResourceAllocation, Resumed, TicketSummary, WorkflowEvent, WorkflowState,
    WorkflowStatus,
};
pub use replan::Replanning;
pub use trigger::{ReplanningTrigger, UnknownTrigger};

/// The service's name in errors, metrics and breaker records.
pub const SERVICE: &str = "orchestrator";
