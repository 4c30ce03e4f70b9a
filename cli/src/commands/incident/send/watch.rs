//! A message that was sent, followed to the end of its run.

use std::time::{Duration, Instant};

use heal_aws::Queues;
use heal_engine::event::RunStatus;
use heal_runtime::port::QueueName;

use super::Args;
use super::search::{Found, Search};
use crate::exit::Verdict;
use crate::place::Place;
use crate::{follow, out};

/// How often the runs are looked through: each time is a handful of queries.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Exits with 1 where the run's status is not COMPLETED at the end, or no run shows in time.
///
/// # Errors
/// The runs cannot be read.
pub(super) async fn watch(args: &Args, place: &Place, queues: &Queues, mut search: Search) -> anyhow::Result<Verdict> {
    let give_up = Instant::now() + Duration::from_secs(args.within);
    let found = loop {
        if let Some(found) = search.look().await? {
            break Some(found);
        }
        if Instant::now() >= give_up {
            break search.look_far().await?;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    };
    let Some(found) = found else {
        out::note(nowhere(place, queues, &search, args.within).await);
        return Ok(Verdict::Failed);
    };
    let run_id = match found {
        Found::Started(run_id) => run_id,
        Found::Known(run_id) => {
            out::note(format_args!("this incident has a run already, which goes on or is shown: {run_id}"));
            run_id
        }
        Found::Joined(run_id) => {
            out::note(format_args!("another incident's run works on this: {run_id}"));
            run_id
        }
        Found::Rejected(run_id) => {
            out::note(format_args!("the message was rejected, and is kept as {run_id}"));
            run_id
        }
    };
    let status = follow::to_the_end(place, run_id, args.json).await?;
    Ok(Verdict::of(status == RunStatus::Completed))
}

/// What to look at.
async fn nowhere(place: &Place, queues: &Queues, search: &Search, within: u64) -> String {
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
            Err(error) => format!("{name} cannot be looked at ({error})"),
        });
    }
    let option = place.option();
    format!(
        "no run of message {} within {within} s in {place}; {}. The message is not lost: see `heal dlq list {option}` and the dispatcher's \
         log, later `heal runs list {option}`. A message that is no incident, such as an alarm that went to OK, makes no run",
        search.sent.message_id,
        waiting.join(", ")
    )
}
