//! What is read of a ticket before the effect.

use heal_clients::tickets::Ticket;
use heal_runtime::Timestamp;
use heal_runtime::action::Call;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::Value;

use crate::parameters::Parameters;

/// One ticket before the effect.
#[derive(Debug, Clone)]
pub struct TicketFacts {
    pub(crate) ticket: Box<Ticket>,
    pub(crate) previous_worker: Option<String>,
    pub(crate) last_reallocation: Option<Timestamp>,
    /// This step has reallocated the ticket, as its record says: an earlier worker died, or an answer was lost.
    pub(crate) is_done: bool,
}

impl TicketFacts {
    pub(crate) fn read(call: &Call, parameters: &Parameters, ticket: Ticket) -> Self {
        let text = |name: &str| ticket.metadata.get(name).and_then(Value::as_str);
        let is_done = ticket.reallocation_id().is_some_and(|id| parameters.is_of_step(call, &ticket.ticket_id, id));
        let recorded = || text("previous_worker").map(str::to_owned);
        Self {
            previous_worker: if is_done { recorded() } else { ticket.assigned_worker.clone() },
            // What this step did itself does not count against it.
            last_reallocation: text("reallocation_timestamp").filter(|_| !is_done).and_then(moment),
            is_done,
            ticket: Box::new(ticket),
        }
    }
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
