//! The fault matrix: every shipped playbook under every fault of every service, and what came of it.
//!
//! - [`Scenario`] one incident for a shipped playbook, and when its target is well
//! - [`Fault`] one way in which a service fails, for the whole run or on the first change only
//! - [`run`] starts a stand-in platform per cell, runs the program `heal` against it and reads the facts back
//! - [`Matrix::violations`] the rules that every row has to keep, [`Matrix::document`] the page `docs/fault-matrix.md`
//!
//! For one test of `heal` only.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    missing_debug_implementations,
    reason = "a helper of tests fails by panicking"
)]

mod cell;
mod document;
mod facts;
mod fault;
mod front;
mod matrix;
mod playbook;
mod process;
mod rules;
mod scenario;
mod settings;
mod time;
mod world;

pub use cell::{Cell, Injection, Row};
pub use fault::{Extent, Fault};
pub use matrix::{Matrix, run};
pub use scenario::{Like, Scenario, seed};
