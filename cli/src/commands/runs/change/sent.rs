//! A change to a run of a stack: sent over the results queue, then awaited in the run's log.

use std::time::Duration;

use heal_api::changes::seen::{can_follow, contains, may_follow_the_end};
use heal_engine::RunId;
use heal_runtime::message::Inbound;
use heal_runtime::port::{Message, QueueName};
use tokio::time::Instant;

use crate::backend::{Backend, Stack};
use crate::exit::Exit;
use crate::follow::Follower;
use crate::out;

/// Sends the change, and waits up to `within` seconds until the run's log has it.
///
/// # Errors
/// The change cannot be sent, or the run cannot be read.
pub(super) async fn send(
    stack: &Stack,
    backend: &Backend,
    run_id: &RunId,
    effect: &str,
    input: Inbound,
    within: u64,
) -> anyhow::Result<Exit> {
    let mut follower = Follower::new(&backend.reader(), backend.runs(), run_id.clone()).await?;
    if !can_follow(&input, follower.status(), follower.commits()) {
        out::note(format_args!("{run_id} is {}: nothing to change", follower.status().as_str()));
        return Ok(Exit::Failure);
    }
    // Skips the commits from before the change.
    follower.new_commits().await?;
    let message = Message { queue: QueueName::Results, body: input.to_body(), delay_ms: 0, traceparent: None };
    let message_id = stack.queues.send_one(&message).await?;
    let give_up = Instant::now() + Duration::from_secs(within);
    loop {
        let (commits, status) = follower.new_commits().await?;
        if contains(&input, commits) {
            out::line(format_args!("{run_id} {effect}: {}", status.as_str()))?;
            return Ok(Exit::Success);
        }
        if status.is_terminal() && !may_follow_the_end(&input) {
            out::note(format_args!("{run_id} has ended in the meantime: {}", status.as_str()));
            return Ok(Exit::Failure);
        }
        if Instant::now() >= give_up {
            out::note(timeout_message(stack, backend, run_id, &message_id, within, &input).await);
            return Ok(Exit::Failure);
        }
        tokio::time::sleep(backend.poll()).await;
    }
}

/// The change is not lost: it stays on the queue until the dispatcher receives it.
async fn timeout_message(
    stack: &Stack,
    backend: &Backend,
    run_id: &RunId,
    message_id: &str,
    within: u64,
    input: &Inbound,
) -> String {
    let depth = stack.queues.depth(&stack.queues.urls().url_of(&QueueName::Results)).await;
    let waiting = depth.map_or_else(|error| format!("cannot be queried: {error}"), |depth| format!("has {depth}"));
    let option = backend.option();
    let refused = if matches!(input, Inbound::Approve { .. } | Inbound::ApprovalAnswer { .. }) {
        ", or was refused already: then the dispatcher's log has a line `approval.refused` with the rule"
    } else {
        ""
    };
    format!(
        "{run_id}: the change was sent as message {message_id}, but was not in the run's log within {within} s. The queue {} {waiting}; the \
         change takes effect once the dispatcher receives it{refused}. See the dispatcher's log, then `heal runs show {run_id} {option}` and \
         `heal dlq list {option}`",
        QueueName::Results
    )
}
