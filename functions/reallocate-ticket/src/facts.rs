//! What is read of a ticket before the effect.

use heal_clients::tickets::{Ticket, TicketStatus};
use heal_runtime::Timestamp;
use heal_runtime::action::Call;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::Value;

use crate::parameters::Parameters;

/// One ticket before the effect.
#[derive(Debug, Clone)]
pub struct TicketFacts {
    pub(crate) previous_worker: Option<String>,
    pub(crate) workflow_id: Option<String>,
    /// It waits for a worker already.
    pub(crate) was_waiting: bool,
    pub(crate) last_reallocation: Option<Timestamp>,
    /// The ticket, if this very attempt has reallocated it: its earlier worker died, or its answer was lost.
    pub(crate) done: Option<Box<Ticket>>,
    /// An earlier attempt of this step reallocated the ticket but never received the response.
    pub(crate) earlier_attempt: Option<u32>,
}

impl TicketFacts {
    pub(crate) fn read(call: &Call, parameters: &Parameters, ticket: &Ticket) -> Self {
        let text = |name: &str| ticket.metadata.get(name).and_then(Value::as_str);
        let id = text("reallocation_id");
        let is_own = id.is_some_and(|id| id == parameters.reallocation_id(call, &ticket.ticket_id));
        let earlier_attempt = id.and_then(|id| parameters.earlier_attempt(call, &ticket.ticket_id, id));
        let recorded = || text("previous_worker").map(str::to_owned);
        Self {
            previous_worker: if is_own { recorded() } else { ticket.assigned_worker.clone() },
            workflow_id: ticket.workflow_id.clone(),
            was_waiting: is_waiting(ticket),
            // What this attempt did itself does not count against it.
            last_reallocation: text("reallocation_timestamp").filter(|_| !is_own).and_then(moment),
            earlier_attempt,
            done: is_own.then(|| Box::new(ticket.clone())),
        }
    }
}

/// Whether a ticket is as a reallocation leaves it.
pub(crate) fn is_waiting(ticket: &Ticket) -> bool {
    ticket.known_status() == Some(TicketStatus::Pending) && ticket.assigned_worker.is_none()
}

/// RFC 3339. A producer that leaves the offset out means UTC.
fn moment(text: &str) -> Option<Timestamp> {
    let at = text.parse::<jiff::Timestamp>();
    let at = at.or_else(|_| text.parse::<DateTime>()?.to_zoned(TimeZone::UTC).map(|zoned| zoned.timestamp())).ok()?;
    u64::try_from(at.as_millisecond()).ok().map(Timestamp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_without_an_offset_is_utc() {
        for text in ["2027-01-15T08:00:00Z", "2027-01-15T09:00:00+01:00", "2027-01-15T08:00:00.000"] {
            assert_eq!(moment(text), Some(Timestamp(1_800_000_000_000)), "{text}");
        }
        assert_eq!(moment("yesterday"), None);
        assert_eq!(moment("1969-12-31T23:59:59Z"), None);
    }
}
