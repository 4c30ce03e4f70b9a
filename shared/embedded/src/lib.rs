//! The whole backend in one SQLite database: event log, queues, claims, cooldowns, circuit breakers and states of checks.
//!
//! A [`Store`] is one file, or memory. What it has acknowledged is on the disk: a process may be killed at any moment and goes on where
//! it stood. Several processes may have the same file open, such as `heal serve` and `heal runs list`.
//!
//! Writes go through one thread, which takes all that are waiting, runs them in one transaction and syncs the disk once for all of them
//! (`lane`). A refused condition (a conflict, a claim that another worker holds) is a value and costs its neighbours nothing.
//!
//! It deliberately has no decision in it: the ports' documentation in [`heal_runtime::port`] says what each call does.
//! Start at [`Store`], then the module `schema` for what is stored.

mod breaker;
mod checks;
mod claims;
mod column;
mod fault;
mod garbage;
mod lane;
pub mod limit;
mod open;
mod queue;
mod recover;
mod runs;
mod schema;
mod store;

pub use garbage::Collected;
pub use open::OpenError;
pub use recover::Recovered;
pub use store::{Location, Options, Store};
