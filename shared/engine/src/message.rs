//! What travels between the dispatcher and the actions.

use serde::{Deserialize, Serialize};

use crate::format::Format;
use crate::id::{Digest, RunId, Token};
use crate::time::Timestamp;
use crate::{Map, limit};

/// The body of a message on an action's queue: perform one attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ActionCommand {
    pub run_id: RunId,
    /// The step's name in its playbook.
    pub step: String,
    /// Which element of a step that fans out; none for an ordinary step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<u32>,
    /// Counted from 1.
    pub attempt: u32,
    pub token: Token,
    /// The action's name.
    pub action: String,
    pub parameters: Map,
    /// Of `parameters`, as authorised in the log.
    pub parameters_digest: Digest,
    pub issued_at: Timestamp,
    /// No effect starts at or after this moment.
    pub deadline: Timestamp,
    pub context: Context,
    /// How many commands the run had sent before this one.
    pub hop: u64,
}

impl Format for ActionCommand {
    const NAME: &'static str = "action command";
}

impl ActionCommand {
    /// `run/step/attempt`, or `run/step[item]/attempt`: the name of the attempt, and its idempotency key for the outside world.
    pub fn attempt_key(&self) -> String {
        let Self { run_id, step, attempt, .. } = self;
        match self.item {
            None => format!("{run_id}/{step}/{attempt}"),
            Some(item) => format!("{run_id}/{step}[{item}]/{attempt}"),
        }
    }
}

/// Why the attempt happens: passed on in metadata, policy input and logs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Context {
    pub incident_id: String,
    pub playbook: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow_id: Option<String>,
    /// W3C `traceparent` of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

impl Context {
    /// The id of the run's trace: the second field of its `traceparent`.
    pub fn trace_id(&self) -> Option<&str> {
        self.traceparent.as_deref()?.split('-').nth(1)
    }
}

/// The body of a message on the results queue: how an attempt ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ActionResult {
    pub run_id: RunId,
    pub step: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<u32>,
    pub attempt: u32,
    pub token: Token,
    pub finished_at: Timestamp,
    pub result: AttemptResult,
}

/// How one attempt ended, and what it has to say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AttemptResult {
    #[serde(flatten)]
    pub outcome: AttemptOutcome,
    /// Variables for later steps.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub output: Map,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// What is left for a person, one sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub follow_up: Vec<String>,
}

/// The ways in which an attempt can end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "ending", rename_all = "snake_case")]
pub enum AttemptOutcome {
    Succeeded,
    /// Nothing had to be done.
    NoOp {
        reason: String,
    },
    /// The policy refused.
    Denied {
        violations: Vec<Violation>,
    },
    /// The target was touched too recently.
    CoolingDown {
        target: String,
        until: Timestamp,
    },
    /// The service is out of reach; nothing is known to have happened.
    Unavailable {
        service: String,
        message: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
    },
    Failed {
        /// A word that a playbook author can look up, such as `terminal_state`.
        code: String,
        message: String,
        retryable: bool,
    },
    TimedOut {
        message: String,
    },
    /// It may or may not have happened.
    Unknown {
        message: String,
    },
}

impl Format for ActionResult {
    const NAME: &'static str = "action result";
}

impl Format for AttemptResult {
    const NAME: &'static str = "attempt result";
}

impl AttemptOutcome {
    /// Its word in the log.
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

/// One reason of a policy to refuse.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    pub policy: String,
    pub rule: String,
    pub msg: String,
    pub severity: String,
}

impl AttemptResult {
    pub fn new(outcome: AttemptOutcome) -> Self {
        Self { outcome, output: Map::new(), warnings: Vec::new(), follow_up: Vec::new() }
    }

    pub fn succeeded(output: Map) -> Self {
        Self { output, ..Self::new(AttemptOutcome::Succeeded) }
    }

    pub fn no_op(reason: impl Into<String>, output: Map) -> Self {
        Self { output, ..Self::new(AttemptOutcome::NoOp { reason: reason.into() }) }
    }

    pub fn failed(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(AttemptOutcome::Failed { code: code.into(), message: message.into(), retryable: false })
    }

    pub fn transient(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(AttemptOutcome::Failed { code: code.into(), message: message.into(), retryable: true })
    }

    #[must_use]
    pub fn warn(mut self, warning: impl Into<String>) -> Self {
        self.warnings.push(warning.into());
        self
    }

    #[must_use]
    pub fn follow_up(mut self, entry: impl Into<String>) -> Self {
        self.follow_up.push(entry.into());
        self
    }

    /// The result within the bounds that the log keeps: output and texts cut, with a mark.
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

/// Keeps the outputs that fit in [`limit::OUTPUT_BYTES`], smallest first; the names of the others go under `_cut`.
fn cap_output(output: Map) -> Map {
    let size = |value: &serde_json::Value| value.to_string().len();
    if size(&serde_json::Value::Object(output.clone())) <= limit::OUTPUT_BYTES {
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
            lost.push(serde_json::Value::String(key));
        }
    }
    kept.insert("_cut".to_owned(), serde_json::Value::Array(lost));
    kept
}

/// Cuts `text` to at most `bytes`, on a character boundary, with a mark of what is missing.
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
