//! The orchestrator's gRPC messages, and those of gRPC's own health service, with tonic clients (feature `client`) and servers
//! (feature `server`); and for the stand-in platform, the SPIFFE Workload API's (feature `workload-api`).
//!
//! Generated from the `.proto` files and checked in, so that no build needs a protobuf compiler; the test
//! `generated` makes it again and fails on a difference. No connection, deadline or identity is decided here.

#[allow(
    clippy::all,
    clippy::pedantic,
    missing_debug_implementations,
    unreachable_pub,
    reason = "generated"
)]
#[rustfmt::skip]
#[path = "gen/orchestrator.rs"]
mod orchestrator;

#[allow(
    clippy::all,
    clippy::pedantic,
    missing_debug_implementations,
    unreachable_pub,
    reason = "generated"
)]
#[rustfmt::skip]
#[path = "gen/health.rs"]
pub mod health;

#[cfg(feature = "workload-api")]
#[allow(
    clippy::all,
    clippy::pedantic,
    missing_debug_implementations,
    unreachable_pub,
    reason = "generated"
)]
#[rustfmt::skip]
#[path = "gen/workload.rs"]
pub mod workload;

pub use orchestrator::*;
