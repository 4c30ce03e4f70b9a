//! What the names in a run's templates stand for.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::Map;
use crate::event::RunStarted;
use crate::id::RunId;
use crate::template::{Lookup, Scope};

/// The variables of a run.
///
/// A bare name is looked up in this order: the engine's own names (`run_id`, `incident`), the newest output of that name of a step that
/// has ended, the incident's field. So an output, which is a fresh fact, wins over what the incident claimed.
#[derive(Debug, Clone, PartialEq)]
pub struct Variables {
    run_id: RunId,
    incident: Map,
    outputs: Map,
    steps: BTreeMap<String, Map>,
}

impl Variables {
    pub(super) fn new(run_id: &RunId, event: &RunStarted) -> Self {
        Self { run_id: run_id.clone(), incident: event.variables.clone(), outputs: Map::new(), steps: BTreeMap::new() }
    }

    /// What templates can read before the run's first event.
    pub(crate) fn scope_of(run_id: &RunId, event: &RunStarted) -> Scope {
        Scope::new(Arc::new(Self::new(run_id, event)) as Arc<dyn Lookup>)
    }

    /// A field of the incident that the run is for, whatever a step's output of that name says.
    pub(crate) fn incident_field(&self, name: &str) -> Option<&Value> {
        self.incident.get(name)
    }

    /// The incident's fields.
    pub const fn incident(&self) -> &Map {
        &self.incident
    }

    /// Sets the outputs of an ordinary step, as far as the plan keeps them.
    pub(crate) fn set_step_output(&mut self, name: &str, output: Map) {
        self.outputs.extend(output.clone());
        self.steps.insert(name.to_owned(), output);
    }

    /// Sets the counts of a step that fanned out; they have no bare names.
    pub(crate) fn set_fan_counts(&mut self, name: &str, counts: Map) {
        self.steps.insert(name.to_owned(), counts);
    }

    /// Makes an ended step known even without outputs, so that a template's `default` can stand in for a missing one. `ending` is what
    /// the engine says of its end.
    pub(crate) fn end_step(&mut self, name: &str, ending: Map) {
        self.steps.entry(name.to_owned()).or_default().extend(ending);
    }
}

impl Lookup for Variables {
    fn variable(&self, name: &str) -> Option<Value> {
        match name {
            "run_id" => Some(Value::String(self.run_id.to_string())),
            "incident" => Some(Value::Object(self.incident.clone())),
            _ => self.outputs.get(name).or_else(|| self.incident.get(name)).cloned(),
        }
    }

    fn step(&self, name: &str) -> Option<Value> {
        self.steps.get(name).cloned().map(Value::Object)
    }
}
