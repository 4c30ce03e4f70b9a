//! The stand-in platform: the services around the engine on real loopback sockets, with state that can be seeded and
//! read back, and with faults to inject.
//!
//! It knows only the wire protocols, nothing of the engine. Of the shipped programs only `heal` contains it, for its
//! sandbox. Start at [`Platform`].
//!
//! - [`tickets`] the Execution Ticket Service, [`orchestrator`] the gRPC orchestrator, [`kubernetes`] the pod calls,
//!   [`opa`] the policy server
//! - every request passes the gateway: recorded in the [`journal`], then answered by a [`fault`] or performed
//! - [`seed`] the initial state; `control` seeds, reads and injects faults over HTTP
//! - [`spiffe_ca`] issues identities for mTLS, [`workload_api`] serves them to workloads
//! - [`PlatformConfig`] chooses between the guide's behaviour and that of the deployed services

#![warn(missing_docs)]

mod config;
mod connection;
mod control;
pub mod fault;
mod gateway;
pub mod journal;
pub mod kubernetes;
pub mod opa;
pub mod orchestrator;
mod platform;
mod port;
pub mod seed;
mod service;
mod services;
#[expect(clippy::disallowed_methods, reason = "certificates are issued for the wall clock")]
pub mod spiffe_ca;
mod state;
pub mod tickets;
mod tls;
mod wire;
pub mod workload_api;

pub use config::{Endpoints, PlatformConfig, StartError};
pub use fault::{Fault, FaultKind};
pub use gateway::REQUEST_BODY_LIMIT_BYTES;
pub use journal::{Call, Status};
pub use platform::Platform;
pub use seed::Seed;
pub use service::Service;
pub use tls::{TlsError, TlsMaterial};
