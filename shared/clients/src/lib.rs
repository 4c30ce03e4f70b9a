//! The clients of the services around the engine: ticket service, orchestrator, policy, Kubernetes.
//!
//! One folder per service, each with a `Client` whose methods are the guide's. All of them give the same guarantees: a deadline
//! on every call, an error that separates "unavailable" from "refused" ([`Error`]), a cap on the bytes read, no proxy from the
//! environment, no redirect followed, and at most one immediate retry, only where it cannot apply a change twice.
//!
//! It deliberately has no metrics vendor (calls are reported to an [`Observer`]), and no AWS: secrets, signed tokens and the
//! shared breaker's store come in through small traits. Only [`port`] and [`checks`] implement the ports of `heal-runtime`.
//! Start at [`config`], then [`tickets`].

#![warn(missing_docs)]

#[expect(clippy::disallowed_methods, reason = "breakers share their state by wall time")]
pub mod breaker;
mod call;
pub mod checks;
pub mod config;
mod connect;
mod error;
#[expect(clippy::disallowed_methods, reason = "an identity expires by the wall clock")]
mod grpc;
#[expect(clippy::disallowed_methods, reason = "`Retry-After` is a wall time")]
mod http;
#[expect(clippy::disallowed_methods, reason = "an identity expires by the wall clock")]
pub mod identity;
#[expect(clippy::disallowed_methods, reason = "a token expires by the wall clock")]
pub mod kubernetes;
pub mod observe;
pub mod orchestrator;
mod own;
pub mod policy;
pub mod port;
#[expect(clippy::disallowed_methods, reason = "a reallocation is stamped with the wall time")]
pub mod tickets;

pub use call::{CallContext, Wiring};
pub use error::{Effect, Error, Misconfiguration, Outage, OutageKind, Refusal, RefusalKind};
pub use identity::IdentityProvider;
pub use observe::Observer;
