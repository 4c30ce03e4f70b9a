//! What a worker answers, and how its answer gets to the run: stored in the claim first, then over the results queue; or both at once, where
//! worker and dispatcher share a store.

use async_trait::async_trait;
use heal_engine::RunId;
use heal_engine::message::{ActionResult, AttemptResult, HeldCommand, Hold, LateCommand};

use super::Worker;
use crate::action::Call;
use crate::message::Inbound;
use crate::port::{BackendError, ClaimEnd, Finish, Message, QueueName};

/// An answer to a command.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    /// The run that waits for it.
    pub run_id: RunId,
    pub inbound: Inbound,
    pub traceparent: Option<String>,
}

impl Answer {
    /// The answer as a message to the run.
    pub(crate) fn to_message(&self) -> Message {
        let (body, traceparent) = (self.inbound.to_body(), self.traceparent.clone());
        Message { queue: QueueName::Results, body, delay_ms: 0, traceparent }
    }
}

/// Ends attempts of this process in one step: the claim, the answer and the command's delivery.
#[async_trait]
pub(crate) trait Ends: Send + Sync {
    /// Stores the claim's result, if there is a claim, and brings the answer to its run. `Lost`: the claim was lost, and the run hears nothing.
    async fn end(&self, claim: Option<ClaimEnd>, answer: Answer) -> Result<Finish, BackendError>;
}

impl Worker {
    /// Ends an attempt: its claim first, of which `stored` hears, then the answer.
    pub(super) async fn end(
        &self,
        claim: Option<ClaimEnd>,
        answer: Answer,
        stored: impl FnOnce() + Send,
    ) -> Result<Finish, BackendError> {
        if let Some(ends) = &self.ends {
            let finish = ends.end(claim, answer).await?;
            if finish == Finish::Stored {
                stored();
            }
            return Ok(finish);
        }
        if let Some(ClaimEnd { key, holder, now, result, proven_not_applied }) = &claim
            && self.ports.claims.finish(key, holder, *now, result, proven_not_applied).await? == Finish::Lost
        {
            return Ok(Finish::Lost);
        }
        stored();
        self.ports.sender.send(vec![answer.to_message()]).await?;
        Ok(Finish::Stored)
    }

    pub(super) fn result(&self, call: &Call, result: &AttemptResult) -> Answer {
        let command = &call.command;
        let inbound = Inbound::Result(Box::new(ActionResult {
            run_id: command.run_id.clone(),
            step: command.step.clone(),
            item: command.item,
            attempt: command.attempt,
            token: command.token.clone(),
            finished_at: self.ports.clock.now(),
            started_at: Some(call.started_at),
            result: result.clone(),
        }));
        answer(call, inbound)
    }
}

pub(super) fn late(call: &Call) -> Answer {
    let command = &call.command;
    tracing::Span::current().record("outcome", "late");
    let inbound = Inbound::Late(Box::new(LateCommand {
        run_id: command.run_id.clone(),
        step: command.step.clone(),
        item: command.item,
        attempt: command.attempt,
        token: command.token.clone(),
        taken_at: call.started_at,
    }));
    answer(call, inbound)
}

pub(super) fn held(call: &Call, hold: Hold, may_have_acted: bool) -> Answer {
    let command = &call.command;
    let inbound = Inbound::Held(Box::new(HeldCommand {
        run_id: command.run_id.clone(),
        step: command.step.clone(),
        item: command.item,
        attempt: command.attempt,
        token: command.token.clone(),
        hold,
        may_have_acted,
    }));
    answer(call, inbound)
}

/// Tells log and trace that a halt holds the attempt.
pub(super) fn report_held(hold: &Hold) {
    tracing::Span::current().record("outcome", "held");
    tracing::info!(halt = hold.halt, reason = hold.reason, "attempt.held");
}

fn answer(call: &Call, inbound: Inbound) -> Answer {
    let command = &call.command;
    let traceparent = heal_telemetry::trace::current().or_else(|| command.context.traceparent.clone());
    Answer { run_id: command.run_id.clone(), inbound, traceparent }
}
