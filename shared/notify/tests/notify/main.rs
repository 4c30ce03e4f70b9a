//! Every channel over a real server, and the notifier over the ports in memory.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    missing_docs
)]

mod channels;
mod digests;
mod notifier;
mod rig;
mod server;
mod smtp;
mod support;
