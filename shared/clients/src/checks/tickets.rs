//! Probe for overdue tickets: lists the tickets of one status and selects those past their deadline.

use std::collections::BTreeSet;

use heal_runtime::Timestamp;
use heal_runtime::checks::{Failing, Observation, OverdueTickets, Sighting};
use serde_json::Value;

use super::{epoch_ms, failing};
use crate::call::CallContext;
use crate::error::Error;
use crate::tickets::{Client, Filter, Ticket, TicketStatus};

/// Tickets per page: every dialect of the ticket service allows it, and a page stays far below 1 MiB.
pub const PAGE: u32 = 100;
/// Most pages that one probe reads. Tickets on later pages are not observed, and do not count as ended.
pub const PAGES: u32 = 50;

/// The tickets of one status that were read.
pub(super) struct Listed {
    pub(super) tickets: Vec<Ticket>,
    /// Whether more pages exist than were read.
    pub(super) is_partial: bool,
}

pub(super) async fn probe(
    client: &Client,
    probe: &OverdueTickets,
    now: Timestamp,
    context: &CallContext,
) -> Observation {
    let Ok(status) = probe.status.parse::<TicketStatus>() else {
        return Observation::unknown(format!("{:?} is not a ticket status", probe.status));
    };
    let Listed { tickets, is_partial } = match list(client, status, context).await {
        Ok(listed) => listed,
        Err(error) => return Observation::unknown(error.to_string()),
    };
    let grace_ms = probe.overdue_seconds.saturating_mul(1_000);
    let mut overdue: Vec<(u64, Ticket)> = tickets
        .into_iter()
        .filter_map(|ticket| Some((deadline(&ticket)?, ticket)))
        .filter(|(deadline, _)| now.0 > deadline.saturating_add(grace_ms))
        .collect();
    // Longest overdue first: the limit must keep these.
    overdue.sort_by(|(at, one), (other_at, other)| (at, &one.ticket_id).cmp(&(other_at, &other.ticket_id)));
    let limit = usize::try_from(probe.limit).unwrap_or(usize::MAX);
    let is_partial = is_partial || overdue.len() > limit;
    let failing = overdue.iter().take(limit).map(|(deadline, ticket)| target(ticket, *deadline, now)).collect();
    Observation::Seen(Sighting { failing, is_partial, ..Sighting::default() })
}

/// Reads every ticket of `status` once, page by page. A list changes while it is read and services cap their pages, so reading stops
/// only at a page without a new ticket or at the total that the service states.
pub(super) async fn list(client: &Client, status: TicketStatus, context: &CallContext) -> Result<Listed, Error> {
    let mut listed = Listed { tickets: Vec::new(), is_partial: false };
    let mut seen = BTreeSet::new();
    let mut offset = 0_u32;
    for _ in 0..PAGES {
        let filter = Filter { status: Some(status), limit: Some(PAGE), offset: Some(offset), ..Filter::default() };
        let page = client.list_tickets(&filter, context).await?;
        offset = offset.saturating_add(u32::try_from(page.tickets.len()).unwrap_or(u32::MAX));
        let known = seen.len();
        for ticket in page.tickets {
            // Checked again: a service that ignores the filter returns ended tickets too.
            if seen.insert(ticket.ticket_id.clone()) && ticket.known_status() == Some(status) {
                listed.tickets.push(ticket);
            }
        }
        let is_last = page.total.is_some_and(|total| total <= u64::from(offset));
        if is_last || seen.len() == known {
            return Ok(listed);
        }
    }
    listed.is_partial = true;
    Ok(listed)
}

/// The deadline of the ticket's SLA in epoch milliseconds; `None` if the SLA sets none.
fn deadline(ticket: &Ticket) -> Option<u64> {
    let sla = ticket.sla.as_ref()?;
    let from_start = || Some(epoch_ms(ticket.started_at)?.saturating_add(epoch_ms(sla.timeout_ms)?));
    epoch_ms(sla.deadline).or_else(from_start)
}

fn target(ticket: &Ticket, deadline: u64, now: Timestamp) -> Failing {
    let overdue_seconds = now.0.saturating_sub(deadline) / 1_000;
    let worker = ticket.assigned_worker.as_deref().filter(|worker| !worker.is_empty());
    let fields = [
        ("ticket_id", Value::from(ticket.ticket_id.as_str())),
        ("status", Value::from(ticket.status.as_str())),
        ("worker_id", Value::from(worker)),
        ("workflow_id", Value::from(ticket.workflow_id.as_deref())),
        ("plan_id", Value::from(ticket.plan_id.as_deref())),
        ("started_at", Value::from(epoch_ms(ticket.started_at))),
        ("deadline", Value::from(deadline)),
        ("overdue_seconds", Value::from(overdue_seconds)),
        // Plain data with text keys cannot fail to serialize.
        ("ticket", serde_json::to_value(ticket).unwrap_or_default()),
    ];
    let reason =
        format!("ticket {} is {} and {overdue_seconds} seconds past its deadline", ticket.ticket_id, ticket.status);
    failing(&ticket.ticket_id, fields, reason)
}
