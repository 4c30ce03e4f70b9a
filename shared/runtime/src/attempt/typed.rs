//! The part of an attempt that knows its action's types, and the door to it that does not.

use async_trait::async_trait;
use heal_engine::catalog::ActionSpec;
use heal_engine::id::Digest;
use heal_engine::message::{ActionCommand, AttemptOutcome, AttemptResult};
use serde_json::Value;

use super::lease::Lease;
use super::{Error, Worker, merge};
use crate::action::{Action, Call, Performed, Target, log};

/// An [`Action`] whatever its types are: a worker holds one of these, so that a host can hold workers of many actions.
#[async_trait]
pub(super) trait AnyAction: Send + Sync {
    fn description(&self) -> &ActionSpec;

    /// Everything of an attempt between its claim and its result. `recovered` says that an earlier worker may have acted.
    ///
    /// # Errors
    /// Only before anything was done.
    async fn attempt(&self, worker: &Worker, call: &Call, lease: &Lease, recovered: bool) -> Result<Performed, Error>;
}

#[async_trait]
impl<A: Action> AnyAction for A {
    fn description(&self) -> &ActionSpec {
        self.spec()
    }

    async fn attempt(&self, worker: &Worker, call: &Call, lease: &Lease, recovered: bool) -> Result<Performed, Error> {
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
        let attempt = Attempt { worker, action: self, call, parameters: &parameters, lease };
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
}

impl<A: Action> Attempt<'_, A> {
    async fn perform_admitted(&self, targets: Vec<Target>) -> Result<Performed, Error> {
        if self.call.started_at >= self.call.deadline {
            let late_ms = self.call.started_at.since_ms(self.call.deadline);
            let message = format!("the command arrived {late_ms} ms after the last moment to start");
            self.log_failed(targets.iter(), &message);
            return Ok(AttemptResult::new(AttemptOutcome::TimedOut { message }).into());
        }
        let admission = self.admit(targets).await?;
        let performed = if admission.admitted.is_empty() {
            None
        } else {
            self.store_intent(&admission.admitted).await?;
            let performed = self.perform(&admission.admitted).await;
            self.restart_cooldowns(&admission.admitted, &performed).await;
            Some(performed)
        };
        Ok(merge::merge(admission, performed))
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
