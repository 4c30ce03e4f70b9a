//! The real template with the real functions on a local AWS, with the stand-in platform as target. Tests send messages to the
//! queues and assert on the record of the run and on the state of the platform.
//!
//! All tests share one deployment, but for those of `platform`, whose services behave as the deployed ones. Each has its own tickets and workflows; a test that injects a fault runs alone.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test may stop at the first surprise"
)]

mod brakes;
mod checks;
mod console;
mod diagrams;
mod faults;
mod load;
mod messages;
mod notices;
mod platform;
mod rig;
mod shadow;
mod time;
