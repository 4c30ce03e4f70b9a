//! What the dispatcher and the actions send each other.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::format::Format;
use crate::id::{Digest, RunId, Token};
use crate::time::Timestamp;
use crate::{Map, limit};

/// The body of a message on an action's queue: execute one attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ActionCommand {
    /// The run that the attempt belongs to.
    pub run_id: RunId,
    /// The step's name in its playbook.
    pub step: String,
    /// The element of a step that fans out; `None` for an ordinary step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<u32>,
    /// Counted from 1.
    pub attempt: u32,
    /// The attempt's secret, which its result has to carry.
    pub token: Token,
    /// The action's name.
    pub action: String,
    /// The rendered parameters.
    pub parameters: Map,
    /// The digest of `parameters` that the log authorises.
    pub parameters_digest: Digest,
    /// When the log authorised the attempt.
    pub issued_at: Timestamp,
    /// The last moment to start: a worker that takes the command at or after it does nothing, and says so.
    pub deadline: Timestamp,
    /// Milliseconds that the attempt has once a worker took it. Without it, an older build sent the command, and the attempt has to have
    /// ended by `deadline`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// What the services recognise the step's effect by; see [`ActionCommand::idempotency_key`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect_key: Option<String>,
    /// Why the attempt happens.
    pub context: Context,
    /// Commands that the run has sent, this one included.
    #[serde(rename = "hop")]
    pub commands_sent: u64,
}

impl Format for ActionCommand {
    const NAME: &'static str = "action command";
}

impl ActionCommand {
    /// Names the attempt, for its claim: `run/step/attempt`, or `run/step[item]/attempt`. The same for every command of the attempt.
    pub fn attempt_key(&self) -> String {
        format!("{}/{}", step_key(&self.run_id, &self.step, self.item), self.attempt)
    }

    /// What the services recognise the effect by: that of the step, [`effect_key`], so that an attempt whose effect may have happened is
    /// repeated under the same key. A command of an older build has the attempt's.
    pub fn idempotency_key(&self) -> String {
        self.effect_key.clone().unwrap_or_else(|| self.attempt_key())
    }
}

/// The idempotency key of a step's effect: `run/step` or `run/step[item]`; after `proven` attempts that are proven not to have taken effect,
/// with `#proven` behind it, since a service may have stored its refusal under the earlier key.
pub fn effect_key(run_id: &RunId, step: &str, item: Option<u32>, proven: u32) -> String {
    match proven {
        0 => step_key(run_id, step, item),
        _ => format!("{}#{proven}", step_key(run_id, step, item)),
    }
}

fn step_key(run_id: &RunId, step: &str, item: Option<u32>) -> String {
    match item {
        None => format!("{run_id}/{step}"),
        Some(item) => format!("{run_id}/{step}[{item}]"),
    }
}

/// Why an attempt happens: for the metadata of calls, the policy's input and the logs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Context {
    /// The incident that the run is for.
    pub incident_id: String,
    /// The playbook's name.
    pub playbook: String,
    /// The run's variable `workflow_id`, if it is a text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow_id: Option<String>,
    /// W3C `traceparent` of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

impl Context {
    /// The id of the run's trace: the second field of `traceparent`.
    pub fn trace_id(&self) -> Option<&str> {
        self.traceparent.as_deref()?.split('-').nth(1)
    }
}

/// The result of one attempt, as the results queue carries it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ActionResult {
    /// The command's run.
    pub run_id: RunId,
    /// The command's step.
    pub step: String,
    /// The command's element, if its step fans out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<u32>,
    /// The command's attempt.
    pub attempt: u32,
    /// The command's token: a result without it is dropped.
    pub token: Token,
    /// When the attempt ended, by the action's clock.
    pub finished_at: Timestamp,
    /// When the worker took the command, by the same clock; `None` in the results of older builds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// How the attempt ended.
    pub result: AttemptResult,
}

/// A worker's answer to a command that it took after its last moment to start: nothing was done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LateCommand {
    /// The command's run.
    pub run_id: RunId,
    /// The command's step.
    pub step: String,
    /// The command's element, if its step fans out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<u32>,
    /// The command's attempt.
    pub attempt: u32,
    /// The command's token: an answer without it is dropped.
    pub token: Token,
    /// When the worker took the command, by its clock.
    pub taken_at: Timestamp,
}

/// How one attempt ended, with its output and its notes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AttemptResult {
    /// How the attempt ended; in JSON the field `ending` names it.
    #[serde(flatten)]
    pub outcome: AttemptOutcome,
    /// Variables for later steps.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub output: Map,
    /// What a person should know, one sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// What is left for a person to do, one sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub follow_up: Vec<String>,
    /// Whether an attempt that ended `unavailable` or `timed_out` is proven not to have taken effect.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub not_applied: bool,
}

/// How an attempt can end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "ending", rename_all = "snake_case")]
pub enum AttemptOutcome {
    /// The action took effect.
    Succeeded,
    /// Nothing had to be done.
    NoOp {
        /// Why nothing had to be done.
        reason: String,
    },
    /// The policy refused.
    Denied {
        /// Every rule that refused.
        violations: Vec<Violation>,
    },
    /// The target's cooldown has not passed.
    CoolingDown {
        /// The target's id.
        target: String,
        /// When the cooldown ends.
        until: Timestamp,
    },
    /// The service is unavailable; as far as is known, nothing took effect.
    Unavailable {
        /// The service's name.
        service: String,
        /// What the call failed with.
        message: String,
        /// The delay that the service asked for, in milliseconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
    },
    /// The action failed, and took no effect.
    Failed {
        /// A word that a playbook author can search for, such as `terminal_state`.
        code: String,
        /// What the action failed with.
        message: String,
        /// Whether another attempt may succeed.
        retryable: bool,
    },
    /// The deadline passed before the action ended.
    TimedOut {
        /// What the attempt was waiting for.
        message: String,
    },
    /// The action may or may not have taken effect.
    Unknown {
        /// Why it is not known.
        message: String,
    },
}

/// One reason why the policy refuses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// The policy's name.
    pub policy: String,
    /// The rule's name.
    pub rule: String,
    /// The rule's sentence for people.
    pub msg: String,
    /// The rule's severity, such as `high`.
    pub severity: String,
}

impl Format for ActionResult {
    const NAME: &'static str = "action result";
}

impl Format for AttemptResult {
    const NAME: &'static str = "attempt result";
}

impl AttemptOutcome {
    /// The outcome's word in the log.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::NoOp { .. } => "no_op",
            Self::Denied { .. } => "denied",
            Self::CoolingDown { .. } => "cooling_down",
            Self::Unavailable { .. } => "unavailable",
            Self::Failed { .. } => "failed",
            Self::TimedOut { .. } => "timed_out",
            Self::Unknown { .. } => "unknown",
        }
    }
}

impl AttemptResult {
    /// A result without output and notes.
    pub fn new(outcome: AttemptOutcome) -> Self {
        Self { outcome, output: Map::new(), warnings: Vec::new(), follow_up: Vec::new(), not_applied: false }
    }

    /// A success with its output.
    pub fn succeeded(output: Map) -> Self {
        Self { output, ..Self::new(AttemptOutcome::Succeeded) }
    }

    /// A result of an action that had nothing to do.
    pub fn no_op(reason: impl Into<String>, output: Map) -> Self {
        Self { output, ..Self::new(AttemptOutcome::NoOp { reason: reason.into() }) }
    }

    /// A failure that another attempt would repeat.
    pub fn failed(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(AttemptOutcome::Failed { code: code.into(), message: message.into(), retryable: false })
    }

    /// A failure that another attempt may not repeat.
    pub fn transient(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(AttemptOutcome::Failed { code: code.into(), message: message.into(), retryable: true })
    }

    /// Whether the attempt is proven not to have taken effect. Then the next attempt may have an idempotency key of its own.
    pub const fn is_proven_not_applied(&self) -> bool {
        match self.outcome {
            AttemptOutcome::NoOp { .. }
            | AttemptOutcome::Denied { .. }
            | AttemptOutcome::CoolingDown { .. }
            | AttemptOutcome::Failed { .. } => true,
            AttemptOutcome::Unavailable { .. } | AttemptOutcome::TimedOut { .. } => self.not_applied,
            AttemptOutcome::Succeeded | AttemptOutcome::Unknown { .. } => false,
        }
    }

    /// The result with one more warning.
    #[must_use]
    pub fn warn(mut self, warning: impl Into<String>) -> Self {
        self.warnings.push(warning.into());
        self
    }

    /// The result with one more follow-up.
    #[must_use]
    pub fn follow_up(mut self, entry: impl Into<String>) -> Self {
        self.follow_up.push(entry.into());
        self
    }

    /// The result within the bounds of the log: output and texts are cut, with a mark.
    #[must_use]
    pub fn capped(mut self) -> Self {
        self.output = cap_output(self.output);
        for list in [&mut self.warnings, &mut self.follow_up] {
            list.truncate(limit::NOTES);
            list.iter_mut().for_each(|text| cut(text, limit::TEXT_BYTES));
        }
        match &mut self.outcome {
            AttemptOutcome::NoOp { reason: text }
            | AttemptOutcome::Unavailable { message: text, .. }
            | AttemptOutcome::Failed { message: text, .. }
            | AttemptOutcome::TimedOut { message: text }
            | AttemptOutcome::Unknown { message: text } => cut(text, limit::TEXT_BYTES),
            AttemptOutcome::Denied { violations } => violations.truncate(limit::NOTES),
            AttemptOutcome::Succeeded | AttemptOutcome::CoolingDown { .. } => {}
        }
        self
    }
}

/// Keeps the outputs that fit in [`limit::OUTPUT_BYTES`], smallest first, and lists the names of the others under `_cut`.
fn cap_output(output: Map) -> Map {
    let size = |value: &Value| value.to_string().len();
    if size(&Value::Object(output.clone())) <= limit::OUTPUT_BYTES {
        return output;
    }
    let mut by_size: Vec<_> =
        output.into_iter().map(|(key, value)| (size(&value) + key.len() + 4, key, value)).collect();
    by_size.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| a.1.cmp(&b.1)));
    let mut kept = Map::new();
    let mut lost = Vec::new();
    let mut used = 0;
    for (bytes, key, value) in by_size {
        used += bytes;
        if used <= limit::OUTPUT_BYTES {
            kept.insert(key, value);
        } else {
            lost.push(Value::String(key));
        }
    }
    kept.insert("_cut".to_owned(), Value::Array(lost));
    kept
}

/// The digest of an attempt's parameters: what the log authorises, and what the action holds its command's parameters against.
pub fn digest_parameters(parameters: &Map) -> Digest {
    Digest::of(Value::Object(parameters.clone()).to_string().as_bytes())
}

/// Cuts `text` to at most `bytes`, on a character boundary, and appends how many bytes are missing.
pub fn cut(text: &mut String, bytes: usize) {
    if text.len() <= bytes {
        return;
    }
    let missing = text.len() - bytes;
    let mut end = bytes;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text.push_str(&format!("… ({missing} bytes cut)"));
}
