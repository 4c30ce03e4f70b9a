//! Follows a message that was sent to the end of its run.

use std::time::{Duration, Instant};

use heal_aws::Queues;
use heal_runtime::port::QueueName;

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
    let give_up = Instant::now() + Duration::from_secs(within);
    let found = loop {
        if let Some(found) = search.poll().await? {
            break Some(found);
        }
        if Instant::now() >= give_up {
            break search.poll_history().await?;
        }
        tokio::time::sleep(POLL_EVERY).await;
    };
    let Some(found) = found else {
        out::note(not_found_message(backend, queues, &search, within).await);
        return Ok(Exit::Failure);
    };
    let run_id = match found {
        Found::Started(run_id) => run_id,
        Found::Known(run_id) => {
            out::note(format_args!("this incident has a run already, which is continued or shown: {run_id}"));
            run_id
        }
        Found::Joined(run_id) => {
            out::note(format_args!("the run of another incident works on the same target: {run_id}"));
            run_id
        }
        Found::Rejected(run_id) => {
            out::note(format_args!("the message was rejected, and is kept as {run_id}"));
            run_id
        }
    };
    follow::follow_to_end(backend, run_id, json).await
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
