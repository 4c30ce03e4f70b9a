//! The execution ticket service, in the two dialects of the fact sheet on wire contracts.
//!
//! Start at [`Client`]. A changing call carries the `Idempotency-Key` and `traceparent` of its [`crate::CallContext`].

mod batch;
mod client;
mod dialect;
mod path;
mod ticket;

pub use batch::{MAX_IN_FLIGHT, Reallocation, ReallocationRequest, key_suffix};
pub use client::Client;
pub use dialect::{Metadata, SOURCE};
pub use path::MAX_ID_BYTES;
pub use ticket::{Filter, Sla, Ticket, TicketList, TicketStatus, UnknownStatus};

/// The service's name in errors, metrics and breaker records.
pub const SERVICE: &str = "execution-ticket-service";
