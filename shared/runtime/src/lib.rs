//! The drivers of the engine, over ports.
//!
//! [`port`] names what the drivers need from the outside, one trait each. [`dispatcher`] turns inputs of a run into committed events and sent
//! commands; [`attempt`] performs one command of one action; [`checks`] probes on a schedule and raises incidents; [`inbox`] gives every
//! delivered message its outcome; [`host`] runs all of it in one process. None of them knows which store, queue or clock it runs on.
//!
//! This crate deliberately has no adapters: `embedded` and `aws` implement the ports, `clients` reach the services.
//! Start reading at [`dispatcher`].

#![warn(missing_docs)]

pub mod action;
pub mod attempt;
pub mod audit;
pub mod checks;
pub mod dependencies;
pub mod dispatcher;
pub mod freeze;
pub mod halts;
pub mod host;
pub mod inbox;
pub mod library;
pub mod message;
pub mod observe;
pub mod port;
mod span;

pub use heal_engine::StoredCommit;
pub use heal_engine::catalog::{ActionSpec, Catalog, OutputType, Safety};
pub use heal_engine::event::{Commit, RunOutcome, RunStatus};
pub use heal_engine::format;
pub use heal_engine::id::{Digest, RunId, Seq, Token};
pub use heal_engine::message::{ActionCommand, ActionResult, AttemptOutcome, AttemptResult, Context, Violation};
pub use heal_engine::{Map, Timestamp, text};
