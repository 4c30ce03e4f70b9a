//! Follow-ups as people and scripts read them.

use serde::Serialize;

use crate::event::{Commit, Event};
use crate::id::RunId;
use crate::state::FollowUps;
use crate::state::follow_up::{Done, full_id};
use crate::time::Timestamp;

/// One thing that a run leaves for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FollowUp {
    /// Unique over all runs: what `heal followups done` takes.
    pub id: String,
    /// What is to be done, in one sentence.
    pub text: String,
    /// The step that left it; `None` if the run as a whole did.
    pub step: Option<String>,
    /// When the run left it.
    pub at: Timestamp,
    /// When it was reported as done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub done_at: Option<Timestamp>,
    /// Who reported it as done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub done_by: Option<String>,
    /// What this person added.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl FollowUp {
    /// Whether nobody has reported it as done.
    pub const fn is_open(&self) -> bool {
        self.done_at.is_none()
    }
}

/// The follow-ups of the run, in its order.
pub(super) fn list(run_id: &RunId, follow_ups: &FollowUps) -> Vec<FollowUp> {
    let entry = |entry: crate::state::follow_up::FollowUp| {
        let done = follow_ups.done(&entry.id);
        FollowUp {
            id: full_id(run_id, &entry.id),
            text: entry.text,
            step: entry.step,
            at: entry.at,
            done_at: done.map(|done| done.at),
            done_by: done.map(|done| done.by.clone()),
            note: done.and_then(|done| done.note.clone()),
        }
    };
    follow_ups.entries().into_iter().map(entry).collect()
}

/// The only follow-up of a message that was rejected with `reason`, and whether its log says that it was done.
pub fn of_rejection(reason: &str, at: Timestamp, commits: &[Commit]) -> FollowUps {
    let mut follow_ups = FollowUps::default();
    follow_ups.add(None, format!("correct the message and send it again: {reason}"), at);
    for commit in commits {
        for event in &commit.events {
            if let Event::FollowUpDone { id, by, note } = event {
                follow_ups.mark_done(id, Done { at: commit.at, by: by.clone(), note: note.clone() });
            }
        }
    }
    follow_ups
}
