//! The orchestrator over gRPC: pause, resume and replan workflows, and read their state.
//!
//! Start at [`Client`]. A changing call needs the idempotency key of its [`crate::CallContext`]: it is the `adjustment_id` on the
//! wire, the same for every try of an attempt, so the orchestrator recognises a repeated call.

mod client;
mod control;
mod model;
mod replan;
mod rpc;
pub(crate) mod status;

pub use client::Client;
pub use model::{
    Confirmation, Paused, Replanned, ReplanningTrigger, ResourceAllocation, Resumed, TicketSummary, UnknownTrigger,
    WorkflowEvent, WorkflowState, WorkflowStatus,
};
pub use replan::Replanning;

/// The service's name in errors, metrics and breaker records.
pub const SERVICE: &str = "orchestrator";
