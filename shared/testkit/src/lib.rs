//! Test support for the crates that implement or use the ports of `heal-runtime`. A dev-dependency only: no shipped binary contains it.
//!
//! - [`contract`]: one suite of cases per port, run over every backend alike
//! - [`memory`]: fakes of the ports, with a manual clock and planned faults
//! - [`scripted`]: workers whose actions do what a test says
//! - [`storm`]: many incidents at once, and what became of them
//!
//! The stand-in services live in `heal-sandbox`, which ships inside `heal`.

#![warn(missing_docs)]

pub mod contract;
pub mod memory;
pub mod scripted;
pub mod storm;
