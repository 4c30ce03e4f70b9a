//! What the names in a run's templates mean.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::Map;
use crate::event::RunStarted;
use crate::id::RunId;
use crate::template::Lookup;

/// The variables of a run.
///
/// A bare name means, in this order: the engine's own (`run_id`, `incident`), the newest output of that name of a step that has ended,
/// the incident's field. What a step saw just now thus wins over what the incident claimed.
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

    /// Outputs that the plan keeps of an ordinary step.
    pub(crate) fn step_gave(&mut self, name: &str, output: Map) {
        self.outputs.extend(output.clone());
        self.steps.insert(name.to_owned(), output);
    }

    /// The step has ended: what it did not give is undefined from here on, and `default` can stand in for it.
    pub(crate) fn step_ended(&mut self, name: &str) {
        self.steps.entry(name.to_owned()).or_default();
    }

    /// The counts of a step that fanned out; they have no bare names.
    pub(crate) fn fan_gave(&mut self, name: &str, counts: Map) {
        self.steps.insert(name.to_owned(), counts);
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
