//! What the dispatcher and the actions send each other.

mod capped;
mod outcome;
mod recorded;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Map;
use crate::format::Format;
use crate::id::{Digest, RunId, Token};
use crate::time::Timestamp;

pub use outcome::{AttemptOutcome, AttemptResult, Violation};
pub use recorded::Recorded;

/// The body of a message on an action's queue: execute one attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ActionCommand {
    /// The run that the attempt belongs to.
    pub run_id: RunId,
    /// The run's start, if a request named the run; an earlier run of the same id has another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incarnation: Option<Timestamp>,
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
    /// Everything is read and decided, and the effect is left out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shadow: bool,
    /// Why the attempt happens.
    pub context: Context,
    /// Commands that the run has sent, this one included.
    #[serde(rename = "hop")]
    pub commands_sent: u64,
    /// What people have approved, if they were asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved: Option<Approved>,
}

/// What people have approved of one step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approved {
    /// The digest of the parameters that they have read. It counts for these and for no others.
    pub digest: Digest,
    /// Who approved, as identities.
    pub by: Vec<String>,
    /// The groups that these belonged to when they approved.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
}

impl Approved {
    /// Whether one of `approvers`, identities and groups, is among those who approved; an empty list means anybody.
    pub fn is_by_one_of(&self, approvers: &[String]) -> bool {
        let has = |name: &String| self.by.contains(name) || self.groups.contains(name);
        approvers.is_empty() || approvers.iter().any(has)
    }
}

impl Format for ActionCommand {
    const NAME: &'static str = "action command";
}

impl ActionCommand {
    /// Whether the parameters are exactly those that the log authorises, for an attempt of this mode. The error is their digest.
    ///
    /// # Errors
    /// The digest that the parameters have instead.
    pub fn check_digest(&self) -> Result<(), Digest> {
        let digest = if self.shadow { digest_shadowed } else { digest_parameters };
        let observed = digest(&self.parameters);
        if observed == self.parameters_digest { Ok(()) } else { Err(observed) }
    }

    /// Names the attempt, for its claim: `run/step/attempt`, or `run/step[item]/attempt`; `run@start` for a run that a request named, since a claim
    /// may outlive its run. The same for every command of the attempt.
    pub fn attempt_key(&self) -> String {
        format!("{}/{}", step_key(&self.run_id, self.incarnation, &self.step, self.item), self.attempt)
    }

    /// What the services recognise the effect by: that of the step, [`effect_key`], so that an attempt whose effect may have happened is
    /// repeated under the same key. A command of an older build has the attempt's.
    pub fn idempotency_key(&self) -> String {
        self.effect_key.clone().unwrap_or_else(|| self.attempt_key())
    }
}

/// The idempotency key of a step's effect: `run/step` or `run/step[item]`, with `run@start` for a run that a request named; after `proven` attempts
/// that are proven not to have taken effect, with `#proven` behind it, since a service may have stored its refusal under the earlier key.
pub fn effect_key(
    run_id: &RunId,
    incarnation: Option<Timestamp>,
    step: &str,
    item: Option<u32>,
    proven: u32,
) -> String {
    let step = step_key(run_id, incarnation, step, item);
    match proven {
        0 => step,
        _ => format!("{step}#{proven}"),
    }
}

fn step_key(run_id: &RunId, incarnation: Option<Timestamp>, step: &str, item: Option<u32>) -> String {
    let incarnation = incarnation.map(|started_at| format!("@{}", started_at.0)).unwrap_or_default();
    match item {
        None => format!("{run_id}{incarnation}/{step}"),
        Some(item) => format!("{run_id}{incarnation}/{step}[{item}]"),
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

/// A worker's answer to a command whose effect is halted: nothing was done, and its claim is closed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HeldCommand {
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
    /// What holds the command.
    #[serde(flatten)]
    pub hold: Hold,
    /// An earlier worker of the attempt died, and may have acted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub may_have_acted: bool,
}

/// What holds a run: a halt, or a person who holds this run alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// The identity of who ordered it.
    pub by: String,
    /// Why, as a person wrote it.
    pub reason: String,
    /// The id of the halt; `None` if a person holds this run alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub halt: Option<String>,
    /// When the halt ends by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl Format for ActionResult {
    const NAME: &'static str = "action result";
    const VERSION: u32 = 2;

    fn needed_version(&self) -> u32 {
        self.result.needed_version()
    }
}

/// The policy that a [`Violation`] of the guardrails names.
pub const GUARDRAILS_POLICY: &str = "guardrails";

/// The digest of an attempt's parameters: what the log authorises, and what the action holds its command's parameters against.
pub fn digest_parameters(parameters: &Map) -> Digest {
    Digest::of(Value::Object(parameters.clone()).to_string().as_bytes())
}

/// The digest of the parameters of a shadow run's attempt. It differs from [`digest_parameters`], so that a command that lost its mark `shadow`
/// on the way, or reached a worker that does not know it, is refused and not executed.
pub fn digest_shadowed(parameters: &Map) -> Digest {
    Digest::of(format!("shadow\n{}", Value::Object(parameters.clone())).as_bytes())
}

/// Bounds a text that is kept: hides its secrets, and cuts it to at most `bytes`, on a character boundary, with how many bytes are missing.
pub fn cut(text: &mut String, bytes: usize) {
    crate::secret::hide_in(text);
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
