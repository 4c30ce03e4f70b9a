//! All ports of the engine over one SQLite database: event log, queues, claims, cooldowns, circuit breakers and check memory.
//!
//! A [`Store`] is one file, or memory. An acknowledged write is on the disk, so a killed process continues where it stood. Several
//! processes may open the same file, such as `heal serve` and `heal runs list`.
//!
//! One writer thread runs all waiting writes in one transaction with one disk sync (`pool`). A refused condition (a conflict, a claim
//! that another worker holds) is a value, and does not roll back its neighbours.
//!
//! A state file is one inode with one name, for its owner alone (`file`); whoever works on it has its lock, and checks it (`check`). While the
//! disk is full, runs wait (`disk`).
//!
//! The crate makes no decisions; [`heal_runtime::port`] documents what each call does. Start at [`Store`], then read the module `schema`
//! for the tables.

#![warn(missing_docs)]

mod autonomy;
mod breaker;
mod check;
mod checkpoints;
mod checks;
mod claims;
mod column;
mod copy;
mod disk;
mod error;
mod file;
mod garbage;
pub mod limit;
mod newest;
mod news;
mod open;
mod pack;
mod pool;
mod queue;
mod recover;
mod runs;
mod schema;
mod settlement;
mod store;
mod switches;

pub use check::{Examined, examine};
pub use copy::{Restored, back_up, restore};
pub use file::FileError;
pub use garbage::Collected;
pub use open::OpenError;
pub use recover::Recovered;
pub use store::{Location, Options, Store};
