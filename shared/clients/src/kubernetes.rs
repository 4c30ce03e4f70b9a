//! Pods of a Kubernetes cluster: their health, and restart by deletion.
//!
//! Start at [`Client`]. A missing pod is unhealthy; an API that does not respond is [`crate::Error::Unavailable`], never a healthy pod.

mod access;
mod api;
mod client;
mod health;
mod model;
mod restart;
mod transport;

pub use access::{BearerToken, EksAccess, TokenFault, TokenProvider};
pub use client::{Client, is_dns_label, is_dns_name};
pub use health::PodHealth;
pub use restart::{PodRef, Restart};

/// The name of the service in errors, metrics and breaker records.
pub const SERVICE: &str = "kubernetes";
