//! The clients of the services around the engine: ticket service, orchestrator, policy, Kubernetes.
//!
//! One folder per service, each with a `Client` whose methods are the guide's. All of them give the same guarantees: a deadline
//! on every call, an error that separates "unavailable" from "refused" ([`Error`]), a cap on the bytes read, no proxy from the
//! environment, no redirect followed, and at most one immediate retry, only where it cannot apply a change twice.
//!
//! It deliberately has no metrics vendor (calls are reported to an [`Observer`]), and no AWS: secrets, signed tokens and the
//! shared breaker's store come in through small traits. Only [`port`] and [`checks`] implement the ports of `heal-runtime`.
//! Start at [`config`], then [`tickets`].

pub mod breaker;
mod call;
pub mod checks;
pub mod config;
mod error;
mod grpc;
mod http;
pub mod identity;
pub mod kubernetes;
pub mod observe;
pub mod orchestrator;
pub mod policy;
pub mod port;
pub mod tickets;

pub use breaker::SharedBreaker;
pub use call::{CallContext, Wiring};
pub use error::{Effect, Error, MAX_MESSAGE_CHARS, Outage, OutageKind, Refusal, RefusalKind};
pub use identity::IdentityProvider;
pub use observe::Observer;
