//! The time in which a run is held or waits for room. It counts for nothing: no deadline, wait or backoff moves on while it lasts.

use super::{Attempt, Pending, Phase, Question, State};
use crate::id::Seq;
use crate::message::Hold;
use crate::time::Timestamp;

/// A hold in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Since when time stands still.
    pub since: Timestamp,
    /// Who holds the run, and why.
    pub hold: Hold,
}

impl Held {
    /// What the index finds the run by: the halt's id, or the identity of the person who holds this run alone.
    pub fn holder(&self) -> &str {
        self.hold.halt.as_deref().unwrap_or(&self.hold.by)
    }
}

impl State {
    /// Holds the run from `at` on. A run that is held already keeps its moment, and has another holder.
    pub(crate) fn hold(&mut self, hold: Hold, at: Timestamp) {
        let since = self.held.as_ref().map_or(at, |held| held.since);
        self.held = Some(Held { since, hold });
    }

    /// Lets time go on at `at`, unless the run waits for room as well: then its admission does.
    pub(crate) fn release(&mut self, at: Timestamp) {
        if let Some(held) = self.held.take()
            && self.queued.is_none()
        {
            self.postpone(at.since_ms(held.since), at);
        }
    }

    /// Lets time go on at `at`, after the run has waited for room.
    pub(crate) fn admit(&mut self, at: Timestamp) {
        if let Some(queued_at) = self.queued.take() {
            self.admitted_at = Some(at);
            self.postpone(at.since_ms(queued_at), at);
        }
    }

    /// Everything that the run waits for comes later by as much as its time stood still.
    fn postpone(&mut self, held_ms: u64, at: Timestamp) {
        let seq = self.seq;
        self.deadline = self.deadline.plus_ms(held_ms);
        if self.phase == Phase::AwaitingApproval
            && let Some(question) = &mut self.run_question
        {
            question.postpone(held_ms, seq);
        }
        self.timers.clear();
        for (step, pending) in &mut self.pending {
            pending.postpone(held_ms, seq, at);
            if pending.has_timer() {
                self.timers.insert((pending.due_at(), *step));
            }
        }
    }
}

impl Pending {
    /// `seq` is the event that lets time go on at `now`: a wake-up that was sent before it comes too early.
    fn postpone(&mut self, by_ms: u64, seq: Seq, now: Timestamp) {
        match self {
            Self::Attempt(attempt) | Self::Answered(attempt, _) => attempt.postpone(by_ms),
            Self::Retry { since, due_at, attempt, .. } => {
                *since = seq;
                *due_at = due_at.plus_ms(by_ms);
                attempt.postpone(by_ms);
            }
            Self::Wait { since, until } => {
                *since = seq;
                *until = until.plus_ms(by_ms);
            }
            // It is due as soon as time goes on.
            Self::Held { at, attempt } => {
                *at = now;
                attempt.postpone(by_ms);
            }
            Self::Approval(question) => question.postpone(by_ms, seq),
        }
    }

    /// What has its answer waits for no moment.
    const fn has_timer(&self) -> bool {
        match self {
            Self::Answered(..) => false,
            Self::Approval(question) => question.is_open(),
            Self::Attempt(_) | Self::Retry { .. } | Self::Wait { .. } | Self::Held { .. } => true,
        }
    }
}

impl Question {
    /// As [`Pending::postpone`].
    fn postpone(&mut self, by_ms: u64, seq: Seq) {
        self.since = seq;
        self.at = self.at.plus_ms(by_ms);
        self.until = self.until.plus_ms(by_ms);
        if let Some(attempt) = &mut self.attempt {
            attempt.postpone(by_ms);
        }
    }
}

impl Attempt {
    fn postpone(&mut self, by_ms: u64) {
        for moment in [&mut self.started_at, &mut self.deadline, &mut self.first_started_at] {
            *moment = moment.plus_ms(by_ms);
        }
        // A worker compares `first_issued_at` with the time of a change that it finds, so that moment stays.
        self.held_ms = self.held_ms.saturating_add(by_ms);
    }
}
