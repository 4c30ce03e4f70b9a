//! One result out of the answers of all tickets.

use heal_clients::port::{Manual, call_failed, left_open};
use heal_clients::tickets::{ChangeOutcome, Ticket};
use heal_clients::{Effect, Error};
use heal_runtime::action::{Call, Performed, log};
use heal_runtime::{AttemptOutcome, AttemptResult, Map};
use serde_json::{Value, json};

use crate::effect::{Answer, Outcome};
use crate::facts::TicketFacts;
use crate::parameters::Parameters;

/// Tickets that one sentence names; the others are counted.
const NAMED_TICKETS: usize = 20;

/// The guide's event of a reallocation.
const REALLOCATED: &str = "playbook_executor.ticket_reallocated";

/// The ticket could not be read, so nothing was done. If the service is unavailable, none of the call's tickets can be read, and the follow-up
/// names them all.
pub(crate) fn unread(call: &Call, parameters: &Parameters, ticket_id: &str, error: &Error) -> AttemptResult {
    let manual = Manual::either_way(by_hand(&parameters.tickets, &parameters.reason));
    call_failed(call, ticket_id, error, &manual)
}

/// An earlier try of the step reallocated the ticket but never received the response.
pub(crate) fn done_before(call: &Call, parameters: &Parameters, facts: &TicketFacts) -> AttemptResult {
    let ticket = &facts.ticket;
    let reason =
        format!("an earlier try of this step had reallocated ticket {:?}, as its record says", ticket.ticket_id);
    let output = output(vec![ticket.ticket_id.clone().into()], &ticket.status, facts.previous_worker.clone().into());
    if parameters.is_batch() {
        return AttemptResult::no_op(reason, output);
    }
    log::done(call, REALLOCATED, &ticket.ticket_id, &reason);
    AttemptResult::succeeded(output).warn(reason)
}

/// The ticket's work is done, or is being or has been undone.
pub(crate) fn terminal(facts: &TicketFacts) -> AttemptResult {
    let Ticket { ticket_id, status, .. } = &*facts.ticket;
    let reason = format!("ticket {ticket_id:?} is {status}: its work must not be repeated");
    AttemptResult::no_op(reason, output(Vec::new(), status, facts.previous_worker.clone().into()))
}

/// Success if at least one ticket was reallocated; warnings and follow-ups name each of the others.
pub(crate) fn merged(call: &Call, parameters: &Parameters, answers: Vec<Answer>) -> Performed {
    let mut done = Done::default();
    let mut left = Left::default();
    let mut failed = Vec::new();
    let mut proven_not_applied = Vec::new();
    for Answer { ticket_id, previous_worker, outcome } in answers {
        let manual = || manual(&ticket_id, &parameters.reason);
        match outcome {
            Outcome::Before(ticket) => {
                let warning = format!("ticket {ticket_id:?} had been reallocated before the worker died");
                done.add(call, previous_worker, *ticket, Some(warning));
            }
            Outcome::Now(ChangeOutcome::Done(ticket)) => done.add(call, previous_worker, *ticket, None),
            Outcome::Now(ChangeOutcome::Seen { ticket, cause }) => {
                let warning =
                    format!("ticket {ticket_id:?}, read afterwards, shows the reallocation; its call: {cause}");
                done.add(call, previous_worker, *ticket, Some(warning));
            }
            Outcome::Now(ChangeOutcome::MovedOn { ticket, cause }) => left.add(previous_worker, *ticket, &cause),
            Outcome::Now(ChangeOutcome::NotDone(error)) => {
                if error.effect() == Effect::NotApplied {
                    proven_not_applied.push(ticket_id.clone());
                }
                let result = call_failed(call, &ticket_id, &error, &manual());
                failed.push(Failed { ticket_id, why: error.to_string(), result });
            }
            Outcome::Now(ChangeOutcome::Open { cause, seen }) => {
                let why = format!("it may have been reallocated: {cause}; {seen}");
                let result = left_open(call, &ticket_id, format!("ticket {ticket_id:?}: {why}"), &manual());
                failed.push(Failed { ticket_id, why, result });
            }
        }
    }
    let result = if !done.tickets.is_empty() {
        some(done, failed)
    } else if !failed.is_empty() {
        none(failed)
    } else {
        left.result()
    };
    let result = left.warnings.into_iter().fold(result, AttemptResult::warn);
    Performed { result, proven_not_applied }
}

/// A ticket that was not reallocated, or may not have been.
struct Failed {
    ticket_id: String,
    why: String,
    result: AttemptResult,
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
    fn add(&mut self, call: &Call, previous_worker: Option<String>, ticket: Ticket, warning: Option<String>) {
        let Ticket { ticket_id, status, .. } = ticket;
        log::done(call, REALLOCATED, &ticket_id, &format!("ticket {ticket_id:?} is {status} again"));
        self.warnings.extend(warning);
        self.status.get_or_insert(status);
        self.workers.push(previous_worker);
        self.tickets.push(ticket_id.into());
    }
}

/// The tickets that went on by themselves before their reallocation could be seen.
#[derive(Default)]
struct Left {
    first: Option<(String, Option<String>)>,
    warnings: Vec<String>,
}

impl Left {
    fn add(&mut self, previous_worker: Option<String>, ticket: Ticket, cause: &Error) {
        let Ticket { ticket_id, status, assigned_worker, .. } = ticket;
        let worker = assigned_worker.map_or(String::new(), |worker| format!(" on {worker:?}"));
        self.warnings.push(format!(
            "ticket {ticket_id:?} went on meanwhile and is {status}{worker}: its reallocation took effect or is not needed any more, and is not repeated; its call: {cause}"
        ));
        self.first.get_or_insert((status, previous_worker));
    }

    /// Nothing is left to do.
    fn result(&self) -> AttemptResult {
        let Some((status, previous_worker)) = &self.first else {
            return AttemptResult::no_op("there is no ticket to reallocate", Map::new());
        };
        let reason = match self.warnings.len() {
            1 => format!("the ticket went on meanwhile and is {status}"),
            count => format!("{count} tickets went on meanwhile"),
        };
        AttemptResult::no_op(reason, output(Vec::new(), status, previous_worker.clone().into()))
    }
}

/// The worker that all of them had, if they had the same.
pub(crate) fn common_worker(workers: &[Option<String>]) -> Value {
    match workers.split_first() {
        Some((first, others)) if others.iter().all(|other| other == first) => first.clone().into(),
        Some(_) | None => Value::Null,
    }
}

/// The batch succeeds; what failed is left for a person.
fn some(done: Done, failed: Vec<Failed>) -> AttemptResult {
    let previous_worker = common_worker(&done.workers);
    let status = done.status.unwrap_or_default();
    let result = AttemptResult::succeeded(output(done.tickets, &status, previous_worker));
    let result = done.warnings.into_iter().fold(result, AttemptResult::warn);
    failed.into_iter().fold(result, |result, failed| {
        let result =
            result.warn(format!("ticket {:?} was not seen to be reallocated: {}", failed.ticket_id, failed.why));
        follow_ups(failed).fold(result, AttemptResult::follow_up)
    })
}

/// Nothing was reallocated for certain. One failure stands for all: first one that must not be tried again, then an outage, which passes.
fn none(failed: Vec<Failed>) -> AttemptResult {
    let rank = |failed: &&Failed| match failed.result.outcome {
        AttemptOutcome::Unknown { .. } => 0,
        AttemptOutcome::Unavailable { .. } => 1,
        AttemptOutcome::Succeeded
        | AttemptOutcome::NoOp { .. }
        | AttemptOutcome::Denied { .. }
        | AttemptOutcome::NeedsApproval { .. }
        | AttemptOutcome::CoolingDown { .. }
        | AttemptOutcome::Failed { .. }
        | AttemptOutcome::TimedOut { .. }
        | AttemptOutcome::Shadowed { .. } => 2,
    };
    let Some(telling) = failed.iter().min_by_key(rank) else {
        return AttemptResult::no_op("there is no ticket to reallocate", Map::new());
    };
    if failed.len() == 1 {
        return telling.result.clone();
    }
    let mut outcome = telling.result.outcome.clone();
    if let AttemptOutcome::Unavailable { message, .. }
    | AttemptOutcome::Failed { message, .. }
    | AttemptOutcome::Unknown { message } = &mut outcome
    {
        *message = format!("none of {} tickets was seen to be reallocated; {message}", failed.len());
    }
    let result = AttemptResult::new(outcome);
    failed.into_iter().fold(result, |result, failed| follow_ups(failed).fold(result, AttemptResult::follow_up))
}

/// What a person has to do about one ticket of several; the engine adds no follow-up of its own for those.
fn follow_ups(Failed { ticket_id, why, result }: Failed) -> impl Iterator<Item = String> {
    let own = result.follow_up.is_empty().then(|| format!("see to ticket {ticket_id:?} by hand: {why}"));
    result.follow_up.into_iter().chain(own)
}

pub(crate) fn output(reallocated: Vec<Value>, status: &str, previous_worker: Value) -> Map {
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
