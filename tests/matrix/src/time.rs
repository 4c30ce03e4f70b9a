//! The time of a run, explained by the time-outs and schedules in force.

use heal_sandbox::{Call, FaultKind};
use serde_json::Value;

use crate::cell::Injection;
use crate::playbook::{Playbook, Step};
use crate::settings::{self, LONGEST_CALL_SECONDS, OWN_SECONDS};

/// What a run waited for, and the longest that it may have waited for it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Explained {
    /// One part per thing waited for: its name and its seconds.
    pub parts: Vec<(String, u64)>,
    /// The deadline of the run, in seconds: whatever it waits for, it ends by then.
    pub deadline_seconds: u64,
}

impl Explained {
    /// The longest time that the run may take by its parts, in seconds, without `heal`'s own work.
    pub fn seconds(&self) -> u64 {
        let waits = self.parts.iter().map(|(_, seconds)| seconds).sum::<u64>();
        waits.min(self.deadline_seconds)
    }

    /// [`Explained::seconds`] and what `heal` itself may need.
    pub fn limit_seconds(&self) -> u64 {
        self.seconds() + OWN_SECONDS
    }
}

/// The waits in the log of a run, with the calls that hung.
pub(crate) fn explain(
    playbook: &Playbook,
    events: &[Value],
    calls: &[Call],
    injection: Option<Injection>,
) -> Explained {
    let mut parts = Vec::new();
    for step in playbook.steps() {
        if let Some(part) = step_wait(step, events) {
            parts.push(part);
        }
    }
    let verify = events.iter().find(|event| event["event"] == "verify_started").and_then(|event| event["at"].as_i64());
    let is_polling = parts.iter().any(|(name, _)| name.starts_with(VERIFICATION));
    // Calls that hang in a verification that polls are within the time of the verification.
    let until = verify.filter(|_| is_polling).unwrap_or(i64::MAX);
    let is_hanging = |call: &&Call| call.fault.as_deref() == Some(FaultKind::Hang.name()) && call.at_ms < until;
    let hanging = u64::try_from(calls.iter().filter(is_hanging).count()).unwrap_or(u64::MAX);
    if let Some(injection) = injection.filter(|_| hanging > 0) {
        let each = settings::call_seconds(injection.service);
        parts.push((format!("{hanging} × {each} s for a call without an answer"), hanging * each));
    }
    Explained { parts, deadline_seconds: playbook.timeout_seconds }
}

const VERIFICATION: &str = "verification";

/// What one step waited for beside its calls.
fn step_wait(step: &Step, events: &[Value]) -> Option<(String, u64)> {
    let mine = || events.iter().filter(|event| event["step"] == step.name.as_str());
    let retries: Vec<_> = mine().filter(|event| event["event"] == "retry_scheduled").collect();
    if let Some(until) = &step.until {
        // A probe that starts in time may end after it.
        let longest = until.within_seconds + LONGEST_CALL_SECONDS;
        let name = format!("{VERIFICATION} `{}` {} s", step.name, until.within_seconds);
        return (!retries.is_empty()).then_some((name, longest));
    }
    if let Some(seconds) = replacement_wait(step, events) {
        return Some((format!("`{}` until a pod is ready or {seconds} s have passed", step.name), seconds));
    }
    let asked: Vec<_> = mine()
        .filter(|event| event["event"] == "attempt_ended")
        .map(|event| event["result"]["retry_after_ms"].as_u64().unwrap_or(0).div_ceil(1_000))
        .collect();
    let waits: Vec<_> = (2..)
        .zip(&retries)
        .map(|(number, _): (u64, _)| {
            let index = usize::try_from(number - 2).unwrap_or(usize::MAX);
            step.backoff_seconds(number).max(asked.get(index).copied().unwrap_or(0))
        })
        .collect();
    let texts: Vec<_> = waits.iter().map(ToString::to_string).collect();
    let name = format!("backoffs of `{}` {} s", step.name, texts.join(" + "));
    (!waits.is_empty()).then(|| (name, waits.iter().sum()))
}

/// The time-out of a restart that did not see a ready pod.
fn replacement_wait(step: &Step, events: &[Value]) -> Option<u64> {
    let ended = events.iter().find(|event| event["event"] == "step_ended" && event["step"] == step.name.as_str())?;
    let saw_no_pod = ["failed", "timed_out", "unknown"].iter().any(|outcome| ended["outcome"] == *outcome);
    let took = ended["at"].as_i64()? - started_at(step, events)?;
    // It fails at once where it does not wait for a pod.
    let waited = took > i64::try_from(settings::POD_READY_AFTER.as_millis()).ok()? * 10;
    (step.kind == "restart_pod" && saw_no_pod && waited).then_some(step.timeout_seconds)
}

fn started_at(step: &Step, events: &[Value]) -> Option<i64> {
    let is_start = |event: &&Value| event["event"] == "attempt_started" && event["step"] == step.name.as_str();
    events.iter().find(is_start)?["at"].as_i64()
}
