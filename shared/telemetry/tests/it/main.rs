//! Telemetry as its receivers get it: a collector over a real socket, a scrape, `CloudWatch`'s lines.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test may stop at the first surprise"
)]

mod embedded;
mod faults;
mod otlp;
mod scrape;
mod secrets;
mod support;
