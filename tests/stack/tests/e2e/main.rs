//! The real template with the real functions, deployed onto a local AWS before a stand-in platform: messages go in at the queue, and what is
//! looked at is the record and what happened to the platform.
//!
//! One deployment for all tests. Each has tickets and workflows of its own; those that take a service away have it to themselves.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test may stop at the first surprise"
)]

mod checks;
mod diagrams;
mod faults;
mod load;
mod messages;
mod rig;
mod time;
