//! The model of a playbook: checked and complete, with all defaults filled in.
//!
//! A [`Playbook`] is plain data with a canonical JSON form, which a run pins by its digest. `heal-language` reads one from YAML.

mod approval;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Map;
use crate::catalog::Safety;

pub use approval::Approval;

/// A checked playbook with all defaults filled in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Playbook {
    /// The stem of its file.
    pub name: String,
    /// One sentence for people; may be empty.
    pub description: String,
    /// Deadline of a run, from its start, retries and verification included.
    pub timeout_seconds: u64,
    /// The incidents that start it.
    pub triggers: Vec<Trigger>,
    /// JSON Schema (draft 2020-12) of the variables that an incident has to have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters_schema: Option<Value>,
    /// A template; runs with equal rendered keys exclude each other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency_key: Option<String>,
    /// Asks people before the first step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Approval>,
    /// In the order of the file.
    pub actions: Vec<Step>,
    /// In the order of the file; they start after all actions.
    pub verify: Vec<Step>,
    /// What follows from an effect that would be denied, before the first one happens.
    #[serde(default, skip_serializing_if = "PlanGate::is_default")]
    pub plan_gate: PlanGate,
}

/// What follows if a later effect of a run would be denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanGate {
    /// The run does nothing if the denied step's failure would stop it.
    #[default]
    Stop,
    /// The run starts, with a warning.
    Warn,
}

impl PlanGate {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
    const fn is_default(&self) -> bool {
        matches!(self, Self::Stop)
    }
}

/// Which incidents start a playbook.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trigger {
    /// Compared exactly.
    pub incident_type: String,
    /// On the variables of the incident; `None`: every incident of the type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<Condition>,
}

/// A condition as written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Condition {
    /// `true` or `false`.
    Fixed(bool),
    /// A template of one expression, including its braces.
    Expression(String),
}

/// One entry of `actions` or `verify`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Unique in the playbook.
    pub name: String,
    /// The name of the action, or [`crate::catalog::WAIT`].
    #[serde(rename = "type")]
    pub kind: String,
    /// The step is skipped if it is false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<Condition>,
    /// Names of the steps that have to succeed before this one starts.
    pub needs: Vec<String>,
    /// How often a failed attempt is repeated.
    pub retry: Retry,
    /// Deadline of one attempt.
    pub timeout_seconds: u64,
    /// What follows from a failure.
    pub on_failure: OnFailure,
    /// What follows from an unreachable service.
    pub on_unavailable: OnUnavailable,
    /// Runs the step once per element.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_each: Option<ForEach>,
    /// Every text in it is a template.
    pub parameters: Map,
    /// Asks people before the step's first attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Approval>,
    /// `Some` for every entry of `verify`, and only there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Until>,
    /// Copied from the catalogue: whether an attempt may be repeated.
    pub safety: Safety,
    /// Copied from the catalogue: whether the policy is asked before every attempt.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub critical: bool,
    /// Copied from the catalogue: the service that the action calls; empty if unknown, as in the plans of older builds.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub service: String,
    /// Copied from the catalogue: parameters that default to the variable of the same name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inherits: Vec<String>,
    /// Copied from the catalogue: names of the outputs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<String>,
}

/// Attempts of a step, with exponential backoff.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// Including the first one.
    pub max_attempts: u32,
    /// Before the second attempt; doubles before each further one.
    pub backoff_seconds: u64,
    /// Upper bound of the backoff.
    pub max_backoff_seconds: u64,
}

impl Default for Retry {
    fn default() -> Self {
        Self { max_attempts: 1, backoff_seconds: 2, max_backoff_seconds: 60 }
    }
}

/// What follows when a step fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// The run starts no further step.
    #[default]
    Stop,
    /// The run continues, also with steps that need this one.
    Continue,
}

/// What follows when a service that a step needs is unreachable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnUnavailable {
    /// The guide's fail-safe: success with a warning and a follow-up.
    #[default]
    Skip,
    /// A failure.
    Fail,
    /// Retries until the deadline of the step or the run, then fails.
    Retry,
}

/// The fan-out of a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ForEach {
    /// A template that gives a list, or a list of values and templates.
    pub items: Value,
    /// Elements in flight at the same time.
    pub max_parallel: u32,
}

/// What a verify entry waits for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Until {
    /// On the outputs of the entry.
    pub condition: Condition,
    /// From the start of the entry.
    pub within_seconds: u64,
    /// From the end of one probe to the next.
    pub every_seconds: u64,
}

impl Playbook {
    /// All steps in the order of the plan: the actions, then the verify entries.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        self.actions.iter().chain(&self.verify)
    }
}
