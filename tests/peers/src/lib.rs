//! Peers that do harm, and what every client of ours is held to: 40 calls of one at once end in their time, cost little memory, hold up no other
//! work, and leave no connection behind. For tests only.
#![allow(
    missing_debug_implementations,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::wildcard_enum_match_arm,
    reason = "a test may stop at the first surprise"
)]

pub mod acts;
pub mod frames;
pub mod hostile;
pub mod ordeal;
