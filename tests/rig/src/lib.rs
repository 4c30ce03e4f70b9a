//! What the tests of every action stand on: one worker over the stand-in platform and ports in memory, and the log lines of a test.
//!
//! A dev-dependency of the actions, and of nothing else. Start at [`rig::Rig`].
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    clippy::missing_errors_doc,
    clippy::new_without_default,
    missing_debug_implementations,
    reason = "a helper of tests fails by panicking"
)]

pub mod canary;
pub mod logs;
pub mod process;
pub mod rig;
