//! The playbook language: the model that a YAML file is read into, the reading, and the lint.
//!
//! Reading finds every fault of a file at once ([`read`]); what it gives is checked and complete, with all defaults filled in.
//! A [`Playbook`] is plain data with a canonical JSON form: that form is what a run pins, by its digest.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Map;
use crate::catalog::Safety;

/// A checked playbook with all defaults filled in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Playbook {
    pub name: String,
    pub description: String,
    /// From the start of a run to its end, retries and verification included.
    pub timeout_seconds: u64,
    pub triggers: Vec<Trigger>,
    /// JSON Schema (draft 2020-12) of the variables that an incident has to bring.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters_schema: Option<Value>,
    /// A template; runs whose rendered keys are equal do not live at the same time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency_key: Option<String>,
    /// In the order of the file.
    pub actions: Vec<Step>,
    pub verify: Vec<Step>,
}

/// Which incidents a playbook is for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trigger {
    pub incident_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<Condition>,
}

/// A condition as it was written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Condition {
    Fixed(bool),
    /// A template that is one expression, braces included.
    Expression(String),
}

/// One entry of `actions` or `verify`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Unique in the playbook.
    pub name: String,
    /// The action's name, or [`crate::catalog::WAIT`].
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<Condition>,
    /// Names of the steps that have to end well before this one starts.
    pub needs: Vec<String>,
    pub retry: Retry,
    /// Of one attempt.
    pub timeout_seconds: u64,
    pub on_failure: OnFailure,
    pub on_unavailable: OnUnavailable,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_each: Option<ForEach>,
    pub parameters: Map,
    /// Set on every entry of `verify`, and on no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Until>,
    /// Pinned from the catalogue when the playbook was read.
    pub safety: Safety,
    /// Pinned from the catalogue: parameters taken from the variable of the same name where the playbook leaves them out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inherits: Vec<String>,
    /// Pinned from the catalogue: names of the variables that the step gives.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// 1 = no second try.
    pub max_attempts: u32,
    /// Before the second attempt; doubled before each further one.
    pub backoff_seconds: u64,
    pub max_backoff_seconds: u64,
}

impl Default for Retry {
    fn default() -> Self {
        Self { max_attempts: 1, backoff_seconds: 2, max_backoff_seconds: 60 }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    #[default]
    Stop,
    Continue,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnUnavailable {
    /// The guide's fail-safe: success with a warning and a follow-up.
    #[default]
    Skip,
    Fail,
    /// Try again until the step's own time or the run's is over, then fail.
    Retry,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ForEach {
    /// A template that gives a list, or a list of values and templates.
    pub items: Value,
    pub max_parallel: u32,
}

/// What a verify entry waits for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Until {
    pub condition: Condition,
    pub within_seconds: u64,
    /// From the end of one look to the next.
    pub every_seconds: u64,
}

impl Playbook {
    /// All steps in the plan's order: the actions, then the verify entries.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        self.actions.iter().chain(&self.verify)
    }
}
