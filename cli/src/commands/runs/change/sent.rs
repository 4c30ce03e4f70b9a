//! A person's word to a run of a stack: sent over its results queue, and looked for in the run's log.

use std::time::{Duration, Instant};

use heal_engine::RunId;
use heal_engine::event::{Commit, Event, RunStatus};
use heal_runtime::message::Inbound;
use heal_runtime::port::{Message, QueueName};

use crate::exit::Verdict;
use crate::follow::Follower;
use crate::out;
use crate::place::{Place, Stack};

/// Sends the word, and waits for the log to have it, `within` so many seconds.
///
/// # Errors
/// It cannot be sent, or the run cannot be read.
pub(super) async fn send(
    stack: &Stack,
    place: &Place,
    run_id: &RunId,
    effect: &str,
    word: Inbound,
    within: u64,
) -> anyhow::Result<Verdict> {
    let mut follower = Follower::new(&place.reader(), place.runs(), run_id.clone()).await?;
    if !can_follow(&word, follower.status(), follower.commits()) {
        out::note(format_args!("{run_id} is {}: nothing to change", follower.status().as_str()));
        return Ok(Verdict::Failed);
    }
    // What is there already is no answer.
    follower.news().await?;
    let message = Message { queue: QueueName::Results, body: word.to_body(), delay_ms: 0, traceparent: None };
    let message_id = stack.queues.send_one(&message).await?;
    let give_up = Instant::now() + Duration::from_secs(within);
    loop {
        let (news, status) = follower.news().await?;
        if shows(&word, news) {
            out::line(format_args!("{run_id} {effect}: {}", status.as_str()))?;
            return Ok(Verdict::Done);
        }
        if status.is_terminal() {
            out::note(format_args!("{run_id} has ended meanwhile: {}", status.as_str()));
            return Ok(Verdict::Failed);
        }
        if Instant::now() >= give_up {
            out::note(not_yet(stack, place, run_id, &message_id, within).await);
            return Ok(Verdict::Failed);
        }
        tokio::time::sleep(place.poll()).await;
    }
}

/// Whether a run that stands so would take the word at all: else the dispatcher drops it without a trace.
fn can_follow(word: &Inbound, status: RunStatus, commits: &[Commit]) -> bool {
    match word {
        Inbound::Approve { .. } => status == RunStatus::AwaitingApproval,
        Inbound::Cancel { .. } => !shows(word, commits),
        Inbound::Result(_) | Inbound::Wake { .. } => true,
    }
}

fn shows(word: &Inbound, commits: &[Commit]) -> bool {
    let is_word = |event: &Event| match word {
        Inbound::Approve { .. } => matches!(event, Event::Approved { .. }),
        Inbound::Cancel { .. } => matches!(event, Event::CancelRequested { .. }),
        Inbound::Result(_) | Inbound::Wake { .. } => false,
    };
    commits.iter().flat_map(|commit| &commit.events).any(is_word)
}

/// It is not lost: what is on the queue is taken once somebody takes it.
async fn not_yet(stack: &Stack, place: &Place, run_id: &RunId, message_id: &str, within: u64) -> String {
    let depth = stack.queues.depth(&stack.queues.urls().url_of(&QueueName::Results)).await;
    let waiting = depth.map_or_else(|error| format!("cannot be looked at: {error}"), |depth| format!("has {depth}"));
    let option = place.option();
    format!(
        "{run_id}: sent as message {message_id}, and not in its log within {within} s. The queue {} {waiting}; it takes effect once the \
         dispatcher takes it from there. See the dispatcher's log, then `heal runs show {run_id} {option}` and `heal dlq list {option}`",
        QueueName::Results
    )
}
