//! What the engine knows of the actions that exist: names, parameters, outputs, and what is safe to repeat.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What may be done when a worker died after it may have acted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum Safety {
    /// It only looks: nothing is changed, so it may be repeated at any time and needs no claim. Such an action has no cooldown.
    ReadOnly,
    /// Do it again with the same idempotency key.
    Idempotent,
    /// Look first; act only where the look proves that nothing happened.
    Probe,
    /// Stop and ask a person.
    #[default]
    Unknown,
}

/// JSON type of an output, for the lint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputType {
    Boolean,
    Integer,
    Number,
    String,
    Array,
    Object,
    /// A string or null, or anything else that the action does not fix.
    Any,
}

/// One action as its author describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct ActionSpec {
    /// The `type` that playbooks name, also the queue's and the function's name.
    pub name: &'static str,
    /// One sentence for people.
    pub description: &'static str,
    /// JSON Schema (draft 2020-12) of the parameters, an object without remote references.
    pub parameters: Value,
    /// Outputs by name, with their types.
    pub outputs: &'static [(&'static str, OutputType)],
    pub safety: Safety,
    /// Parameters that, where a playbook leaves them out, are taken from the run's variable of the same name.
    pub inherits: &'static [&'static str],
    /// Seconds that an attempt may take where the playbook says nothing.
    pub default_timeout_seconds: u64,
    /// Whether the policy is asked first, always.
    pub critical: bool,
}

/// The actions that a playbook may name.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    actions: BTreeMap<&'static str, ActionSpec>,
}

impl Catalog {
    pub fn new(specs: impl IntoIterator<Item = ActionSpec>) -> Self {
        Self { actions: specs.into_iter().map(|spec| (spec.name, spec)).collect() }
    }

    pub fn get(&self, name: &str) -> Option<&ActionSpec> {
        self.actions.get(name)
    }

    pub fn iter(&self) -> impl Iterator<Item = &ActionSpec> {
        self.actions.values()
    }
}

/// The name of the engine's own step that only lets time pass. It is no action: no function performs it.
pub const WAIT: &str = "wait";
