//! Pods.

mod name;

pub use name::{is_dns_label, is_dns_name};
