//! Between an attempt and a client's call: the call's deadline and key, and what its failure means for the attempt.

use std::time::Duration;

use heal_runtime::action::{Call, log};
use heal_runtime::port::Clock;
use heal_runtime::{AttemptOutcome, AttemptResult};
use tokio::time::Instant;

use crate::call::CallContext;
use crate::error::{Effect, Error, RefusalKind};
use crate::{orchestrator, tickets};

/// How long before its attempt's deadline a call has to end, in milliseconds: time to report its outcome.
pub const CALL_MARGIN_MS: u64 = 100;

/// The part of an attempt's time that is reserved for reading the target after a lost answer, in milliseconds: this, or a quarter of what is
/// left if that is less.
pub const CONFIRMATION_RESERVE_MS: u64 = 2_000;

/// What a person has to do if the engine could not act; each a sentence with the ids, without a full stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manual {
    /// The effect did not happen.
    pub act: String,
    /// The effect may have happened: what to check before acting.
    pub check: String,
}

impl Manual {
    /// The same to do either way: doing it twice changes nothing.
    pub fn either_way(act: String) -> Self {
        Self { check: act.clone(), act }
    }
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

/// The same for the attempt's changing calls: they end so early that the target can still be read afterwards, under `context` itself.
pub fn reserve_time_for_confirmation(context: &CallContext) -> CallContext {
    let left = context.deadline.saturating_duration_since(Instant::now());
    let reserve = Duration::from_millis(CONFIRMATION_RESERVE_MS).min(left / 4);
    CallContext { deadline: context.deadline.checked_sub(reserve).unwrap_or(context.deadline), ..context.clone() }
}

/// The result of an attempt whose call for `target` failed; also logs the guide's event.
///
/// An unavailable service is [`AttemptOutcome::Unavailable`] with what a person has to do, so that the playbook's `on_unavailable` decides. A
/// refusal, a service that does not fit its settings, and an argument that cannot be sent, is a permanent failure.
pub fn call_failed(call: &Call, target: &str, error: &Error, manual: &Manual) -> AttemptResult {
    let follow_up = match (error.effect(), error) {
        (Effect::Unknown, _) => Some(manual.check.as_str()),
        (Effect::NotApplied, Error::Unavailable(_) | Error::Misconfigured(_)) => Some(manual.act.as_str()),
        (Effect::NotApplied, Error::Refused(refusal)) if refusal.kind == RefusalKind::NotApplied => {
            Some(manual.act.as_str())
        }
        // The engine's own follow-up suffices if nothing is left open.
        (Effect::NotApplied, Error::Refused(_) | Error::Invalid { .. }) => None,
    };
    let code = match error {
        Error::Unavailable(outage) => {
            log::unavailable(call, &client_of(outage.service), target, error, follow_up);
            let retry_after_ms = error.retry_after().map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
            let (service, message) = (outage.service.to_owned(), error.to_string());
            return with_follow_up(AttemptOutcome::Unavailable { service, message, retry_after_ms }, follow_up);
        }
        Error::Refused(refusal) => refusal_code(refusal.kind),
        Error::Misconfigured(_) => "misconfigured",
        Error::Invalid { .. } => "bad_parameters",
    };
    log::failed(call, target, error, follow_up);
    let (code, message) = (code.to_owned(), error.to_string());
    with_follow_up(AttemptOutcome::Failed { code, message, retryable: false }, follow_up)
}

/// The result of an attempt whose change of `target` may have happened, and must not be repeated: a person has to check. Also logs the
/// guide's event. `message` names the call's error, and what a read of the target showed.
pub fn left_open(call: &Call, target: &str, message: String, manual: &Manual) -> AttemptResult {
    log::failed(call, target, &message, Some(&manual.check));
    with_follow_up(AttemptOutcome::Unknown { message }, Some(&manual.check))
}

/// A permanent failure that the action itself found; also logs the guide's event.
pub fn failed(call: &Call, target: &str, code: &str, message: String) -> AttemptResult {
    log::failed(call, target, &message, None);
    AttemptResult::failed(code, message)
}

fn with_follow_up(outcome: AttemptOutcome, follow_up: Option<&str>) -> AttemptResult {
    AttemptResult { follow_up: follow_up.into_iter().map(str::to_owned).collect(), ..AttemptResult::new(outcome) }
}

/// The failure's code, which a playbook author can look up.
fn refusal_code(kind: RefusalKind) -> &'static str {
    match kind {
        RefusalKind::NotFound => "not_found",
        RefusalKind::Precondition => "precondition_failed",
        RefusalKind::BadRequest => "bad_request",
        RefusalKind::Forbidden => "forbidden",
        RefusalKind::Redirect => "redirected",
        RefusalKind::BadAnswer => "bad_answer",
        RefusalKind::NotApplied => "not_applied",
        RefusalKind::Other => "refused",
    }
}

/// The client's name in the guide's log events.
fn client_of(service: &str) -> String {
    match service {
        tickets::SERVICE => "execution_ticket_client".to_owned(),
        orchestrator::SERVICE => "orchestrator_client".to_owned(),
        other => format!("{other}_client"),
    }
}
