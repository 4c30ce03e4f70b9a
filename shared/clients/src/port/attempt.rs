//! Between an attempt and a client's call: what the call is given, and what its failure means.

use std::time::{Duration, Instant};

use heal_runtime::action::{Call, log};
use heal_runtime::port::Clock;
use heal_runtime::{AttemptOutcome, AttemptResult};

use crate::call::CallContext;
use crate::error::{Effect, Error, RefusalKind};
use crate::{orchestrator, tickets};

/// How long before its attempt's deadline a call is over, in milliseconds: time to say what became of it.
pub const CALL_MARGIN_MS: u64 = 100;

/// What is kept of an attempt's time for a look at the target after a lost answer, in milliseconds: this, or a quarter where that is less.
pub const LOOK_RESERVE_MS: u64 = 2_000;

/// What a person does where the engine could not; each a sentence with the ids, without a full stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manual {
    /// Nothing has happened.
    pub act: String,
    /// It may have happened.
    pub look: String,
}

/// The deadline, key and trace of an attempt, for the calls that it makes. `clock` is the one that the attempt's deadline was set by.
pub fn context(call: &Call, clock: &dyn Clock) -> CallContext {
    let left = call.deadline.since_ms(clock.now()).saturating_sub(CALL_MARGIN_MS);
    CallContext {
        idempotency_key: Some(call.idempotency_key.clone()),
        traceparent: call.command.context.traceparent.clone(),
        deadline: Instant::now() + Duration::from_millis(left),
    }
}

/// The same for the changing calls of the attempt: over so early that the target can still be looked at, under `context` itself.
pub fn reserve_time_for_confirmation(context: &CallContext) -> CallContext {
    let left = context.deadline.saturating_duration_since(Instant::now());
    let reserve = Duration::from_millis(LOOK_RESERVE_MS).min(left / 4);
    CallContext { deadline: context.deadline.checked_sub(reserve).unwrap_or(context.deadline), ..context.clone() }
}

/// How an attempt ends whose call for `target` did not work, said in the log too.
///
/// Out of reach is [`AttemptOutcome::Unavailable`] with what a person has to do, so that the playbook's `on_unavailable` decides. A refusal,
/// and an argument that cannot be sent, is a permanent failure.
pub fn ended(call: &Call, target: &str, error: &Error, manual: &Manual) -> AttemptResult {
    let (ending, event) = match error {
        Error::Unavailable(outage) => {
            let ending = AttemptOutcome::Unavailable {
                service: outage.service.to_owned(),
                message: error.to_string(),
                retry_after_ms: error.retry_after().map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
            };
            (ending, unavailable_event(outage.service))
        }
        Error::Refused(refusal) => (failure(refusal_code(refusal.kind), error), failed_event(call)),
        Error::Invalid { .. } => (failure("bad_parameters", error), failed_event(call)),
    };
    let follow_up = match (error.effect(), error) {
        (Effect::Unknown, _) => Some(&manual.look),
        (Effect::NotApplied, Error::Unavailable(_)) => Some(&manual.act),
        // The engine's own words do where nothing is left open.
        (Effect::NotApplied, Error::Refused(_) | Error::Invalid { .. }) => None,
    };
    log::failed(call, &event, target, error, follow_up.map(String::as_str));
    AttemptResult { follow_up: follow_up.into_iter().cloned().collect(), ..AttemptResult::new(ending) }
}

/// A permanent failure that the action itself found, said in the log too.
pub fn failed(call: &Call, target: &str, code: &str, message: String) -> AttemptResult {
    log::failed(call, &failed_event(call), target, &message, None);
    AttemptResult::failed(code, message)
}

fn failure(code: &str, error: &Error) -> AttemptOutcome {
    AttemptOutcome::Failed { code: code.to_owned(), message: error.to_string(), retryable: false }
}

/// What a playbook author can look up.
fn refusal_code(kind: RefusalKind) -> &'static str {
    match kind {
        RefusalKind::NotFound => "not_found",
        RefusalKind::Precondition => "precondition_failed",
        RefusalKind::BadRequest => "bad_request",
        RefusalKind::Forbidden => "forbidden",
        RefusalKind::Redirect => "redirected",
        RefusalKind::BadAnswer => "bad_answer",
        RefusalKind::Other => "refused",
    }
}

/// The guide's log event for a service that is out of reach.
fn unavailable_event(service: &str) -> String {
    let client = match service {
        tickets::SERVICE => "execution_ticket_client",
        orchestrator::SERVICE => "orchestrator_client",
        other => return format!("playbook_executor.{other}_client_unavailable"),
    };
    format!("playbook_executor.{client}_unavailable")
}

fn failed_event(call: &Call) -> String {
    format!("playbook_executor.{}_failed", call.command.action)
}
