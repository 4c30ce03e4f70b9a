//! One attempt: the flow that every action goes through, wherever it runs.
//!
//! An attempt touches its own target, its claim, cooldown and budget rows and the results queue, and nothing else. Its memory is the claim.

use std::sync::Arc;

use heal_engine::Timestamp;
use heal_engine::message::{ActionCommand, AttemptResult, Hold};
use heal_guard::Guardrails;
use tracing::Instrument as _;

use crate::action::Action;
use crate::freeze::FreezeWatch;
use crate::halts::HaltCache;
use crate::observe::{self, Observer};
use crate::port::{BackendError, ClaimStore, Clock, CooldownKey, LeaseOwner, Policy, Sender};
use crate::span;
pub(crate) use answer::{Answer, Ends};
use bounds::Bounds;
pub(crate) use bounds::Counted;
use typed::AnyAction;
pub(crate) use variables::EffectVariables;

mod admit;
mod answer;
mod ask;
mod bounds;
mod earlier;
mod effect;
mod flow;
mod halted;
mod lease;
mod merge;
mod population;
mod record;
mod report;
mod reserve;
mod shadow;
mod storm;
mod typed;
mod variables;

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
    bounds: Arc<Bounds>,
    observer: Arc<dyn Observer>,
    /// `None` if answers go over the results queue.
    ends: Option<Arc<dyn Ends>>,
}

/// What a worker may touch besides its target.
#[expect(missing_debug_implementations, reason = "ports are behaviour, there is nothing to print")]
pub struct Ports {
    /// Claims, cooldowns and budgets.
    pub claims: Arc<dyn ClaimStore>,
    /// Asked before every effect that it has a say in.
    pub policy: Arc<dyn Policy>,
    /// The halts, which stop an effect before anything is done.
    pub halts: Arc<HaltCache>,
    /// Sends the results.
    pub sender: Arc<dyn Sender>,
    /// The clock that deadlines and leases are set by.
    pub clock: Arc<dyn Clock>,
    /// The bounds that people set.
    pub guardrails: Arc<Guardrails>,
}

/// What a worker did with a command.
#[derive(Debug, Clone, PartialEq)]
pub enum CommandOutcome {
    /// Its result is on the results queue: acknowledge the message.
    Answered(Box<AttemptResult>),
    /// It came after its last moment to start, and nothing was done: the dispatcher is notified, and issues it again. Acknowledge the message.
    Late,
    /// Its effect is halted, and nothing was done: the dispatcher is notified, and holds the run. Acknowledge the message.
    Held,
    /// Another worker holds the claim until then: keep the message, and deliver it again afterwards.
    Busy {
        /// The end of the other worker's lease.
        until: Timestamp,
    },
    /// The claim expired while the attempt was performed, so its result was not stored: keep the message, the next worker recovers.
    Lost,
}

/// Why a try did not start: nothing was done.
#[derive(Debug)]
enum NotStarted {
    /// Its last moment to start has passed, or its platform's end is too near.
    Late,
    /// Its effect is halted.
    Halted {
        /// What halts it.
        hold: Box<Hold>,
        /// The targets that it may have reserved.
        reserved: Vec<CooldownKey>,
    },
    /// A port is unavailable.
    Backend(BackendError),
}

impl From<BackendError> for NotStarted {
    fn from(error: BackendError) -> Self {
        Self::Backend(error)
    }
}

/// Watches a try by the clock of its worker.
type Watch<'a> = FreezeWatch<&'a (dyn Fn() -> Timestamp + Send + Sync)>;

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

/// A fault in what a worker is made of: its action's own description, or the guardrails.
#[derive(Debug, thiserror::Error)]
pub enum BadSpec {
    /// The parameter schema is not a JSON Schema.
    #[error("the parameter schema of action {action} is not a JSON Schema: {detail}")]
    Schema {
        /// The action's name.
        action: &'static str,
        /// What is wrong with the schema.
        detail: String,
    },
    /// The key of a budget is not a template.
    #[error("the guardrails of action {action} cannot be used: {detail}; correct the key of the budget")]
    Guardrails {
        /// The action's name.
        action: &'static str,
        /// The budget, and what is wrong with its key.
        detail: String,
    },
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker").field("action", &self.name()).finish_non_exhaustive()
    }
}

impl Worker {
    /// # Errors
    /// The action's parameter schema is not a JSON Schema, or the key of a budget is not a template.
    pub fn new(action: impl Action, ports: Arc<Ports>) -> Result<Self, BadSpec> {
        let spec = action.spec();
        let schema = jsonschema::validator_for(&spec.parameters);
        let schema = schema.map_err(|error| BadSpec::Schema { action: spec.name, detail: error.to_string() })?;
        let bounds = Bounds::compile(&ports.guardrails, spec);
        let bounds = bounds.map_err(|detail| BadSpec::Guardrails { action: spec.name, detail })?;
        Ok(Self {
            bounds: Arc::new(bounds),
            action: Arc::new(action),
            ports,
            schema: Arc::new(schema),
            observer: Arc::new(observe::NoopObserver),
            ends: None,
        })
    }

    /// Ends its attempts by `ends`.
    pub(crate) fn ending_by(self, ends: Arc<dyn Ends>) -> Self {
        Self { ends: Some(ends), ..self }
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
    /// The attempt's time counts from now. `latest` is when the platform ends this process's work, if it does: an attempt ends before that,
    /// whatever time it has.
    ///
    /// # Flow
    /// 1. Read the command.
    /// 2. Take the claim: a finished one is answered again and touches nothing, a live one is another worker's.
    /// 3. Hold the parameters against digest and schema, and parse them, once.
    /// 4. The halts, unless the action only reads; then facts and policy, per target.
    /// 5. The cooldowns and budgets of the targets, and what the action is about to do, if it has a probe that needs it. The guard decides on
    ///    each target.
    /// 6. The halts once more, if they were read too long ago. Perform, within the deadline, under one idempotency key.
    /// 7. After a freeze of this process that left the outcome open, the same again from 3, as after a lost worker.
    /// 8. Store the result in the claim, and send it with the attempt's token.
    ///
    /// # Guarantees
    /// No effect before the claim, and none that the guard does not let proceed. An attempt whose earlier worker died is repeated only as far as its action
    /// declares it safe. A command after its last moment to start does nothing, and its claim is free again. A halted command does nothing, and its claim is closed: a
    /// duplicate of it does nothing either, and the attempt after it has a claim of its own. A result is sent only after it is stored. A read-only action takes no claim and stores nothing: it may read twice.
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
        self.perform_command(command, latest, holder).instrument(span).await
    }

    /// As [`Worker::handle_before`], on a platform that sets no end of its own.
    ///
    /// # Errors
    /// As there.
    pub async fn handle(&self, body: &str, holder: LeaseOwner) -> Result<CommandOutcome, Error> {
        self.handle_before(body, holder, None).await
    }
}
