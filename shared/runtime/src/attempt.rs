//! One attempt: the flow that every action goes through, wherever it runs.
//!
//! An attempt touches its own target, its claim and cooldown rows and the results queue, and nothing else. Its memory is the claim.

use std::sync::Arc;

use heal_engine::Timestamp;
use heal_engine::catalog::Safety;
use heal_engine::message::{ActionCommand, ActionResult, AttemptResult};
use tracing::Instrument as _;

use crate::action::{Action, Call, Performed};
use crate::message::Inbound;
use crate::observe::{self, Observer};
use crate::port::{
    BackendError, ClaimKey, ClaimRequest, ClaimStore, Clock, CooldownKey, Finish, LeaseOwner, Message, Policy,
    QueueName, Reservation, Sender,
};
use crate::span;
use lease::Lease;
use typed::AnyAction;

mod admit;
mod effect;
mod lease;
mod merge;
mod typed;

/// How long a claim is held without a renewal, in milliseconds. A worker renews it while it performs; after a worker that died,
/// the next delivery of the command may go on this much later.
pub const LEASE_MS: u64 = 30_000;
/// How long before its deadline an attempt is given up, in milliseconds: time to store and send the result.
pub const ANSWER_MARGIN_MS: u64 = 500;

/// Performs the commands of one action.
#[derive(Clone)]
pub struct Worker {
    action: Arc<dyn AnyAction>,
    ports: Arc<Ports>,
    schema: Arc<jsonschema::Validator>,
    observer: Arc<dyn Observer>,
}

/// What a worker may touch besides its target.
#[expect(missing_debug_implementations, reason = "ports are behaviour, there is nothing to print")]
pub struct Ports {
    /// Claims and cooldowns.
    pub claims: Arc<dyn ClaimStore>,
    /// Asked before every effect that it has a say in.
    pub policy: Arc<dyn Policy>,
    /// Sends the results.
    pub sender: Arc<dyn Sender>,
    /// The clock that deadlines and leases are set by.
    pub clock: Arc<dyn Clock>,
}

/// What a worker did with a command.
#[derive(Debug, Clone, PartialEq)]
pub enum CommandOutcome {
    /// Its result is on the results queue: acknowledge the message.
    Answered(Box<AttemptResult>),
    /// Another worker holds the claim until then: keep the message, and deliver it again afterwards.
    Busy {
        /// The end of the other worker's lease.
        until: Timestamp,
    },
    /// The claim expired while the attempt was performed, so its result was not stored: keep the message, the next worker recovers.
    Lost,
}

/// Why a command was not answered.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A port is unavailable: keep the message on its queue.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// It will never work: dead-letter the message.
    #[error("failed to read command: {0}")]
    Unreadable(#[from] serde_json::Error),
    /// It came over the wrong queue: dead-letter the message.
    #[error("command is for action `{observed}`, expected `{expected}`")]
    WrongAction {
        /// The command's action.
        observed: String,
        /// The worker's action.
        expected: String,
    },
}

/// A fault in an action's own description, found when its worker is made.
#[derive(Debug, thiserror::Error)]
#[error("the parameter schema of action {action} is not a JSON Schema: {detail}")]
pub struct BadSpec {
    action: &'static str,
    detail: String,
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker").field("action", &self.name()).finish_non_exhaustive()
    }
}

impl Worker {
    /// # Errors
    /// The action's parameter schema is not a JSON Schema.
    pub fn new(action: impl Action, ports: Arc<Ports>) -> Result<Self, BadSpec> {
        let spec = action.spec();
        let schema = jsonschema::validator_for(&spec.parameters);
        let schema = schema.map_err(|error| BadSpec { action: spec.name, detail: error.to_string() })?;
        Ok(Self {
            action: Arc::new(action),
            ports,
            schema: Arc::new(schema),
            observer: Arc::new(observe::NoopObserver),
        })
    }

    /// Notifies `observer` of what happens.
    #[must_use]
    pub fn observed_by(self, observer: Arc<dyn Observer>) -> Self {
        Self { observer, ..self }
    }

    pub(crate) fn observer(&self) -> &dyn Observer {
        &*self.observer
    }

    /// The action's name.
    pub fn name(&self) -> &'static str {
        self.action.description().name
    }

    /// Milliseconds from now to `until`.
    pub(crate) fn wait_ms(&self, until: Timestamp) -> u64 {
        until.since_ms(self.ports.clock.now())
    }

    /// Performs the command in `body`. `holder` is unique to this delivery.
    ///
    /// `latest` is when the platform ends this process's work, if it does: an attempt ends before that, whatever its own deadline.
    ///
    /// # Flow
    /// 1. Read the command.
    /// 2. Take the claim: a finished one is answered again and touches nothing, a live one is another worker's.
    /// 3. Hold the parameters against digest and schema, and parse them, once.
    /// 4. Facts, then the policy, per target.
    /// 5. The cooldowns of the admitted targets.
    /// 6. What the action is about to do is stored in the claim, if the action has a probe that needs it.
    /// 7. Perform, within the deadline, under one idempotency key.
    /// 8. Store the result in the claim, and send it with the attempt's token.
    ///
    /// # Guarantees
    /// No effect before the claim, the policy and the cooldown. An attempt whose earlier worker died is repeated only as far as its action
    /// declares it safe. A result is sent only after it is stored. A read-only action takes no claim and stores nothing: it may read twice.
    ///
    /// # Errors
    /// The command cannot be read, is for another action, or a port is unavailable; see [`Error`].
    pub async fn handle_before(
        &self,
        body: &str,
        holder: LeaseOwner,
        latest: Option<Timestamp>,
    ) -> Result<CommandOutcome, Error> {
        let command: ActionCommand = serde_json::from_str(body)?;
        if command.action != self.name() {
            return Err(Error::WrongAction { observed: command.action, expected: self.name().to_owned() });
        }
        let span = span::attempt(&command);
        self.handle_call(self.call(command, latest), holder).instrument(span).await
    }

    /// As [`Worker::handle_before`], on a platform that sets no end of its own.
    ///
    /// # Errors
    /// As there.
    pub async fn handle(&self, body: &str, holder: LeaseOwner) -> Result<CommandOutcome, Error> {
        self.handle_before(body, holder, None).await
    }

    fn call(&self, command: ActionCommand, latest: Option<Timestamp>) -> Call {
        let end = latest.map_or(command.deadline, |latest| latest.min(command.deadline));
        let deadline = Timestamp(end.0.saturating_sub(ANSWER_MARGIN_MS));
        Call { idempotency_key: command.attempt_key(), deadline, started_at: self.ports.clock.now(), command }
    }

    async fn handle_call(&self, call: Call, holder: LeaseOwner) -> Result<CommandOutcome, Error> {
        let claim = ClaimKey { action: call.command.action.clone(), attempt: call.idempotency_key.clone() };
        let lease = Lease::new(ClaimRequest {
            key: claim.clone(),
            holder: holder.clone(),
            now: call.started_at,
            lease_until: call.started_at.plus_ms(LEASE_MS),
            cooldowns: Vec::new(),
        });
        if self.action.description().safety == Safety::ReadOnly {
            let Performed { result, .. } = self.action.attempt(self, &call, &lease, false).await?;
            return self.conclude(&call, result.capped()).await;
        }
        let recovered = match self.ports.claims.reserve(&lease.with(call.started_at, Vec::new())).await? {
            Reservation::Busy { until } => return Ok(CommandOutcome::Busy { until }),
            Reservation::Finished(result) => {
                self.answer(&call, &result).await?;
                return Ok(CommandOutcome::Answered(result));
            }
            Reservation::Held { recovered, .. } => recovered,
        };
        if recovered {
            self.observer.claim_recovered(self.name());
        }
        let attempted = tokio::select! {
            attempted = self.action.attempt(self, &call, &lease, recovered) => attempted,
            never = self.keep(&lease) => match never {},
        };
        let performed = match attempted {
            Ok(performed) => performed,
            Err(error) => return Err(self.release(&claim, &holder, error).await),
        };
        // What this try did not touch, the earlier worker may have touched.
        let proven_not_applied = if recovered { Vec::new() } else { performed.proven_not_applied };
        let proven_not_applied: Vec<_> =
            proven_not_applied.into_iter().map(|target| CooldownKey { action: claim.action.clone(), target }).collect();
        let result = performed.result.capped();
        match self.ports.claims.finish(&claim, &holder, self.ports.clock.now(), &result, &proven_not_applied).await? {
            Finish::Lost => {
                self.observer.claim_lost(self.name());
                Ok(CommandOutcome::Lost)
            }
            Finish::Stored => self.conclude(&call, result).await,
        }
    }

    /// Nothing was done: releases the claim, so that the next worker neither waits for it nor has to recover it. If this fails too, the lease
    /// expires.
    async fn release(&self, claim: &ClaimKey, holder: &LeaseOwner, error: Error) -> Error {
        if let Err(second) = self.ports.claims.release(claim, holder).await {
            tracing::warn!(
                attempt = claim.attempt,
                error = &second as &dyn std::error::Error,
                "failed to release claim"
            );
        }
        error
    }

    /// Reports the attempt's outcome, and sends its result.
    async fn conclude(&self, call: &Call, result: AttemptResult) -> Result<CommandOutcome, Error> {
        self.observer.attempt_ended(self.name(), &result.outcome);
        tracing::Span::current().record("outcome", result.outcome.as_str());
        self.answer(call, &result).await?;
        Ok(CommandOutcome::Answered(Box::new(result)))
    }

    async fn answer(&self, call: &Call, result: &AttemptResult) -> Result<(), BackendError> {
        let command = &call.command;
        let body = Inbound::Result(Box::new(ActionResult {
            run_id: command.run_id.clone(),
            step: command.step.clone(),
            item: command.item,
            attempt: command.attempt,
            token: command.token.clone(),
            finished_at: self.ports.clock.now(),
            result: result.clone(),
        }));
        let traceparent = heal_telemetry::trace::current().or_else(|| command.context.traceparent.clone());
        let message = Message { queue: QueueName::Results, body: body.to_body(), delay_ms: 0, traceparent };
        self.ports.sender.send(vec![message]).await
    }
}
