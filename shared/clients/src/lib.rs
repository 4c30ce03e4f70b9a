//! Every call that the engine makes to a service around it: ticket service, orchestrator, policy, Kubernetes.
//!
//! One folder per service, each with a `Client` whose methods are the guide's. All of them keep the same promises: a deadline
//! on every call, an answer that says "out of reach" apart from "refused" ([`Error`]), a cap on what is read, no proxy from the
//! environment, no redirect followed, one immediate retry at most and only where it cannot do a thing twice.
//!
//! It deliberately has no metrics vendor ([`Observer`] is told what happened), and no AWS: secrets, signed tokens and the shared
//! breaker's store come in through small traits. What meets the ports of `runtime` is in [`port`] and [`checks`] alone.
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
