//! A local AWS for tests, and this project's stack on it.
//!
//! - [`MiniStack`] the local AWS as a process · [`table`] a table with the schema of the template
//! - [`Deployment`] the real template with the real functions, and the stand-in platform as their target
//! - [`proxy`] stands between the functions and the local AWS; [`meter`] counts their requests there · [`runtime_api`] a Lambda Runtime API that times one function
//!
//! For tests and benchmarks only.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::missing_panics_doc)]

mod deployment;
pub mod meter;
mod ministack;
pub mod proxy;
pub mod runtime_api;
pub mod table;

pub use deployment::{Contents, Deployment, STACK};
pub use ministack::{ACCOUNT, ENV_ENDPOINT, MiniStack, MiniStackError, REGION, root};
