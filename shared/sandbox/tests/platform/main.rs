//! The stand-in platform over real sockets: each behaviour of each service, each fault, the control port, mTLS.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm
)]

mod control;
mod deployed;
mod faults;
mod kubernetes;
mod mtls;
mod opa;
mod orchestrator;
mod start;
mod support;
mod tickets;
mod workload_api;
