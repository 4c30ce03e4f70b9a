//! Dependencies: while a service is sick on which others depend, healing the others does nothing but harm, so it waits.

use heal_engine::Timestamp;
use serde::{Deserialize, Serialize};

use crate::guardrails::Selector;
use crate::halt::{Halt, HaltScope};

/// The identity by which the engine itself holds what depends on a sick service.
pub const DEPENDENCY_BY: &str = "system:dependency";

/// What is held while a dependency is sick. At least one of `breaker` and `check` is given; it is sick if either says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DependencyRule {
    /// Unique among the dependencies.
    pub name: String,
    /// The service whose circuit breaker is open while the dependency is sick.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breaker: Option<String>,
    /// The scheduled check that has raised an incident about a target that still fails while the dependency is sick.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<String>,
    /// The effects that wait.
    pub holds: Selector,
}

impl DependencyRule {
    /// The halt while the dependency is sick: `why` it is, found at `now`, until `until` unless that is found anew. `id` is that of the rule.
    pub fn halt(&self, id: String, why: String, now: Timestamp, until: Timestamp) -> Halt {
        let scope = HaltScope::Dependency { name: self.name.clone(), applies_to: self.holds.clone() };
        Halt { id, scope, since: now, until, reason: why, by: DEPENDENCY_BY.to_owned(), storm: None }
    }
}
