//! Pods of a Kubernetes cluster: the pod of a worker and its health, and restart by deletion.
//!
//! Start at [`Client`]. A worker that no pod matches is neither healthy nor unhealthy but not found; an API that does not respond is
//! [`crate::Error::Unavailable`], never a healthy pod.

mod access;
mod api;
mod client;
mod health;
mod model;
mod replacement;
mod restart;
mod transport;
mod worker;

pub use access::{BearerToken, EksAccess, TokenFault, TokenProvider};
pub use client::{Client, FoundPod, NamespaceNotAllowed, is_dns_label, is_dns_name};
pub use health::PodHealth;
pub use replacement::Replacement;
pub use restart::{Restart, RestartIntent};
pub use worker::WorkerSearch;

/// The name of the service in errors, metrics and breaker records.
pub const SERVICE: &str = "kubernetes";
