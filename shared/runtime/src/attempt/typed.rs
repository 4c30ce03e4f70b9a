//! The part of an attempt that knows its action's types, and the door to it that does not.

use async_trait::async_trait;
use heal_engine::catalog::ActionSpec;
use heal_engine::message::{ActionCommand, AttemptOutcome, AttemptResult};
use heal_guard::Halt;
use serde_json::Value;
use tracing::Dispatch;

use super::bounds::Counted;
use super::earlier::Earlier;
use super::lease::Lease;
use super::{NotStarted, Watch, Worker, merge, record};
use crate::action::{Action, Call, Target, log};
use crate::port::{BackendError, CooldownKey};
use crate::trouble;

/// An [`Action`] whatever its types are: a worker holds one of these, so that a host can hold workers of many actions.
#[async_trait]
pub(super) trait AnyAction: Send + Sync {
    fn description(&self) -> &ActionSpec;

    /// Everything of one try of an attempt between its claim and its result.
    ///
    /// # Errors
    /// Only before anything was done.
    async fn attempt(&self, worker: &Worker, current: Try<'_>) -> Result<Attempted, NotStarted>;

    /// What the targets of the authorised `call` will count in; empty if its parameters are at fault, which the attempt itself finds.
    fn announce(&self, worker: &Worker, call: &Call, storms: &[Halt]) -> Vec<Counted>;
}

/// What one try did.
#[derive(Debug)]
pub(super) struct Attempted {
    pub result: AttemptResult,
    /// The targets whose effect is proven not to have happened: what they reserved is free again.
    pub proven_not_applied: Vec<CooldownKey>,
}

impl From<AttemptResult> for Attempted {
    /// Nothing was reserved.
    fn from(result: AttemptResult) -> Self {
        Self { result, proven_not_applied: Vec::new() }
    }
}

/// One try of an attempt.
pub(super) struct Try<'a> {
    pub call: &'a Call,
    pub lease: &'a Lease,
    pub watch: &'a Watch<'a>,
    /// The storms of the action's service that let a trickle of effects pass.
    pub storms: &'a [Halt],
    /// An earlier worker, or an earlier try, may have acted.
    pub recovered: bool,
    /// The result of the call if its parameters may not be used.
    pub unauthorised: Option<&'a AttemptResult>,
}

#[async_trait]
impl<A: Action> AnyAction for A {
    fn description(&self) -> &ActionSpec {
        self.spec()
    }

    fn announce(&self, worker: &Worker, call: &Call, storms: &[Halt]) -> Vec<Counted> {
        // A late command is given back at once, and what it announced would have to be freed.
        let is_late = call.started_at >= call.deadline.min(call.command.deadline);
        if is_late || call.command.shadow {
            return Vec::new();
        }
        let Ok(parameters) = parse(&call.command) else { return Vec::new() };
        // An action logs what is wrong with its targets; the attempt itself asks for them again, and then it is logged. `none` is known to tracing:
        // another subscriber would make it ask every call site of the process anew, each time.
        let targets = tracing::dispatcher::with_default(&Dispatch::none(), || self.targets(call, &parameters));
        let count = |target: &Target| worker.bounds.count(self.spec(), call, target, storms).ok();
        targets.unwrap_or_default().iter().filter_map(count).filter(|counted| !counted.is_free()).collect()
    }

    async fn attempt(&self, worker: &Worker, current: Try<'_>) -> Result<Attempted, NotStarted> {
        let Try { call, lease, watch, storms, recovered, unauthorised } = current;
        // An earlier worker of a shadow run's attempt has not acted either.
        let recovered = recovered && !call.command.shadow;
        if let Some(result) = unauthorised
            && !recovered
        {
            return Ok(refused(call, result.clone()));
        }
        let parameters = match parse(&call.command) {
            Ok(parameters) => parameters,
            Err(result) => return Ok(refused(call, result)),
        };
        let targets = match self.targets(call, &parameters) {
            Ok(targets) => targets,
            Err(result) => return Ok(result.into()),
        };
        let mut attempt =
            Attempt { worker, action: self, call, parameters: &parameters, lease, watch, takes_over: None, storms };
        if recovered && let Some(result) = attempt.recover(&targets).await? {
            return Ok(result.into());
        }
        if let Some(result) = unauthorised {
            return Ok(refused(call, result.clone()));
        }
        match attempt.earlier(&targets).await? {
            Earlier::Nothing => {}
            Earlier::Done(result) => return Ok((*result).into()),
            Earlier::NotDone(earlier) => attempt.takes_over = Some(earlier),
        }
        attempt.unless_halted(&targets.iter().collect::<Vec<_>>()).await?;
        attempt.perform_admitted(targets).await
    }
}

/// One attempt in progress: who makes it, for which call, under which claim.
pub(super) struct Attempt<'a, A: Action> {
    pub worker: &'a Worker,
    pub action: &'a A,
    pub call: &'a Call,
    pub parameters: &'a A::Parameters,
    pub lease: &'a Lease,
    pub watch: &'a Watch<'a>,
    /// The earlier attempt of the step that is proven not to have acted, and whose reservations this one takes over.
    pub takes_over: Option<String>,
    pub storms: &'a [Halt],
}

impl<A: Action> Attempt<'_, A> {
    async fn perform_admitted(&self, targets: Vec<Target>) -> Result<Attempted, NotStarted> {
        let Call { command, started_at, deadline, .. } = self.call;
        if command.timeout_ms.is_some() && (started_at >= deadline || *started_at >= command.deadline) {
            return Err(NotStarted::Late);
        }
        if started_at >= deadline {
            let late_ms = started_at.since_ms(*deadline);
            let message = format!("the command arrived {late_ms} ms after the last moment to start");
            self.log_failed(targets.iter(), &message);
            let result = AttemptResult::new(AttemptOutcome::TimedOut { message });
            return Ok(AttemptResult { not_applied: true, ..result }.into());
        }
        let mut admission = self.admit(targets).await?;
        if let Some(trouble) = trouble::noted() {
            // What was read, or what the policy said, may be that of this process's trouble: nothing is done on it.
            return Err(BackendError::unavailable("attempt", trouble).into());
        }
        if let Some(result) = merge::approval_needed(&admission) {
            return Ok(AttemptResult { decisions: record::values(admission.decisions), ..result }.into());
        }
        let performed = if admission.admitted.is_empty() {
            None
        } else if self.is_shadow() {
            Some(self.shadow(&admission.admitted).await)
        } else {
            if !admission.intent_stored {
                self.store_intent(&admission.admitted).await?;
            }
            self.secure_claim().await?;
            let targets: Vec<_> = admission.admitted.iter().map(|admitted| &admitted.target).collect();
            self.unless_halted(&targets).await?;
            let performed = self.perform(&admission.admitted).await?;
            self.restart_reservations(&admission.admitted, &admission.counted, &performed).await;
            Some(performed)
        };
        let is_untouched = performed.as_ref().is_none_or(|performed| performed.is_untouched(&admission.admitted));
        let freed = performed.as_ref().map(|performed| performed.untouched(&admission.admitted, &admission.counted));
        let decisions = std::mem::take(&mut admission.decisions);
        let mut result = merge::merge(admission, performed.map(|performed| performed.result));
        result.not_applied = is_untouched && merge::can_be_not_applied(&result);
        result.decisions = record::values(decisions);
        Ok(Attempted { result, proven_not_applied: freed.unwrap_or_default() })
    }

    /// Logs the guide's event of a failure that the driver found, for each target.
    pub(super) fn log_failed<'t>(&self, targets: impl IntoIterator<Item = &'t Target>, message: &str) {
        targets.into_iter().for_each(|target| log::failed(self.call, &target.id, &message, None));
    }
}

impl Worker {
    /// The result of a command whose parameters are not those that were authorised, or do not fit the schema.
    pub(super) fn unauthorised(&self, command: &ActionCommand) -> Option<AttemptResult> {
        if let Err(observed) = command.check_digest() {
            let message =
                format!("the parameters have digest {observed}, authorised were {}", command.parameters_digest);
            return Some(AttemptResult::failed("parameters_changed", message));
        }
        let parameters = Value::Object(command.parameters.clone());
        let faults: Vec<_> = self.schema.iter_errors(&parameters).map(|error| fault(&error)).collect();
        (!faults.is_empty()).then(|| bad_parameters(faults.join("; ")))
    }
}

/// # Errors
/// A failed attempt that names the parameter: the schema let something through that the type does not.
fn parse<P: serde::de::DeserializeOwned>(command: &ActionCommand) -> Result<P, AttemptResult> {
    P::deserialize(&command.parameters)
        .map_err(|error| bad_parameters(format!("parameters of {}: {error}", command.action)))
}

fn bad_parameters(message: String) -> AttemptResult {
    AttemptResult::failed("bad_parameters", message)
}

/// Such a command names no target that could be trusted.
fn refused(call: &Call, result: AttemptResult) -> Attempted {
    if let AttemptOutcome::Failed { message, .. } = &result.outcome {
        log::failed(call, "", message, None);
    }
    result.into()
}

/// `parameters/ticket_id: …`
fn fault(error: &jsonschema::ValidationError<'_>) -> String {
    let mut text = error.to_string();
    heal_engine::message::cut(&mut text, 200);
    format!("parameters{}: {text}", error.instance_path())
}
