//! The clients as the ports of `runtime`, and what every action needs between an attempt and a client's call.
//!
//! - [`StoredBreaker`] lets breakers meet in any [`heal_runtime::port::BreakerStore`]
//! - [`context`] gives a call its deadline, key and trace; [`ended`] says what a call that did not work means for its attempt
//! - [`Memo`] keeps what an action's `facts` read for its `perform`

mod attempt;
mod breaker;
mod memo;

pub use attempt::{CALL_MARGIN_MS, LOOK_RESERVE_MS, Manual, context, ended, failed, reserve_time_for_confirmation};
pub use breaker::StoredBreaker;
pub use memo::{MEMO_ENTRIES, Memo};
