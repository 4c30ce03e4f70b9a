//! One result out of the answers of all tickets.

use heal_clients::port::{Manual, call_failed};
use heal_clients::tickets::Ticket;
use heal_clients::{Effect, Error};
use heal_runtime::action::{Call, Performed, log};
use heal_runtime::{AttemptOutcome, AttemptResult, Map};
use serde_json::{Value, json};

use crate::effect::{Answer, Reallocated};
use crate::parameters::Parameters;

/// Tickets that one sentence names; the others are counted.
const NAMED_TICKETS: usize = 20;

/// The ticket could not be read, so nothing was done. If the service is unavailable, none of the call's tickets can be read, and the follow-up
/// names them all.
pub(crate) fn unread(call: &Call, parameters: &Parameters, ticket_id: &str, error: &Error) -> AttemptResult {
    let manual = Manual::either_way(by_hand(&parameters.tickets, &parameters.reason));
    call_failed(call, ticket_id, error, &manual)
}

/// An earlier attempt of the step reallocated the ticket but never received the response.
pub(crate) fn done_before(ticket: &Ticket, attempt: u32) -> AttemptResult {
    let reason = format!("attempt {attempt} of this step had reallocated ticket {:?} already", ticket.ticket_id);
    let previous_worker = ticket.metadata.get("previous_worker").cloned().unwrap_or_default();
    AttemptResult::no_op(reason, output(vec![ticket.ticket_id.clone().into()], &ticket.status, previous_worker))
}

/// Success if at least one ticket was reallocated; warnings and follow-ups name each of the others.
pub(crate) fn merged(call: &Call, parameters: &Parameters, answers: Vec<Answer>) -> Performed {
    let mut done = Done::default();
    let mut failed = Vec::new();
    let mut proven_not_applied = Vec::new();
    for answer in answers {
        let Answer { ticket_id, previous_worker, result } = answer;
        match result {
            Ok(reallocated) => done.add(call, ticket_id, previous_worker, reallocated),
            Err(error) => {
                if error.effect() == Effect::NotApplied {
                    proven_not_applied.push(ticket_id.clone());
                }
                let result = call_failed(call, &ticket_id, &error, &manual(&ticket_id, &parameters.reason));
                failed.push((ticket_id, error, result));
            }
        }
    }
    let result = if done.tickets.is_empty() { none(failed) } else { some(done, failed) };
    Performed { result, proven_not_applied }
}

/// The tickets that were reallocated.
#[derive(Default)]
struct Done {
    tickets: Vec<Value>,
    status: Option<String>,
    workers: Vec<Option<String>>,
    warnings: Vec<String>,
}

impl Done {
    fn add(&mut self, call: &Call, ticket_id: String, previous_worker: Option<String>, how: Reallocated) {
        let ticket = match how {
            Reallocated::ByAnswer(ticket) => ticket,
            Reallocated::ByTicket(ticket) => {
                self.warnings.push(format!(
                    "the answer for ticket {ticket_id:?} was lost; the ticket itself shows the reallocation"
                ));
                ticket
            }
        };
        let what = format!("ticket {ticket_id:?} is {} again", ticket.status);
        log::done(call, "playbook_executor.ticket_reallocated", &ticket_id, &what);
        self.status.get_or_insert(ticket.status);
        self.workers.push(previous_worker);
        self.tickets.push(ticket_id.into());
    }

    /// The worker that all of them had, if they had the same.
    fn previous_worker(&self) -> Value {
        match self.workers.split_first() {
            Some((first, others)) if others.iter().all(|other| other == first) => first.clone().into(),
            Some(_) | None => Value::Null,
        }
    }
}

/// The batch succeeds; what failed is left for a person.
fn some(done: Done, failed: Vec<(String, Error, AttemptResult)>) -> AttemptResult {
    let previous_worker = done.previous_worker();
    let status = done.status.unwrap_or_default();
    let result = AttemptResult::succeeded(output(done.tickets, &status, previous_worker));
    let result = done.warnings.into_iter().fold(result, AttemptResult::warn);
    failed.into_iter().fold(result, |result, (ticket_id, error, ended)| {
        let result = result.warn(format!("ticket {ticket_id:?} was not reallocated: {error}"));
        follow_ups(&ticket_id, &error, ended).fold(result, AttemptResult::follow_up)
    })
}

/// Nothing was reallocated: an outage, which passes, stands for all if there is one.
fn none(failed: Vec<(String, Error, AttemptResult)>) -> AttemptResult {
    let is_outage = |(_, error, _): &&(String, Error, AttemptResult)| error.is_unavailable();
    let telling = failed.iter().find(is_outage).or(failed.first());
    let Some((_, _, telling)) = telling else {
        return AttemptResult::no_op("there is no ticket to reallocate", Map::new());
    };
    if failed.len() == 1 {
        return telling.clone();
    }
    let mut outcome = telling.outcome.clone();
    if let AttemptOutcome::Unavailable { message, .. } | AttemptOutcome::Failed { message, .. } = &mut outcome {
        *message = format!("none of {} tickets was reallocated; {message}", failed.len());
    }
    let result = AttemptResult::new(outcome);
    failed.into_iter().fold(result, |result, (ticket_id, error, ended)| {
        follow_ups(&ticket_id, &error, ended).fold(result, AttemptResult::follow_up)
    })
}

/// What a person has to do about one ticket of several; the engine adds no follow-up of its own for those.
fn follow_ups(ticket_id: &str, error: &Error, ended: AttemptResult) -> impl Iterator<Item = String> {
    let own = ended.follow_up.is_empty().then(|| format!("see to ticket {ticket_id:?} by hand: {error}"));
    ended.follow_up.into_iter().chain(own)
}

fn output(reallocated: Vec<Value>, status: &str, previous_worker: Value) -> Map {
    [
        ("reallocated".to_owned(), Value::Array(reallocated)),
        ("status".to_owned(), json!(status)),
        ("previous_worker".to_owned(), previous_worker),
    ]
    .into_iter()
    .collect()
}

fn manual(ticket_id: &str, reason: &str) -> Manual {
    let act = by_hand(&[ticket_id.to_owned()], reason);
    let check = format!("check whether ticket {ticket_id:?} is PENDING without a worker; if it is not, {act}");
    Manual { act, check }
}

fn by_hand(tickets: &[String], reason: &str) -> String {
    let mut named: Vec<_> = tickets.iter().take(NAMED_TICKETS).map(|id| format!("{id:?}")).collect();
    if tickets.len() > named.len() {
        named.push(format!("and {} more", tickets.len() - named.len()));
    }
    let tickets = if tickets.len() == 1 { "ticket" } else { "tickets" };
    format!(
        "reallocate {tickets} {} by hand (reason {reason:?}), or run the playbook again when the ticket service answers",
        named.join(", ")
    )
}
