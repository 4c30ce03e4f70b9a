//! The stand-in platform: the services around the engine, on real loopback sockets, with a state to seed and read back
//! and faults to order.
//!
//! Not in any shipped binary but the command line's sandbox. It knows nothing of the engine: it speaks the wire alone.
//! Start at [`Platform`].
//!
//! - [`tickets`] the Execution Ticket Service, [`orchestrator`] the gRPC orchestrator, [`kubernetes`] the pod calls,
//!   [`opa`] the policy server
//! - every request passes the gateway: written to the [`journal`], met by a [`fault`] or performed
//! - [`seed`] the state to start from, `control` the same over HTTP, for another process
//! - [`spiffe_ca`] identities for mTLS, [`workload_api`] hands them out

mod clock;
mod connection;
mod control;
pub mod fault;
mod gateway;
pub mod journal;
mod json;
pub mod kubernetes;
mod lock;
pub mod opa;
pub mod orchestrator;
pub mod platform;
mod port;
mod replay;
pub mod seed;
mod service;
pub mod spiffe_ca;
pub mod tickets;
mod tls;
pub mod workload_api;

pub use fault::{Fault, FaultKind};
pub use gateway::REQUEST_BODY_LIMIT_BYTES;
pub use journal::{Call, Status};
pub use platform::{Endpoints, Platform, PlatformConfig, StartError};
pub use seed::Seed;
pub use service::Service;
pub use tls::{TlsError, TlsMaterial};
