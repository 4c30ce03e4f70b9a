//! The clients as the ports of `runtime`, and what every action needs between an attempt and a client's call.
//!
//! - [`context`] gives a call its deadline, key and trace; [`call_failed`] is the attempt's result of a call that failed
//! - [`pod_marks`] and [`ticket_marks`] are what the rules of scope read
//! - [`Workflows`] is what the actions on one workflow share

mod attempt;
mod marks;
mod workflow;

pub use attempt::{
    CALL_MARGIN_MS, CONFIRMATION_RESERVE_MS, Manual, call_failed, context, failed, left_open,
    reserve_time_for_confirmation,
};
pub use marks::{pod_marks, ticket_marks};
pub use workflow::Workflows;
