//! Commands as messages.

use heal_engine::{Command, State, Timestamp};

use super::Inbound;
use crate::port::{Message, QueueName};

/// The longest delay of one message, in milliseconds: that of SQS. A later moment is found by the sweep.
const DELAY_MS: u64 = 900_000;

pub(super) fn messages(state: &State, owed: Vec<Command>, more: bool, now: Timestamp) -> Vec<Message> {
    // Whoever takes them goes on from this turn, where turns are traced, else from what the run continues.
    let traceparent = heal_telemetry::trace::current().or_else(|| state.traceparent.clone());
    let wake = |delay_ms| Message {
        queue: QueueName::Results,
        body: Inbound::Wake { run_id: state.run_id.clone() }.to_body(),
        delay_ms,
        traceparent: traceparent.clone(),
    };
    let message = |command| match command {
        Command::Perform { mut command, .. } => {
            command.context.traceparent.clone_from(&traceparent);
            Some(Message {
                queue: QueueName::Action(command.action.clone()),
                // Plain data with text keys cannot fail to serialize.
                body: serde_json::to_string(&command).unwrap_or_default(),
                delay_ms: 0,
                traceparent: traceparent.clone(),
            })
        }
        Command::Wake { at, .. } => Some(at.since_ms(now)).filter(|delay_ms| *delay_ms <= DELAY_MS).map(wake),
    };
    owed.into_iter().filter_map(message).chain(more.then(|| wake(0))).collect()
}
