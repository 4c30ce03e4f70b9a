//! The plan gate: the effects of a run that are known before its first one, and what speaks against them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::Map;
use crate::advance::render_parameters;
use crate::id::StepRef;
use crate::plan::{Plan, PlannedStep};
use crate::playbook::{OnFailure, PlanGate};
use crate::state::State;

/// What was found before a run's first effect.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Gate {
    /// Why the run does nothing, as a sentence; `None` if it may start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop: Option<String>,
    /// What will probably be denied, without stopping the run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// A changing step whose parameters follow from the incident alone.
#[derive(Debug)]
pub struct KnownStep<'p> {
    /// The step.
    pub step: &'p PlannedStep,
    /// Its parameters.
    pub parameters: Map,
    /// Whether the step is certain to start unless the run stops before: its condition is true, or it has none.
    pub is_certain: bool,
}

/// The changing steps of a run that has not done anything, as far as their parameters are known: no template reads what a step gives.
///
/// Steps that fan out, verify entries, and steps whose condition is false already, are left out.
pub fn known_steps<'p>(plan: &'p Plan, state: &State) -> Vec<KnownStep<'p>> {
    let given: BTreeSet<&str> =
        plan.steps().flat_map(|(_, step)| step.spec.outputs.iter().map(String::as_str)).collect();
    let is_given = |name: &String| {
        let root = name.split('.').next().unwrap_or(name);
        root == "steps" || given.contains(root)
    };
    let known = |(index, step): (_, &'p PlannedStep)| {
        if plan.is_verify(index) || !step.is_change() || step.items.is_some() {
            return None;
        }
        let whole = StepRef::whole(index);
        let names = step.parameters.names().into_iter().chain(step.spec.inherits.iter().cloned());
        if names.collect::<BTreeSet<_>>().iter().any(is_given) {
            return None;
        }
        let is_certain = match &step.condition {
            None => true,
            Some(condition) if condition.names().iter().any(is_given) => false,
            Some(condition) => condition.holds(&state.scope(whole)).ok().filter(|holds| *holds)?,
        };
        let parameters = render_parameters(step, state, whole).ok()?;
        Some(KnownStep { step, parameters, is_certain })
    };
    plan.steps().filter_map(known).collect()
}

impl Gate {
    /// Adds that `known` would be denied, and why: it stops the run if the step is certain to start and its failure would stop the run.
    pub fn deny(&mut self, plan: &Plan, known: &KnownStep<'_>, why: &str) {
        let stops = known.is_certain
            && known.step.spec.on_failure == OnFailure::Stop
            && plan.playbook.plan_gate == PlanGate::Stop;
        let name = &known.step.spec.name;
        if stops && self.stop.is_none() {
            self.stop = Some(format!("nothing was done: step {name} would be denied: {why}"));
        } else {
            self.warnings.push(format!("step {name} will probably be denied: {why}"));
        }
    }

    /// Whether nothing was found.
    pub const fn is_clear(&self) -> bool {
        self.stop.is_none() && self.warnings.is_empty()
    }
}
