//! What the tickets say of an attempt whose worker died.

use futures_util::{StreamExt as _, stream};
use heal_clients::CallContext;
use heal_clients::tickets::{self, Change, MAX_IN_FLIGHT, Trace};
use heal_runtime::AttemptResult;
use heal_runtime::action::{Call, Probe, Target};
use serde_json::Value;

use crate::facts::TicketFacts;
use crate::parameters::Parameters;
use crate::result;

/// Tickets that one sentence names; the others are counted.
const NAMED_TICKETS: usize = 5;

/// Reads every ticket. A batch of which a part was reallocated is performed again: what is done is recognised and left alone.
pub(crate) async fn probe(
    call: &Call,
    parameters: &Parameters,
    targets: &[Target],
    tickets: &tickets::Client,
    context: &CallContext,
) -> Probe {
    let read = |target: &Target| {
        let id = target.id.clone();
        async move { trace(call, parameters, &id, tickets, context).await }
    };
    let traces: Vec<_> = stream::iter(targets.iter().map(read)).buffered(MAX_IN_FLIGHT).collect().await;
    let mut done = Vec::new();
    let mut unclear = Vec::new();
    for trace in traces {
        match trace {
            (Trace::Done, Some(facts)) => done.push(facts),
            (Trace::Done | Trace::NotDone, _) => {}
            (Trace::Unclear(why), _) => unclear.push(why),
        }
    }
    if !unclear.is_empty() {
        let more = unclear.len().saturating_sub(NAMED_TICKETS);
        unclear.truncate(NAMED_TICKETS);
        let more = if more > 0 { format!("; and {more} more") } else { String::new() };
        return Probe::Unclear(format!("{}{more}", unclear.join("; ")));
    }
    if done.len() < targets.len() {
        return Probe::NotDone;
    }
    let status = done.first().map(|facts| facts.ticket.status.clone()).unwrap_or_default();
    let workers: Vec<_> = done.iter().map(|facts| facts.previous_worker.clone()).collect();
    let ids: Vec<Value> = done.into_iter().map(|facts| facts.ticket.ticket_id.into()).collect();
    let output = result::output(ids, &status, result::common_worker(&workers));
    Probe::Done(Box::new(AttemptResult::succeeded(output)))
}

async fn trace(
    call: &Call,
    parameters: &Parameters,
    ticket_id: &str,
    tickets: &tickets::Client,
    context: &CallContext,
) -> (Trace, Option<TicketFacts>) {
    let ticket = match tickets.get_ticket(ticket_id, context).await {
        Ok(ticket) => ticket,
        // It is reported by the reading of the facts.
        Err(error) if error.is_not_found() => return (Trace::NotDone, None),
        Err(error) => return (Trace::Unclear(format!("reading ticket {ticket_id:?} failed: {error}")), None),
    };
    let key = parameters.reallocation_id(call, &ticket.ticket_id);
    let change = Change::Reallocate { reason: &parameters.reason };
    let trace = tickets.trace(&ticket, change, &key, call.command.issued_at);
    (trace, Some(TicketFacts::read(call, parameters, ticket)))
}
