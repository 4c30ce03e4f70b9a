//! gRPC messages of the orchestrator, of gRPC's own health service and, for the stand-in platform, of the SPIFFE Workload API
//! (feature `workload-api`), with tonic clients (feature `client`) and servers (feature `server`).
//!
//! Generated from the `.proto` files and checked in, so that a build needs no protobuf compiler; the test `generated` generates the
//! code again and fails on a difference. This crate deliberately has no connections, deadlines or identities.

use tonic::Code;

pub use r#gen::health;
pub use r#gen::orchestrator::*;
#[cfg(feature = "workload-api")]
pub use r#gen::workload;

#[allow(
    clippy::all,
    clippy::pedantic,
    missing_debug_implementations,
    unreachable_pub,
    reason = "generated"
)]
#[rustfmt::skip]
mod r#gen {
    pub mod health;
    pub mod orchestrator;
    #[cfg(feature = "workload-api")]
    pub mod workload;
}

/// The name of a gRPC code as its documentation spells it, such as `UNAVAILABLE`.
pub fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
