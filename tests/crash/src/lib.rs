//! A process that dies at one call of a port, and the next one that goes on over the same SQLite file.
//!
//! - [`gate`] counts the calls, and ends the process before or after one of them
//! - [`gated`] the ports over SQLite behind the gate
//! - [`process`] the engine as `heal serve` assembles it, played by hand in time that only the test advances
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

pub mod gate;
pub mod gated;
mod gated_rows;
pub mod life;
pub mod process;
