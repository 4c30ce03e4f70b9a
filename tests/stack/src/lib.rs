//! A local AWS for tests, and this project's stack on it.
//!
//! - [`MiniStack`] the local AWS as a process · [`table`] one table, made as the template makes it
//!
//! In no shipped binary.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::missing_panics_doc)]

mod ministack;
pub mod table;

pub use ministack::{ACCOUNT, ENV_ENDPOINT, MiniStack, MiniStackError, REGION, root};
