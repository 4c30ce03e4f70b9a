//! The execution ticket service, in the two dialects of the fact sheet on wire contracts.
//!
//! Start at [`Client`]. A changing call carries the `Idempotency-Key` and `traceparent` of its [`crate::CallContext`].
//! [`Client::change_ticket`] is how an action changes a ticket: it succeeds only if the answer, or a read after it, shows the change.

mod batch;
mod change;
mod client;
mod diagnose;
mod dialect;
mod evidence;
mod exchange;
mod path;
mod ticket;

pub use batch::{MAX_IN_FLIGHT, Reallocation, ReallocationRequest, key_suffix};
pub use change::{Change, ChangeOutcome, TicketChange};
pub use client::{COUNTED_TICKETS, Client};
pub use dialect::{Metadata, SOURCE};
pub use evidence::{CLOCK_TOLERANCE_MS, Trace};
pub use path::MAX_ID_BYTES;
pub use ticket::{Filter, Sla, Ticket, TicketList, TicketStatus, UnknownStatus};

/// The service's name in errors, metrics and breaker records.
pub const SERVICE: &str = "execution-ticket-service";
