//! One attempt, performed: the flow that every action goes through, wherever it runs.
//!
//! It has hands and no memory: it touches its own target, its claim and cooldown rows and the results queue, and nothing else.

use std::sync::Arc;

use heal_engine::catalog::Safety;
use heal_engine::id::Digest;
use heal_engine::message::{ActionCommand, ActionResult, AttemptOutcome, AttemptResult};
use heal_engine::{Map, Timestamp};
use serde_json::Value;
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

mod admit;
mod effect;
mod lease;
mod merge;

/// How long a claim is held without a sign of life, in milliseconds. A worker renews it while it performs; after one that died,
/// the next delivery of the command may go on this much later.
pub const LEASE_MS: u64 = 30_000;
/// How long before its deadline an attempt is given up, in milliseconds: time to store and send the result.
pub const ANSWER_MARGIN_MS: u64 = 500;

/// Performs the commands of one action.
#[derive(Clone)]
pub struct Worker {
    action: Arc<dyn Action>,
    ports: Arc<Ports>,
    parameters: Arc<jsonschema::Validator>,
    observer: Arc<dyn Observer>,
}

/// What a worker may touch besides its target.
#[expect(missing_debug_implementations, reason = "ports are behaviour, there is nothing to print")]
pub struct Ports {
    pub claims: Arc<dyn ClaimStore>,
    pub policy: Arc<dyn Policy>,
    pub sender: Arc<dyn Sender>,
    pub clock: Arc<dyn Clock>,
}

/// What became of a command.
#[derive(Debug, Clone, PartialEq)]
pub enum CommandOutcome {
    /// Its result is on the results queue: the message may go.
    Answered(Box<AttemptResult>),
    /// Another worker is at it until then: the message has to stay, and is worth looking at again afterwards.
    Busy { until: Timestamp },
    /// The claim ran out while the attempt was performed, so its result was not taken: the message has to stay, and whoever gets it recovers.
    Lost,
}

/// Why a command was not answered. The message stays on its queue.
#[derive(Debug, thiserror::Error)]
pub enum AttemptError {
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// It will never work: the message belongs in the dead letters.
    #[error("command cannot be read: {0}")]
    Unreadable(#[from] serde_json::Error),
    #[error("command is for action `{asked}`, this is `{own}`")]
    WrongAction { asked: String, own: String },
}

/// A fault in an action's own description, found when its worker is made.
#[derive(Debug, thiserror::Error)]
#[error("the parameter schema of action {action} is no JSON Schema: {detail}")]
pub struct BadSpec {
    action: &'static str,
    detail: String,
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker").field("action", &self.action.spec().name).finish_non_exhaustive()
    }
}

impl Worker {
    /// # Errors
    /// The action's parameter schema is no JSON Schema.
    pub fn new(action: Arc<dyn Action>, ports: Arc<Ports>) -> Result<Self, BadSpec> {
        let spec = action.spec();
        let parameters = jsonschema::validator_for(&spec.parameters);
        let parameters = parameters.map_err(|error| BadSpec { action: spec.name, detail: error.to_string() })?;
        Ok(Self { action, ports, parameters: Arc::new(parameters), observer: Arc::new(observe::NoopObserver) })
    }

    /// Tells `observer` of what happens.
    #[must_use]
    pub fn observed_by(self, observer: Arc<dyn Observer>) -> Self {
        Self { observer, ..self }
    }

    pub(crate) fn observer(&self) -> &dyn Observer {
        &*self.observer
    }

    /// The action's name.
    pub fn name(&self) -> &'static str {
        self.action.spec().name
    }

    /// Milliseconds from now to `until`.
    pub(crate) fn wait_ms(&self, until: Timestamp) -> u64 {
        until.since_ms(self.ports.clock.now())
    }

    /// Performs the command in `body`. `holder` is unique to this delivery.
    ///
    /// `latest` is when the platform ends this process's work, if it does: an attempt is over before that, whatever its own deadline.
    ///
    /// # Flow
    /// 1. Read the command, and hold its parameters against the schema.
    /// 2. Take the claim: a finished one is answered again and touches nothing, a live one is another worker's.
    /// 3. Facts, then the policy, per target.
    /// 4. The cooldowns of what was let through.
    /// 5. Act, within the deadline, under one idempotency key.
    /// 6. Store the result in the claim, and send it with the attempt's token.
    ///
    /// # Guarantees
    /// No effect before the claim, the policy and the cooldown. An attempt whose earlier worker died is repeated only as far as its action
    /// declares it safe. A result is sent only after it is stored. An action that only looks takes no claim and stores nothing: it may look twice.
    pub async fn handle_before(
        &self,
        body: &str,
        holder: LeaseOwner,
        latest: Option<Timestamp>,
    ) -> Result<CommandOutcome, AttemptError> {
        let command: ActionCommand = serde_json::from_str(body)?;
        if command.action != self.name() {
            return Err(AttemptError::WrongAction { asked: command.action, own: self.name().to_owned() });
        }
        let span = span::attempt(&command);
        self.handle_call(self.call(command, latest), holder).instrument(span).await
    }

    async fn handle_call(&self, call: Call, holder: LeaseOwner) -> Result<CommandOutcome, AttemptError> {
        let claim = ClaimKey { action: call.command.action.clone(), attempt: call.idempotency_key.clone() };
        let request = ClaimRequest {
            key: claim.clone(),
            holder: holder.clone(),
            now: call.started_at,
            lease_until: call.started_at.plus_ms(LEASE_MS),
            cooldowns: Vec::new(),
        };
        let lease = Lease::new(request);
        if self.is_read_only() {
            return self.look(&call, &lease).await;
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
        let Performed { result, proven_not_applied } = match self.refusal(&call) {
            Some(refusal) if !recovered => Performed::from(refusal),
            _ => {
                let attempted = tokio::select! {
                    attempted = self.attempt(&call, &lease, recovered) => attempted,
                    never = self.keep(&lease) => match never {},
                };
                match attempted {
                    Ok(performed) => performed,
                    Err(error) => return Err(self.let_go(&claim, &holder, error).await),
                }
            }
        };
        // What this try did not touch, the earlier worker may have touched.
        let proven_not_applied = if recovered { Vec::new() } else { proven_not_applied };
        let result = result.capped();
        let proven_not_applied: Vec<_> =
            proven_not_applied.into_iter().map(|target| CooldownKey { action: claim.action.clone(), target }).collect();
        match self.ports.claims.finish(&claim, &holder, self.ports.clock.now(), &result, &proven_not_applied).await? {
            Finish::Lost => {
                self.observer.claim_lost(self.name());
                Ok(CommandOutcome::Lost)
            }
            Finish::Stored => self.conclude(&call, result).await,
        }
    }

    /// As [`Worker::handle_before`], on a platform that leaves all the time there is.
    pub async fn handle(&self, body: &str, holder: LeaseOwner) -> Result<CommandOutcome, AttemptError> {
        self.handle_before(body, holder, None).await
    }

    fn is_read_only(&self) -> bool {
        self.action.spec().safety == Safety::ReadOnly
    }

    /// An attempt that changes nothing, from its facts to its answer.
    async fn look(&self, call: &Call, lease: &Lease) -> Result<CommandOutcome, AttemptError> {
        let Performed { result, .. } = match self.refusal(call) {
            Some(refusal) => refusal.into(),
            None => self.attempt(call, lease, false).await?,
        };
        self.conclude(call, result.capped()).await
    }

    /// The attempt has ended this way: told, and sent.
    async fn conclude(&self, call: &Call, result: AttemptResult) -> Result<CommandOutcome, AttemptError> {
        self.observer.attempt_ended(self.name(), &result.outcome);
        tracing::Span::current().record("outcome", result.outcome.as_str());
        self.answer(call, &result).await?;
        Ok(CommandOutcome::Answered(Box::new(result)))
    }

    /// Nothing was done, and the claim should not make the next worker wait, or doubt it. Where this fails too, the lease runs out.
    async fn let_go(&self, claim: &ClaimKey, holder: &LeaseOwner, error: AttemptError) -> AttemptError {
        if let Err(second) = self.ports.claims.release(claim, holder).await {
            tracing::warn!(
                attempt = claim.attempt,
                error = &second as &dyn std::error::Error,
                "claim could not be released"
            );
        }
        error
    }

    fn call(&self, command: ActionCommand, latest: Option<Timestamp>) -> Call {
        let end = latest.map_or(command.deadline, |latest| latest.min(command.deadline));
        let deadline = Timestamp(end.0.saturating_sub(ANSWER_MARGIN_MS));
        Call { idempotency_key: command.attempt_key(), deadline, started_at: self.ports.clock.now(), command }
    }

    /// The result of a command that must not be performed at all.
    fn refusal(&self, call: &Call) -> Option<AttemptResult> {
        let command = &call.command;
        let observed = digest(&command.parameters);
        if observed != command.parameters_digest {
            let message =
                format!("the parameters have digest {observed}, authorised were {}", command.parameters_digest);
            return Some(AttemptResult::failed("parameters_changed", message));
        }
        let parameters = Value::Object(command.parameters.clone());
        let faults: Vec<_> = self.parameters.iter_errors(&parameters).map(|error| fault(&error)).collect();
        if !faults.is_empty() {
            return Some(AttemptResult::failed("bad_parameters", faults.join("; ")));
        }
        (call.started_at >= call.deadline).then(|| {
            let message = format!(
                "the command came {} ms after the last moment to start",
                call.started_at.since_ms(call.deadline)
            );
            AttemptResult::new(AttemptOutcome::TimedOut { message })
        })
    }

    /// Steps 3 to 5, and before them what an earlier worker may have left.
    ///
    /// # Errors
    /// Only before anything was done.
    async fn attempt(&self, call: &Call, lease: &Lease, recovered: bool) -> Result<Performed, AttemptError> {
        let targets = match self.action.targets(call) {
            Ok(targets) => targets,
            Err(result) => return Ok(result.into()),
        };
        if recovered && let Some(done) = self.recover(call, &targets).await {
            return Ok(done.into());
        }
        if let Some(refusal) = self.refusal(call) {
            return Ok(refusal.into());
        }
        let admission = self.admit(call, lease, targets).await?;
        let performed = if admission.admitted.is_empty() {
            None
        } else {
            let performed = self.perform(call, lease, &admission.admitted).await;
            self.restamp(call, lease, &admission.admitted, &performed).await;
            Some(performed)
        };
        Ok(merge::merge(admission, performed))
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

fn digest(parameters: &Map) -> Digest {
    heal_engine::message::digest_parameters(parameters)
}

/// `parameters/ticket_id: …`
fn fault(error: &jsonschema::ValidationError<'_>) -> String {
    let mut text = error.to_string();
    heal_engine::message::cut(&mut text, 200);
    format!("parameters{}: {text}", error.instance_path())
}
