//! The unit in which events are written.

use serde::{Deserialize, Serialize};

use super::Event;
use crate::id::{Digest, RunId, Seq};
use crate::time::Timestamp;

/// One conditional write: all events that one accepted input caused.
///
/// `first_seq` guards the write: it is one more than the last sequence number that the writer has read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Commit {
    /// The run that the events belong to.
    pub run_id: RunId,
    /// Sequence number of the first event.
    pub first_seq: Seq,
    /// Names the input, so that a repeated write recognises its own first try.
    pub cause_id: String,
    /// When the events happened.
    pub at: Timestamp,
    /// Never empty; the event at index `i` has sequence number `first_seq + i`.
    pub events: Vec<Event>,
    /// The run's audit chain up to here, see [`mod@crate::chain`]; `None` in the logs of older builds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain: Option<Digest>,
}

impl Commit {
    /// Sequence number of the last event.
    pub fn last_seq(&self) -> Seq {
        self.first_seq + (self.events.len() as Seq).saturating_sub(1)
    }
}
