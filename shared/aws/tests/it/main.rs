//! AWS over real sockets, against a server of the tests' own: one binary, so that it is linked once.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test may stop at the first surprise"
)]

mod audit;
mod cluster;
mod contract;
mod cost;
mod environment;
mod faults;
mod garbage;
mod golden;
mod halts;
mod listing;
mod queues;
mod rooms;
mod secrets;
mod support;
mod token;
