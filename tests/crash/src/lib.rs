//! A process that dies at one call of a port, and the next one that goes on over what the first one stored.
//!
//! - [`gate`] counts the calls, and ends the process before or after one of them
//! - [`sqlite`] the ports over a SQLite file behind the gate
//! - [`aws`] DynamoDB and SQS behind a gate that every request passes
//! - [`process`] the engine as a home assembles it, played by hand in time that only the test advances
//! - [`life`] an incident through the deaths of processes · [`story`] what is left of it · [`tally`] many lives, judged
//!
//! For one test only, `tests/every_port_call.rs`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    clippy::missing_panics_doc,
    clippy::missing_errors_doc,
    clippy::must_use_candidate,
    missing_debug_implementations,
    reason = "a helper of tests fails by panicking"
)]

pub mod aws;
pub mod gate;
pub mod life;
pub mod process;
pub mod sqlite;
pub mod story;
pub mod tally;
