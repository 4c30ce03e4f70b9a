//! A change of one ticket that is believed only if the answer, or a read after it, shows it.

use serde_json::Value;
use tokio::time::Instant;
use tracing::{Instrument as _, Span};

use super::SERVICE;
use super::client::Client;
use super::dialect::{self, Metadata};
use super::evidence::{Goal, Shown, Trace};
use super::ticket::{Ticket, TicketStatus};
use crate::call::CallContext;
use crate::config::Dialect;
use crate::error::{Effect, Error, OutageKind, Refusal, RefusalKind};
use crate::observe::CallOutcome;
use heal_runtime::Timestamp;

/// What is to change of a ticket.
#[derive(Debug, Clone, Copy)]
pub enum Change<'a> {
    /// Back to the queue: `PENDING`, without its worker.
    Reallocate {
        /// Why, for the ticket's record and the metrics.
        reason: &'a str,
    },
    /// Another status.
    SetStatus {
        /// The new status.
        status: TicketStatus,
        /// The ticket's result, if one is given.
        result: Option<&'a Value>,
    },
}

/// A change of one ticket, with the ticket as it was read just before.
#[derive(Debug, Clone, Copy)]
pub struct TicketChange<'a> {
    /// What is to change.
    pub change: Change<'a>,
    /// The ticket before.
    pub before: &'a Ticket,
    /// For the ticket's record.
    pub metadata: &'a Metadata,
}

/// How a change ended.
#[derive(Debug, Clone, PartialEq)]
pub enum ChangeOutcome {
    /// The answer shows the change.
    Done(Box<Ticket>),
    /// The answer does not show it, the ticket, read afterwards, does.
    Seen {
        /// The ticket afterwards.
        ticket: Box<Ticket>,
        /// What became of the answer.
        cause: Error,
    },
    /// The ticket went on meanwhile: another worker has it, or it ended. The change happened or is obsolete, and must not be repeated.
    MovedOn {
        /// The ticket afterwards.
        ticket: Box<Ticket>,
        /// What became of the answer.
        cause: Error,
    },
    /// The change did not happen; after a timeout, as far as the ticket shows. The error's effect says which.
    NotDone(Error),
    /// The change may have happened, and must not be repeated.
    Open {
        /// What became of the answer.
        cause: Error,
        /// What a read of the ticket showed, or why it failed.
        seen: String,
    },
}

impl Client {
    /// Makes a change under `changing`, and reads the ticket under `reading` if the answer does not show the change.
    ///
    /// Repeats the call once, under the same idempotency key, if the connection broke and the ticket is exactly as before. The caller has
    /// checked that the ticket may be changed at all.
    pub async fn change_ticket(
        &self,
        change: &TicketChange<'_>,
        changing: &CallContext,
        reading: &CallContext,
    ) -> ChangeOutcome {
        let first = match self.change_once(change, changing, reading).await {
            ChangeOutcome::NotDone(error) if is_lost(&error) && Instant::now() < changing.deadline => error,
            outcome @ (ChangeOutcome::Done(_)
            | ChangeOutcome::Seen { .. }
            | ChangeOutcome::MovedOn { .. }
            | ChangeOutcome::NotDone(_)
            | ChangeOutcome::Open { .. }) => return outcome,
        };
        tracing::debug!(service = SERVICE, ticket_id = change.before.ticket_id, error = %first, "call.repeated");
        match self.change_once(change, changing, reading).await {
            // The repetition was not sent, and its error would hide the cause.
            ChangeOutcome::NotDone(Error::Unavailable(second))
                if matches!(second.kind, OutageKind::BreakerOpen | OutageKind::DeadlinePassed) =>
            {
                ChangeOutcome::NotDone(first)
            }
            outcome @ (ChangeOutcome::Done(_)
            | ChangeOutcome::Seen { .. }
            | ChangeOutcome::MovedOn { .. }
            | ChangeOutcome::NotDone(_)
            | ChangeOutcome::Open { .. }) => outcome,
        }
    }

    /// What `ticket` says of a change that was ordered at `issued_at` under `key` by a worker that died.
    pub fn trace(&self, ticket: &Ticket, change: Change<'_>, key: &str, issued_at: Timestamp) -> Trace {
        self.goal(change, Some(key)).trace(ticket, issued_at, self.keeps_records())
    }

    /// Whether the service keeps the metadata of a change in the ticket's record, and recognises a repeated call by its idempotency key, as the
    /// guide's dialect does.
    pub fn keeps_records(&self) -> bool {
        match self.dialect {
            Dialect::Guide => true,
            Dialect::StatusPatch => false,
        }
    }

    async fn change_once(
        &self,
        change: &TicketChange<'_>,
        changing: &CallContext,
        reading: &CallContext,
    ) -> ChangeOutcome {
        let TicketChange { change, before, metadata } = *change;
        let ticket_id = before.ticket_id.as_str();
        let cause = match self.call(change, ticket_id, Some(before), metadata, changing).await {
            Ok(ticket) => return ChangeOutcome::Done(Box::new(ticket)),
            Err(error) if error.effect() == Effect::NotApplied => return ChangeOutcome::NotDone(error),
            Err(error) => error,
        };
        let after = match self.fetch(ticket_id, reading).await {
            Ok(after) => Box::new(after),
            Err(error) => return ChangeOutcome::Open { cause, seen: format!("reading the ticket failed: {error}") },
        };
        let record = metadata.get("reallocation_id").and_then(Value::as_str);
        let goal = self.goal(change, record.or(changing.idempotency_key.as_deref()));
        match goal.shown(before, &after) {
            Shown::Change => ChangeOutcome::Seen { ticket: after, cause },
            Shown::MovedOn => ChangeOutcome::MovedOn { ticket: after, cause },
            Shown::Unchanged => ChangeOutcome::NotDone(unchanged(cause, &after)),
            Shown::Unclear => {
                let seen = format!("the ticket was {} and is {}", before.describe(), after.describe());
                ChangeOutcome::Open { cause, seen }
            }
        }
    }

    /// One call, with its span and metrics. An answer that does not show the change is an error with unknown effect.
    pub(super) async fn call(
        &self,
        change: Change<'_>,
        ticket_id: &str,
        before: Option<&Ticket>,
        metadata: &Metadata,
        context: &CallContext,
    ) -> Result<Ticket, Error> {
        let key = context.idempotency_key.as_deref();
        let goal = self.goal(change, key);
        match change {
            Change::Reallocate { reason } => {
                let started = Instant::now();
                let span =
                    tracing::info_span!("self_healing.reallocate_ticket", ticket_id, outcome = tracing::field::Empty);
                let metadata = dialect::reallocation_metadata(metadata, reason, key);
                let wire = dialect::reallocate(self.dialect, reason, &metadata);
                let answer = self.send("reallocate_ticket", ticket_id, wire, context).instrument(span.clone()).await;
                let result = answer.and_then(|ticket| met(goal, "reallocate_ticket", before, ticket));
                self.observer.ticket_reallocation(record(&span, &result), reason, started.elapsed());
                result
            }
            Change::SetStatus { status, result } => {
                let span = tracing::info_span!(
                    "self_healing.update_ticket_status",
                    ticket_id,
                    status = status.as_str(),
                    outcome = tracing::field::Empty
                );
                let metadata = dialect::status_update_metadata(metadata);
                let wire = dialect::update_status(self.dialect, status, result, &metadata);
                let answer = self.send("update_ticket_status", ticket_id, wire, context).instrument(span.clone()).await;
                let result = answer.and_then(|ticket| met(goal, "update_ticket_status", before, ticket));
                self.observer.ticket_status_update(record(&span, &result), status.as_str());
                result
            }
        }
    }

    /// `record` is the id that the change leaves in the ticket's record if it is a reallocation.
    fn goal<'a>(&self, change: Change<'_>, record: Option<&'a str>) -> Goal<'a> {
        match change {
            Change::Reallocate { .. } => {
                Goal { status: TicketStatus::Pending, leaves_worker: self.keeps_records(), record }
            }
            Change::SetStatus { status, .. } => Goal { status, leaves_worker: false, record: None },
        }
    }
}

/// The ticket of an answer that shows the change.
fn met(goal: Goal<'_>, operation: &'static str, before: Option<&Ticket>, ticket: Ticket) -> Result<Ticket, Error> {
    // Without the ticket before, whether it left its worker is not known.
    let goal = Goal { leaves_worker: goal.leaves_worker && before.is_some(), ..goal };
    if goal.is_met(before, &ticket) {
        return Ok(ticket);
    }
    let leaving = if goal.leaves_worker { " without its worker" } else { "" };
    let message = format!(
        "the answer shows ticket {:?} {}, expected {}{leaving}",
        ticket.ticket_id,
        ticket.describe(),
        goal.status
    );
    Err(Error::Refused(Refusal {
        service: SERVICE,
        operation,
        kind: RefusalKind::NotApplied,
        code: "2xx".to_owned(),
        message,
        effect: Effect::Unknown,
    }))
}

/// The error of a call after which the ticket is exactly as before: it is proven not to have happened, unless it may still be under way.
fn unchanged(cause: Error, after: &Ticket) -> Error {
    match cause {
        Error::Unavailable(mut outage) => {
            if outage.kind != OutageKind::Timeout {
                outage.effect = Effect::NotApplied;
            }
            Error::Unavailable(outage)
        }
        Error::Refused(mut refusal) => {
            refusal.message = format!("{}; read afterwards, the ticket is {}", refusal.message, after.describe());
            Error::Refused(Refusal { kind: RefusalKind::NotApplied, effect: Effect::NotApplied, ..refusal })
        }
        Error::Invalid { .. } | Error::Misconfigured(_) => cause,
    }
}

/// Whether the answer was lost with the connection: the only failure after which the call is repeated at once.
fn is_lost(error: &Error) -> bool {
    match error {
        Error::Unavailable(outage) => outage.kind == OutageKind::Reset,
        Error::Invalid { .. } | Error::Misconfigured(_) | Error::Refused(_) => false,
    }
}

/// Records the call's outcome on its span.
fn record<T>(span: &Span, result: &Result<T, Error>) -> CallOutcome {
    let outcome = CallOutcome::from_result(result);
    span.record("outcome", outcome.as_str());
    outcome
}
