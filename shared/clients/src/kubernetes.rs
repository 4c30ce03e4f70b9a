//! Pods: whether one is well, and its restart by deletion.
//!
//! Start at [`Client`]. A missing pod is unhealthy; an API that does not answer is [`crate::Error::Unavailable`], never healthy.

mod access;
mod api;
mod client;
mod health;
mod model;
mod name;
mod restart;
mod transport;

pub use access::{BearerToken, EksAccess, TokenFault, TokenProvider};
pub use client::Client;
pub use health::PodHealth;
pub use name::{is_dns_label, is_dns_name};
pub use restart::{PodRef, Restart};

/// The name of the service in errors, metrics and breaker records.
pub const SERVICE: &str = "kubernetes";
