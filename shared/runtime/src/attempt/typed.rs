//! The part of an attempt that knows its action's types, and the door to it that does not.

use async_trait::async_trait;
use heal_engine::catalog::ActionSpec;
use heal_engine::id::Digest;
use heal_engine::message::{ActionCommand, AttemptOutcome, AttemptResult};
use serde_json::Value;

use super::lease::Lease;
use super::{NotStarted, Watch, Worker, merge};
use crate::action::{Action, Call, Performed, Target, log};

/// An [`Action`] whatever its types are: a worker holds one of these, so that a host can hold workers of many actions.
#[async_trait]
pub(super) trait AnyAction: Send + Sync {
    fn description(&self) -> &ActionSpec;

    /// Everything of one try of an attempt between its claim and its result.
    ///
    /// # Errors
    /// Only before anything was done.
    async fn attempt(&self, worker: &Worker, current: Try<'_>) -> Result<Performed, NotStarted>;
}

/// One try of an attempt.
pub(super) struct Try<'a> {
    pub call: &'a Call,
    pub lease: &'a Lease,
    pub watch: &'a Watch<'a>,
    /// An earlier worker, or an earlier try, may have acted.
    pub recovered: bool,
}

#[async_trait]
impl<A: Action> AnyAction for A {
    fn description(&self) -> &ActionSpec {
        self.spec()
    }

    async fn attempt(&self, worker: &Worker, current: Try<'_>) -> Result<Performed, NotStarted> {
        let Try { call, lease, watch, recovered } = current;
        let unauthorised = worker.unauthorised(&call.command);
        if let Some(result) = &unauthorised
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
        let attempt = Attempt { worker, action: self, call, parameters: &parameters, lease, watch };
        if recovered && let Some(result) = attempt.recover(&targets).await? {
            return Ok(result.into());
        }
        match unauthorised {
            Some(result) => Ok(refused(call, result)),
            None => attempt.perform_admitted(targets).await,
        }
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
}

impl<A: Action> Attempt<'_, A> {
    async fn perform_admitted(&self, targets: Vec<Target>) -> Result<Performed, NotStarted> {
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
        let admission = self.admit(targets).await?;
        if let Some(result) = merge::approval_needed(&admission) {
            return Ok(result.into());
        }
        let performed = if admission.admitted.is_empty() {
            None
        } else {
            self.store_intent(&admission.admitted).await?;
            let performed = self.perform(&admission.admitted).await?;
            self.restart_cooldowns(&admission.admitted, &performed).await;
            Some(performed)
        };
        let is_untouched = performed.as_ref().is_none_or(|performed| performed.is_untouched(&admission.admitted));
        let freed = performed.as_ref().map(|performed| performed.cooldowns_to_free(&admission.admitted));
        let mut merged = merge::merge(admission, performed);
        merged.proven_not_applied = freed.unwrap_or_default();
        merged.result.not_applied = is_untouched && merge::can_be_not_applied(&merged.result);
        Ok(merged)
    }

    /// Logs the guide's event of a failure that the driver found, for each target.
    pub(super) fn log_failed<'t>(&self, targets: impl IntoIterator<Item = &'t Target>, message: &str) {
        targets.into_iter().for_each(|target| log::failed(self.call, &target.id, &message, None));
    }
}

impl Worker {
    /// The result of a command whose parameters are not those that were authorised, or do not fit the schema.
    fn unauthorised(&self, command: &ActionCommand) -> Option<AttemptResult> {
        let parameters = Value::Object(command.parameters.clone());
        let observed = Digest::of(parameters.to_string().as_bytes());
        if observed != command.parameters_digest {
            let message =
                format!("the parameters have digest {observed}, authorised were {}", command.parameters_digest);
            return Some(AttemptResult::failed("parameters_changed", message));
        }
        let faults: Vec<_> = self.schema.iter_errors(&parameters).map(|error| fault(&error)).collect();
        (!faults.is_empty()).then(|| bad_parameters(faults.join("; ")))
    }
}

/// # Errors
/// A failed attempt that names the parameter: the schema let something through that the type does not.
fn parse<P: serde::de::DeserializeOwned>(command: &ActionCommand) -> Result<P, AttemptResult> {
    serde_json::from_value(Value::Object(command.parameters.clone()))
        .map_err(|error| bad_parameters(format!("parameters of {}: {error}", command.action)))
}

fn bad_parameters(message: String) -> AttemptResult {
    AttemptResult::failed("bad_parameters", message)
}

/// Such a command names no target that could be trusted.
fn refused(call: &Call, result: AttemptResult) -> Performed {
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
