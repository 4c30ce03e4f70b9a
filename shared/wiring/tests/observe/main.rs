//! Metrics of the drivers and the clients, as a scrape reads them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test may stop at the first surprise"
)]

mod attempts;
mod calls;
mod rig;
mod runs;
