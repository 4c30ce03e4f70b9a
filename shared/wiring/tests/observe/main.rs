//! What the drivers and the clients tell, as a scrape reads it.

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
