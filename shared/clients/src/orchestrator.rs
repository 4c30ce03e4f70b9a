//! The orchestrator over gRPC: pause, resume, replan, change priorities, ask for the state.
//!
//! Start at [`Client`]. A changing call needs the idempotency key of its [`crate::CallContext`]: it is the `adjustment_id` on the
//! wire, the same for every try of an attempt, so that the orchestrator recognises a repetition.

mod adjust;
mod client;
mod control;
mod model;
mod rpc;
pub(crate) mod status;

pub use adjust::{PriorityAdjustment, Replanning};
pub use client::Client;
pub use model::{
    Confirmation, Paused, Prioritised, Replanned, ReplanningTrigger, ResourceAllocation, Resumed, TicketSummary,
    UnknownTrigger, WorkflowEvent, WorkflowState, WorkflowStatus,
};

/// The name of the service in errors, metrics and breaker records.
pub const SERVICE: &str = "orchestrator";
