//! What a test expects of a result: each function gives the outcome's fields, or fails the test if the outcome is another one.

use heal_runtime::{AttemptOutcome, AttemptResult};

/// The service and message of an outage.
#[track_caller]
pub fn unavailable(result: &AttemptResult) -> (&str, &str) {
    match &result.outcome {
        AttemptOutcome::Unavailable { service, message, .. } => (service, message),
        other => panic!("not unavailable: {other:?}"),
    }
}

/// Why the outcome is not known.
#[track_caller]
pub fn unknown(result: &AttemptResult) -> &str {
    match &result.outcome {
        AttemptOutcome::Unknown { message } => message,
        other => panic!("not unknown: {other:?}"),
    }
}

/// Why there was nothing to do.
#[track_caller]
pub fn no_op(result: &AttemptResult) -> &str {
    match &result.outcome {
        AttemptOutcome::NoOp { reason } => reason,
        other => panic!("something was done: {other:?}"),
    }
}

/// Code and message of a permanent failure.
#[track_caller]
pub fn failed(result: &AttemptResult) -> (&str, &str) {
    match &result.outcome {
        AttemptOutcome::Failed { code, message, retryable: false } => (code, message),
        other => panic!("no permanent failure: {other:?}"),
    }
}

/// The rules that were broken.
#[track_caller]
pub fn denied(result: &AttemptResult) -> Vec<&str> {
    match &result.outcome {
        AttemptOutcome::Denied { violations } => violations.iter().map(|violation| violation.rule.as_str()).collect(),
        other => panic!("not denied: {other:?}"),
    }
}
