//! Commands that died on their way: an event of their run, not a grave.

use futures_util::future::join_all;
use heal_engine::message::{ActionCommand, ActionResult, AttemptOutcome, AttemptResult};

use super::{Inbox, Verdict, dead_letter};
use crate::dispatcher::Inbound;
use crate::port::Delivery;

impl Inbox {
    /// The step of each command ends: it was delivered again and again, and nobody answered. Whether its action had acted before it fell
    /// silent is not known here, so the step ends as `unknown`, which fails the run and asks a person to look.
    pub(super) async fn dead_commands(&self, action: &str, deliveries: Vec<Delivery>) -> Vec<Verdict> {
        let ended = deliveries.into_iter().map(|delivery| self.dead_command(action, delivery));
        join_all(ended).await.into_iter().flatten().collect()
    }

    async fn dead_command(&self, action: &str, delivery: Delivery) -> Vec<Verdict> {
        let command: ActionCommand = match serde_json::from_str(&delivery.body) {
            Ok(command) => command,
            Err(error) => return vec![dead_letter(delivery, format!("command cannot be read: {error}"))],
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
        let run_id = command.run_id.clone();
        let result = Inbound::Result(Box::new(dead(&command, self.dispatcher.now())));
        self.turn(run_id, vec![(delivery, result)]).await
    }
}

fn dead(command: &ActionCommand, now: heal_engine::Timestamp) -> ActionResult {
    let ActionCommand { step, action, attempt, .. } = command;
    let message = format!(
        "dead-lettered: the command of attempt {attempt} was delivered too often without an answer of {action}; \
         it cannot be said whether it had acted"
    );
    let result = AttemptResult::new(AttemptOutcome::Unknown { message })
        .follow_up(format!("step {step}: look at the target and at the logs of {action} before this is done again"));
    ActionResult {
        run_id: command.run_id.clone(),
        step: step.clone(),
        item: command.item,
        attempt: *attempt,
        token: command.token.clone(),
        finished_at: now,
        result,
    }
}
