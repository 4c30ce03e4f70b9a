//! The time that a person has to approve a run, and when the run reminds of it.

use super::{Phase, State};
use crate::limit;
use crate::time::Timestamp;

impl State {
    /// The next reminder: its moment, and the percentage of the time that has passed then. `None` without a wait for approval, or after
    /// the last reminder.
    pub(crate) fn next_reminder(&self) -> Option<(Timestamp, u32)> {
        self.reminders().next()
    }

    /// The last reminder whose moment has come. Those before it are left out: an engine that was away reminds once.
    pub(crate) fn due_reminder(&self, now: Timestamp) -> Option<u32> {
        self.reminders().take_while(|(at, _)| *at <= now).last().map(|(_, percent)| percent)
    }

    fn reminders(&self) -> impl Iterator<Item = (Timestamp, u32)> {
        let awaits = self.phase == Phase::AwaitingApproval && self.stopping.is_none();
        let (started_at, time_ms) = (self.started_at, self.deadline.since_ms(self.started_at));
        let reminded = self.reminded_percent;
        let percentages = limit::APPROVAL_REMINDERS_PERCENT.into_iter().filter(move |percent| *percent > reminded);
        let at = move |percent: u32| (started_at.plus_ms(time_ms / 100 * u64::from(percent)), percent);
        percentages.filter(move |_| awaits).map(at)
    }
}
