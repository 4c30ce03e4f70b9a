//! Commands that no worker answered: each ends its step in its run.

use heal_engine::format;
use heal_engine::message::{ActionCommand, ActionResult, AttemptOutcome, AttemptResult};

use super::{DeliveryOutcome, Inbox};
use crate::message::Inbound;
use crate::port::Delivery;

impl Inbox {
    /// Ends the step of a command that was delivered too often without an answer. Whether the action had its effect is unknown, so the step
    /// ends as `unknown`: the run fails and asks a person to check.
    pub(super) async fn dead_command(&self, action: &str, delivery: &Delivery) -> DeliveryOutcome {
        let command: ActionCommand = match format::decode(&delivery.body) {
            Ok(command) => command,
            Err(error) => return unreadable(&error, delivery),
        };
        self.dispatcher.observer().step_dead_lettered(action);
        tracing::warn!(
            event = "dispatcher.step_dead_lettered",
            run_id = %command.run_id,
            incident_id = command.context.incident_id,
            playbook = command.context.playbook,
            step = command.step,
            action,
            attempt = command.attempt,
            "command was delivered too often without an answer"
        );
        let result = Inbound::Result(Box::new(dead(&command, self.dispatcher.now())));
        let outcomes = self.turn(&command.run_id, vec![(0, delivery)], vec![result]).await;
        outcomes.into_iter().map(|(_, outcome)| outcome).next().unwrap_or_default()
    }
}

/// A body of a newer build is retried until this build is upgraded; a malformed one is dead-lettered.
pub(super) fn unreadable(error: &format::Error, delivery: &Delivery) -> DeliveryOutcome {
    let reason = heal_engine::text::chain(error);
    match error {
        format::Error::Malformed { .. } => DeliveryOutcome::dead_letter(reason),
        format::Error::Newer { .. } | format::Error::UnknownEvent { .. } => {
            tracing::warn!(
                message_id = delivery.message_id,
                reason,
                "message is from a newer build; it will be retried"
            );
            DeliveryOutcome::back_off(delivery.receive_count)
        }
    }
}

fn dead(command: &ActionCommand, now: heal_engine::Timestamp) -> ActionResult {
    let ActionCommand { step, action, attempt, .. } = command;
    let message = format!(
        "dead-lettered: the command of attempt {attempt} was delivered too often without an answer from {action}; \
         whether its effect happened is unknown"
    );
    let result = AttemptResult::new(AttemptOutcome::Unknown { message })
        .follow_up(format!("step {step}: check the target and the logs of {action} before repeating this step"));
    ActionResult {
        run_id: command.run_id.clone(),
        step: step.clone(),
        item: command.item,
        attempt: *attempt,
        token: command.token.clone(),
        finished_at: now,
        started_at: None,
        result,
    }
}
