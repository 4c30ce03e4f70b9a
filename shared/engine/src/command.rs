//! What a run owes the world, in the imperative. Commands come out of committed state only.

use crate::id::{Seq, StepRef};
use crate::message::ActionCommand;
use crate::time::Timestamp;

/// One thing to be sent. Sending it twice is safe: its receiver recognises it.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Ask an action to perform one attempt.
    Perform {
        /// The event that authorised it.
        since: Seq,
        step: StepRef,
        command: Box<ActionCommand>,
    },
    /// Look at the run again at `at`, or soon after.
    Wake {
        /// The event that asked for it.
        since: Seq,
        at: Timestamp,
    },
}

impl Command {
    /// Sequence number of the event that this command follows from.
    pub const fn since(&self) -> Seq {
        match self {
            Self::Perform { since, .. } | Self::Wake { since, .. } => *since,
        }
    }
}
