//! The pure heart: what a playbook says, where a run stands, what is owed next.
//!
//! It deliberately has no I/O, no clock and no randomness: time, entropy and answers are arguments.
//! The same arguments give the same answer on every machine, so a run can be folded again from its log.
//!
//! Start at [`turn`]: it takes one input, and gives the events to commit and the commands owed afterwards.
//! [`apply`](apply::apply) folds events into a [`State`], [`advance`](advance::next) says what follows without outside help,
//! [`decide`](decide::decide) says what has to be sent.

pub mod advance;
pub mod apply;
pub mod catalog;
pub mod check;
pub mod command;
pub mod decide;
pub mod event;
pub mod format;
pub mod id;
pub mod incident;
pub mod limit;
pub mod message;
pub mod plan;
pub mod playbook;
pub mod report;
pub mod state;
pub mod suggest;
pub mod template;
pub mod text;
pub mod time;
pub mod turn;

pub use apply::ApplyError;
pub use command::Command;
pub use event::Event;
pub use id::{Digest, RunId, Seq, StepRef, Token};
pub use plan::Plan;
pub use state::State;
pub use time::Timestamp;

/// A JSON object, keys in order.
pub type Map = serde_json::Map<String, serde_json::Value>;
