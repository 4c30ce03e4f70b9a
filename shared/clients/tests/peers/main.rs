//! Peers that do harm: 40 calls of one at once end in their time, cost little memory, hold up no other work, and leave no connection behind.
//!
//! A program of its own, whose tests take turns: it measures its memory.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test may stop at the first surprise"
)]

mod frames;
mod grpc;
mod hostile;
mod http;
mod ordeal;
