//! Test support for the crates that implement or use the ports of `heal-runtime`. A dev-dependency only: no shipped binary contains it.
//!
//! - [`contract`]: one suite of cases per port, run over every backend alike
//! - [`memory`]: fakes of the ports, with a clock to set and faults to order
//!
//! The stand-in services live in `heal-sandbox`, which ships inside `heal`.

pub mod contract;
pub mod memory;
