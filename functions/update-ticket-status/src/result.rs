//! The attempt's result, from what the answer and the ticket show.

use heal_clients::Effect;
use heal_clients::port::{Manual, call_failed, left_open};
use heal_clients::tickets::{ChangeOutcome, Ticket, TicketStatus};
use heal_runtime::action::{Call, Performed, log};
use heal_runtime::{AttemptResult, Map};

use crate::parameters::Parameters;

/// The result if there is nothing to write; `None` if there is. `is_record_kept`: the service keeps who asked for a status, so that a write of
/// the present status is not without effect (it is the last call of the guide's diagram of a ticket timeout).
pub(crate) fn needless(
    call: &Call,
    parameters: &Parameters,
    ticket: &Ticket,
    is_record_kept: bool,
) -> Option<AttemptResult> {
    let Ticket { ticket_id, status, .. } = ticket;
    let is_same = ticket.known_status() == Some(parameters.status);
    let reason = if is_same && !(is_record_kept || parameters.has_result()) {
        format!("ticket {ticket_id:?} is {status} already")
    } else if ticket.is_terminal() {
        format!("ticket {ticket_id:?} is {status}: its work must not be repeated")
    } else if parameters.status == TicketStatus::Pending && is_taken_after_own_reallocation(call, ticket) {
        let worker = ticket.assigned_worker.as_deref().unwrap_or_default();
        format!("this run has reallocated ticket {ticket_id:?}, and worker {worker:?} has taken it since")
    } else {
        return None;
    };
    Some(AttemptResult::no_op(reason, output(status, Some(status))))
}

/// Whether the ticket's record shows that this run already returned it to the queue: a second `PENDING` would take it from its new worker.
fn is_taken_after_own_reallocation(call: &Call, ticket: &Ticket) -> bool {
    let run = format!("{}/", call.command.run_id);
    ticket.known_status() == Some(TicketStatus::Running)
        && ticket.reallocation_id().is_some_and(|id| id.starts_with(&run))
}

/// The result of a change that was asked for.
pub(crate) fn of_change(call: &Call, parameters: &Parameters, before: &Ticket, outcome: ChangeOutcome) -> Performed {
    let ticket_id = before.ticket_id.as_str();
    let done = |ticket: &Ticket| {
        let what = format!("ticket {ticket_id:?} went from {} to {}", before.status, ticket.status);
        log::done(call, "playbook_executor.ticket_status_updated", ticket_id, &what);
        AttemptResult::succeeded(output(&ticket.status, Some(&before.status)))
    };
    match outcome {
        ChangeOutcome::Done(ticket) => done(&ticket).into(),
        ChangeOutcome::Seen { ticket, cause } => {
            let warning = format!("ticket {ticket_id:?}, read afterwards, has the status; its call: {cause}");
            done(&ticket).warn(warning).into()
        }
        ChangeOutcome::MovedOn { ticket, cause } => {
            let reason = format!("ticket {ticket_id:?} went on meanwhile and is {}", ticket.status);
            let warning = format!(
                "{reason}: the update took effect or is not needed any more, and is not repeated; its call: {cause}"
            );
            AttemptResult::no_op(reason, output(&ticket.status, Some(&before.status))).warn(warning).into()
        }
        ChangeOutcome::NotDone(error) => {
            let result = call_failed(call, ticket_id, &error, &manual(parameters));
            match error.effect() {
                Effect::NotApplied => Performed::not_applied(ticket_id, result),
                Effect::Unknown => result.into(),
            }
        }
        ChangeOutcome::Open { cause, seen } => {
            let message = format!("the status of ticket {ticket_id:?} may have been written: {cause}; {seen}");
            left_open(call, ticket_id, message, &manual(parameters)).into()
        }
    }
}

/// `previous_status` is `None` if it is not known.
pub(crate) fn output(status: &str, previous_status: Option<&str>) -> Map {
    [("status".to_owned(), status.into()), ("previous_status".to_owned(), previous_status.into())].into_iter().collect()
}

pub(crate) fn by_hand(Parameters { ticket_id, status, .. }: &Parameters) -> String {
    format!(
        "set the status of ticket {ticket_id:?} to {status} by hand, or run the playbook again when the ticket service answers"
    )
}

fn manual(parameters: &Parameters) -> Manual {
    let act = by_hand(parameters);
    let check = format!("check the status of ticket {:?}; if it is another one, {act}", parameters.ticket_id);
    Manual { act, check }
}
