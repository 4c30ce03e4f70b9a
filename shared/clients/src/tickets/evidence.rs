//! What a ticket shows of a change: whether it took effect, judged from the ticket before and after, without any call.

use heal_runtime::Timestamp;

use super::ticket::{Ticket, TicketStatus};

/// How far the service's clock and the engine's may differ, in milliseconds.
pub const CLOCK_TOLERANCE_MS: u64 = 5_000;

/// What a change is to bring about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Goal<'a> {
    pub status: TicketStatus,
    /// Whether the ticket has to leave its worker, and the ticket says which worker it has.
    pub leaves_worker: bool,
    /// The id of the reallocation in the ticket's record; `None` if the change leaves no record there.
    pub record: Option<&'a str>,
}

/// What a ticket, read after a call whose answer does not prove the change, shows of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// The change happened.
    Change,
    /// The ticket went on meanwhile: another worker has it, or it ended. Whether the change happened or not, it is over.
    MovedOn,
    /// The ticket is exactly as before.
    Unchanged,
    /// The ticket is neither as before nor as the change leaves it, or has nothing that would show a change.
    Unclear,
}

/// What a ticket says of a change that a worker, which died, may have made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trace {
    /// The change happened, or the ticket is as it leaves it.
    Done,
    /// The change did not happen, may be asked for again under its key, or cannot be needed any more.
    NotDone,
    /// The ticket does not say; the text says what it shows.
    Unclear(String),
}

impl Goal<'_> {
    /// Whether `ticket` is as the change leaves it; `before` is the ticket before, if it was read.
    pub fn is_met(&self, before: Option<&Ticket>, ticket: &Ticket) -> bool {
        let previous = before.and_then(|before| before.assigned_worker.as_ref());
        let has_left = match (&ticket.assigned_worker, previous) {
            (Some(worker), Some(previous)) => worker != previous,
            (Some(_), None) => before.is_some(),
            (None, _) => true,
        };
        ticket.known_status() == Some(self.status) && (has_left || !self.leaves_worker)
    }

    pub fn shown(&self, before: &Ticket, after: &Ticket) -> Shown {
        let is_as_before = is_same(before, after);
        let (was_met, is_met) = (self.is_met(None, before), self.is_met(Some(before), after));
        let is_recorded = self.is_recorded(after) && !self.is_recorded(before);
        if (is_met && !(was_met && is_as_before)) || (is_recorded && has_moved_on(before, after)) {
            Shown::Change
        } else if is_as_before && (was_met || is_telling(before)) {
            Shown::Unchanged
        } else if has_moved_on(before, after) {
            Shown::MovedOn
        } else {
            Shown::Unclear
        }
    }

    /// What `ticket` says without the ticket before. `issued_at` is when the change was ordered: a ticket that was last changed before that
    /// has not been changed by it. `is_recognised` says that the service keeps a record of reallocations, and recognises a repeated call by
    /// its idempotency key: then whatever is not seen to be done can be asked for again.
    pub fn trace(&self, ticket: &Ticket, issued_at: Timestamp, is_recognised: bool) -> Trace {
        if self.is_recorded(ticket) || self.is_met(None, ticket) {
            return Trace::Done;
        }
        let is_older = |changed: u64| changed.saturating_add(CLOCK_TOLERANCE_MS) < issued_at.0;
        if ticket.is_terminal() || is_recognised || ticket.last_change_ms().is_some_and(is_older) {
            return Trace::NotDone;
        }
        Trace::Unclear(format!("ticket {:?} is {}", ticket.ticket_id, ticket.describe()))
    }

    fn is_recorded(&self, ticket: &Ticket) -> bool {
        self.record.is_some() && ticket.reallocation_id() == self.record
    }
}

/// Whether nothing that a change or a worker would touch differs.
fn is_same(before: &Ticket, after: &Ticket) -> bool {
    before.status.eq_ignore_ascii_case(&after.status)
        && before.assigned_worker == after.assigned_worker
        && before.started_at == after.started_at
        && before.retry_count == after.retry_count
        && before.updated_at() == after.updated_at()
        && before.reallocation_id() == after.reallocation_id()
}

/// Whether a ticket has a field that differs after it was reallocated and taken by a worker again.
fn is_telling(ticket: &Ticket) -> bool {
    ticket.assigned_worker.is_some() || ticket.started_at.is_some() || ticket.updated_at().is_some()
}

/// Whether the ticket ended, or a worker started it anew.
fn has_moved_on(before: &Ticket, after: &Ticket) -> bool {
    let is_taken = after.known_status() == Some(TicketStatus::Running)
        && ((after.assigned_worker.is_some() && after.assigned_worker != before.assigned_worker)
            || (after.started_at.is_some() && after.started_at != before.started_at));
    is_taken || (after.is_terminal() && !before.is_terminal())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn ticket(fields: &Value) -> Ticket {
        let mut wire = json!({"ticket_id": "t"});
        wire.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        serde_json::from_value(wire).unwrap()
    }

    /// A reallocation in the guide's dialect.
    const REALLOCATION: Goal<'_> =
        Goal { status: TicketStatus::Pending, leaves_worker: true, record: Some("run/step") };
    /// A reallocation in the other dialect, or a status update.
    const TO_PENDING: Goal<'_> = Goal { status: TicketStatus::Pending, leaves_worker: false, record: None };

    #[test]
    fn a_ticket_on_its_worker_shows_what_became_of_its_reallocation() {
        let before = ticket(&json!({"status": "RUNNING", "assigned_worker": "w-1", "started_at": 7}));
        let record = json!({"reallocation_id": "run/step"});
        for (after, expected) in [
            (json!({"status": "PENDING", "assigned_worker": null, "started_at": 7}), Shown::Change),
            (json!({"status": "PENDING", "assigned_worker": "w-2", "started_at": 7}), Shown::Change),
            (json!({"status": "PENDING", "assigned_worker": "w-1", "started_at": 7}), Shown::Unclear),
            (json!({"status": "RUNNING", "assigned_worker": "w-1", "started_at": 7}), Shown::Unchanged),
            (json!({"status": "running", "assigned_worker": "w-1", "started_at": 7, "priority": 1}), Shown::Unchanged),
            (json!({"status": "RUNNING", "assigned_worker": "w-1", "started_at": 7, "updated_at": 9}), Shown::Unclear),
            (
                json!({"status": "RUNNING", "assigned_worker": "w-1", "started_at": 7, "metadata": record}),
                Shown::Unclear,
            ),
            (json!({"status": "RUNNING", "assigned_worker": "w-2", "started_at": 9}), Shown::MovedOn),
            (json!({"status": "RUNNING", "assigned_worker": "w-1", "started_at": 9}), Shown::MovedOn),
            (json!({"status": "RUNNING", "assigned_worker": "w-2", "metadata": record}), Shown::Change),
            (json!({"status": "COMPLETED", "assigned_worker": "w-1", "started_at": 7}), Shown::MovedOn),
            (json!({"status": "FAILED", "assigned_worker": "w-1", "started_at": 7}), Shown::Unclear),
            (json!({"status": "PARKED", "assigned_worker": "w-1", "started_at": 7}), Shown::Unclear),
        ] {
            assert_eq!(REALLOCATION.shown(&before, &ticket(&after)), expected, "{after}");
        }
    }

    #[test]
    fn without_workers_the_tickets_times_tell() {
        let before = ticket(&json!({"status": "RUNNING", "started_at": 7}));
        for (after, expected) in [
            (json!({"status": "RUNNING", "started_at": 7}), Shown::Unchanged),
            (json!({"status": "RUNNING", "started_at": 9}), Shown::MovedOn),
            (json!({"status": "RUNNING", "started_at": 7, "updated_at": 9}), Shown::Unclear),
            (json!({"status": "PENDING", "started_at": 7}), Shown::Change),
        ] {
            assert_eq!(TO_PENDING.shown(&before, &ticket(&after)), expected, "{after}");
        }
        let silent = ticket(&json!({"status": "RUNNING"}));
        assert_eq!(TO_PENDING.shown(&silent, &silent), Shown::Unclear, "nothing would show a change");
    }

    #[test]
    fn a_ticket_that_waited_before_proves_nothing_by_waiting() {
        let before = ticket(&json!({"status": "PENDING"}));
        assert_eq!(REALLOCATION.shown(&before, &before), Shown::Unchanged);
        let touched = ticket(&json!({"status": "PENDING", "updated_at": 9}));
        assert_eq!(REALLOCATION.shown(&before, &touched), Shown::Change);
    }

    #[test]
    fn a_trace_is_clear_only_with_a_proof() {
        let issued_at = Timestamp(100_000);
        let unclear = |fields: &Value| matches!(TO_PENDING.trace(&ticket(fields), issued_at, false), Trace::Unclear(_));
        let trace = |fields: &Value| TO_PENDING.trace(&ticket(fields), issued_at, false);
        assert_eq!(trace(&json!({"status": "PENDING"})), Trace::Done);
        assert_eq!(trace(&json!({"status": "COMPLETED"})), Trace::NotDone);
        assert_eq!(trace(&json!({"status": "RUNNING", "started_at": 94_999})), Trace::NotDone);
        assert!(unclear(&json!({"status": "RUNNING", "started_at": 100_000 - CLOCK_TOLERANCE_MS})));
        assert!(unclear(&json!({"status": "RUNNING", "started_at": 101_000})));
        assert!(unclear(&json!({"status": "FAILED", "started_at": 1})));
        assert!(unclear(&json!({"status": "RUNNING"})));

        let taken = ticket(&json!({"status": "RUNNING", "assigned_worker": "w-2", "started_at": 101_000}));
        assert_eq!(REALLOCATION.trace(&taken, issued_at, true), Trace::NotDone, "a kept record would show it");
        assert!(matches!(REALLOCATION.trace(&taken, issued_at, false), Trace::Unclear(_)));
        let metadata = json!({"reallocation_id": "run/step"});
        let recorded = ticket(&json!({"status": "RUNNING", "assigned_worker": "w-2", "metadata": metadata}));
        assert_eq!(REALLOCATION.trace(&recorded, issued_at, true), Trace::Done);
    }
}
