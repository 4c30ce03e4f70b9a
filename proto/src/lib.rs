//! gRPC messages of the orchestrator, of gRPC's own health service and, for the stand-in platform, of the SPIFFE Workload API
//! (feature `workload-api`), with tonic clients (feature `client`) and servers (feature `server`).
//!
//! Generated from the `.proto` files and checked in, so that a build needs no protobuf compiler; the test `generated` generates the
//! code again and fails on a difference. This crate deliberately has no connections, deadlines or identities.

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
