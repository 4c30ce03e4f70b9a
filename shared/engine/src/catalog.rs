//! The actions that exist: their parameters, their outputs, and what is safe to repeat.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The name of the engine's own step that only lets time pass. It is not an action: no function executes it.
pub const WAIT: &str = "wait";

/// How to go on after a worker died that may have acted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum Safety {
    /// Repeat the action at any time: it only reads, and so needs neither claim nor cooldown.
    ReadOnly,
    /// Repeat the action with the same idempotency key.
    Idempotent,
    /// Probe the target first, and act only if the probe proves that nothing took effect.
    Probe,
    /// Stop, and leave the rest to a person.
    #[default]
    Unknown,
}

/// The JSON type of an output, for the lint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputType {
    /// `true` or `false`.
    Boolean,
    /// A number without a fraction.
    Integer,
    /// Any number.
    Number,
    /// A text.
    String,
    /// A list.
    Array,
    /// An object.
    Object,
    /// A text or null, or anything else that the action does not fix.
    Any,
}

/// The fields of `steps.NAME` that the engine sets once a step has ended: how it ended, as in the log, and whether it was skipped.
///
/// An action has no outputs of these names. A step that fanned out has the number of its skipped elements as `skipped`.
pub const STEP_FIELDS: [(&str, OutputType); 2] = [("outcome", OutputType::String), ("skipped", OutputType::Boolean)];

/// One action as its author describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct ActionSpec {
    /// The `type` that playbooks name; also the name of the queue and of the function.
    pub name: &'static str,
    /// One sentence for people.
    pub description: &'static str,
    /// JSON Schema (draft 2020-12) of the parameters: an object without remote references.
    pub parameters: Value,
    /// Outputs by name, with their types.
    pub outputs: &'static [(&'static str, OutputType)],
    /// How to go on after a worker died.
    pub safety: Safety,
    /// Parameters whose default is the run's variable of the same name.
    pub inherits: &'static [&'static str],
    /// Seconds of one attempt, unless the playbook sets `timeout_seconds`.
    pub default_timeout_seconds: u64,
    /// The service that it calls, by the name that its circuit breaker has; people halt by it.
    pub service: &'static str,
    /// Whether every attempt asks the policy first.
    pub critical: bool,
}

/// The actions that a playbook may name.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    actions: BTreeMap<&'static str, ActionSpec>,
}

impl Catalog {
    /// The catalogue of these actions; of two with the same name it keeps the last.
    pub fn new(specs: impl IntoIterator<Item = ActionSpec>) -> Self {
        Self { actions: specs.into_iter().map(|spec| (spec.name, spec)).collect() }
    }

    /// The action with this name.
    pub fn get(&self, name: &str) -> Option<&ActionSpec> {
        self.actions.get(name)
    }

    /// All actions, by name.
    pub fn iter(&self) -> impl Iterator<Item = &ActionSpec> {
        self.actions.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_actions_with_one_name_the_last_counts() {
        let spec = |name, default_timeout_seconds| ActionSpec {
            name,
            description: "",
            parameters: Value::Null,
            outputs: &[],
            safety: Safety::ReadOnly,
            inherits: &[],
            default_timeout_seconds,
            service: "",
            critical: false,
        };
        let catalog = Catalog::new([spec("b", 1), spec("a", 2), spec("b", 3)]);
        assert_eq!(catalog.get("b"), Some(&spec("b", 3)));
        assert_eq!(catalog.get("c"), None);
        assert_eq!(catalog.iter().collect::<Vec<_>>(), [&spec("a", 2), &spec("b", 3)]);
    }
}
