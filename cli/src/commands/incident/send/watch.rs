//! Follows a message that was sent to the end of its run.

use std::time::Duration;

use heal_aws::Queues;
use heal_engine::{RunId, limit};
use heal_runtime::port::QueueName;
use tokio::time::Instant;

use super::search::{Found, Search};
use crate::backend::Backend;
use crate::exit::Exit;
use crate::{follow, out};

/// Interval between searches: each costs a handful of queries.
const POLL_EVERY: Duration = Duration::from_secs(1);

/// Exits as [`Exit::of_run`] says, and with 1 if no run appears `within` so many seconds.
///
/// # Errors
/// The runs cannot be read.
pub(super) async fn watch(
    backend: &Backend,
    queues: &Queues,
    mut search: Search,
    within: u64,
    json: bool,
) -> anyhow::Result<Exit> {
    let Some(found) = find(&mut search, within).await? else {
        out::note(not_found_message(backend, queues, &search, within).await);
        return Ok(Exit::Failure);
    };
    let tickets = search.tickets(found.run_id()).await?;
    if tickets.is_empty() {
        return follow::follow_to_end(backend, announce(found), json).await;
    }
    out::note(format_args!("one run for each of {} tickets, shown one after the other", tickets.len()));
    let mut exit = Exit::Success;
    if let Some(rest) = tickets.get(limit::TICKET_RUNS..).filter(|rest| !rest.is_empty()) {
        out::note(format_args!(
            "{} tickets are too many and have no run; a failed run of the incident keeps them",
            rest.len()
        ));
        exit = Exit::Failure;
    }
    for ticket in tickets.iter().take(limit::TICKET_RUNS) {
        let mut search = search.for_ticket(ticket);
        let ended = if let Some(found) = find(&mut search, within).await? {
            follow::follow_to_end(backend, announce(found), json).await?
        } else {
            let problem = not_found_message(backend, queues, &search, within).await;
            out::note(format_args!("ticket {}: {problem}", out::text(ticket)));
            Exit::Failure
        };
        exit = exit.worse(ended);
    }
    Ok(exit)
}

/// The run of the message, `None` if it does not appear `within` so many seconds.
async fn find(search: &mut Search, within: u64) -> anyhow::Result<Option<Found>> {
    let give_up = Instant::now() + Duration::from_secs(within);
    loop {
        if let Some(found) = search.poll().await? {
            return Ok(Some(found));
        }
        if Instant::now() >= give_up {
            return search.poll_history().await;
        }
        tokio::time::sleep(POLL_EVERY).await;
    }
}

/// Notes what kind of run was found.
fn announce(found: Found) -> RunId {
    match found {
        Found::Started(run_id) => run_id,
        Found::Known(run_id) => {
            out::note(format_args!("this incident has a run already, which is continued or shown: {run_id}"));
            run_id
        }
        Found::Joined(run_id) => {
            out::note(format_args!("this incident joined the run of another one about the same target: {run_id}"));
            run_id
        }
        Found::Rejected(run_id) => {
            out::note(format_args!("the message was rejected, and is kept as {run_id}"));
            run_id
        }
    }
}

/// Says where the message may be.
async fn not_found_message(backend: &Backend, queues: &Queues, search: &Search, within: u64) -> String {
    let urls = queues.urls();
    let incidents = QueueName::Incidents;
    let mut waiting = Vec::new();
    for (name, url) in [
        ("the incidents queue", urls.url_of(&incidents)),
        ("its dead-letter queue", urls.dead_letter_url_of(&incidents)),
        ("the parking queue", urls.parked()),
    ] {
        waiting.push(match queues.depth(&url).await {
            Ok(depth) => format!("{name} has {depth}"),
            Err(error) => format!("{name} cannot be queried ({error})"),
        });
    }
    let option = backend.option();
    format!(
        "no run of message {} within {within} s in {backend}; {}. The message is not lost: see `heal dlq list {option}` and the dispatcher's \
         log, later `heal runs list {option}`. A message that is not an incident, such as an alarm that went to OK, starts no run",
        search.sent.message_id,
        waiting.join(", ")
    )
}
