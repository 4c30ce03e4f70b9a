//! The clients over real sockets: one binary, so that it is linked once.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test may stop at the first surprise"
)]

mod breaker;
mod checks;
mod config;
mod identity;
mod identity_secret;
mod identity_sources;
mod kubernetes;
mod kubernetes_access;
mod kubernetes_restart;
mod limits;
mod opa;
mod orchestrator;
mod orchestrator_faults;
mod platform;
mod policy;
mod support;
mod tickets;
mod tickets_changes;
mod tickets_dialect;
mod tickets_faults;
mod variables;
