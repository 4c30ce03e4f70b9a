//! The engine at work: what it needs from the outside, and the drivers over it.
//!
//! [`port`] names what the outside has to provide, one trait each. [`dispatcher`] turns one input of a run into committed events and sent
//! commands; [`attempt`] performs one command of one action; [`checks`] looks on a schedule and raises incidents; [`host`] runs the first two
//! in one process. None knows which store, queue or clock it runs on.
//!
//! It deliberately has no adapter: `embedded` and `aws` implement the ports, `clients` reach the services.

pub mod action;
pub mod attempt;
pub mod checks;
pub mod dispatcher;
pub mod host;
pub mod inbox;
pub mod library;
pub mod observe;
pub mod port;
mod span;

pub use heal_engine::format;
pub use heal_engine::catalog::{ActionSpec, Catalog, OutputType, Safety};
pub use heal_engine::event::{Commit, RunOutcome, RunStatus};
pub use heal_engine::id::{Digest, RunId, Seq, Token};
pub use heal_engine::message::{ActionCommand, ActionResult, AttemptOutcome, AttemptResult, Context, Violation};
pub use heal_engine::{Map, Timestamp};
