//! Decides what a run does next: folds its log of events into a state, and says which event and which commands follow.
//!
//! It deliberately has no I/O, no clock and no randomness: time, entropy and results are arguments. Equal arguments give equal answers on
//! every machine, so a run can be folded again from its log. Reading the files that people write is not its job either.
//!
//! Start at [`turn`]: it takes one input, and gives the events to commit. Behind it, [`apply`] folds one event into the [`State`],
//! [`advance`] gives the next event that follows without an input, and [`decide`] gives the commands to send. [`mod@format`] says how
//! everything that is stored or sent survives a change of this crate.

#![warn(missing_docs)]

pub mod advance;
pub mod apply;
pub mod autonomy;
pub mod catalog;
pub mod chain;
pub mod check;
pub mod decide;
pub mod event;
pub mod format;
pub mod gate;
pub mod id;
pub mod incident;
pub mod limit;
pub mod message;
pub mod notice;
pub mod plan;
pub mod planted;
pub mod playbook;
pub mod report;
pub mod schema;
pub mod secret;
pub mod severity;
pub mod state;
pub mod suggest;
pub mod template;
pub mod text;
pub mod time;
pub mod traceparent;
pub mod turn;

pub use apply::Error as ApplyError;
pub use chain::StoredCommit;
pub use decide::Command;
pub use event::Event;
pub use id::{Digest, RunId, Seq, StepRef, Token};
pub use plan::{Error as PlanError, Plan};
pub use state::State;
pub use time::Timestamp;

/// A JSON object, with its keys in order.
pub type Map = serde_json::Map<String, serde_json::Value>;
