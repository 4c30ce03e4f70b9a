//! A local AWS for tests, and this project's stack on it.
//!
//! - [`MiniStack`] the local AWS as a process · [`table`] one table, made as the template makes it
//! - [`Deployment`] the real template with the real functions on it, before a stand-in platform
//! - [`meter`] what the functions ask of AWS, counted · [`runtime_api`] the platform's side of one function, timed
//!
//! In no shipped binary.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::missing_panics_doc)]

mod deployment;
pub mod meter;
mod ministack;
pub mod runtime_api;
pub mod table;

pub use deployment::{Deployment, STACK};
pub use ministack::{ACCOUNT, ENV_ENDPOINT, MiniStack, MiniStackError, REGION, root};
