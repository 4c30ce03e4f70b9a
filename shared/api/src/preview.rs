//! The steps of a run, as far as they are known before the first one: `heal run --dry-run` and a dry run by the API.

use std::collections::BTreeSet;
use std::sync::Arc;

use heal_engine::Map;
use heal_engine::id::StepIndex;
use heal_engine::incident::Intake;
use heal_engine::plan::{Plan, PlannedStep};
use heal_engine::template::{Lookup, Scope, Template, Test, Tree};
use heal_runtime::dispatcher::Prepared;
use heal_telemetry::text::printable_json;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// A template's value, or its source if the value depends on a step.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Known {
    /// The value.
    Now(Value),
    /// The template.
    Later(String),
}

/// What would be done about an incident.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Preview {
    /// The playbook's name.
    pub playbook: String,
    /// The incident's id.
    pub incident_id: String,
    /// Whether the incident asks that a person looks first.
    pub awaits_approval: bool,
    /// Whether the playbook itself asks people, perhaps only if its condition holds.
    pub asks_approval: bool,
    /// The tickets that get a run each; the steps are those of the first one's. Absent if there is one run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tickets: Vec<String>,
    /// Two runs with this key are not live at the same time.
    pub concurrency_key: Option<String>,
    /// The run's time, in seconds.
    pub timeout_seconds: u64,
    /// The steps, in the playbook's order.
    pub steps: Vec<Step>,
}

/// One step of a preview.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = PreviewStep)]
pub struct Step {
    /// The step's name.
    pub name: String,
    /// The action's name, or `wait`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether the step checks that the remedy helped.
    pub verify: bool,
    /// The steps that end before this one starts.
    pub needs: Vec<String>,
    /// The step starts only if this holds; of a step that verifies, what it waits for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub condition: Option<Known>,
    /// What the step fans out over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub for_each: Option<Known>,
    /// Name and value of each parameter.
    #[schema(value_type = Vec<Vec<Value>>)]
    pub parameters: Vec<(String, Known)>,
}

impl Preview {
    /// The preview of a message whose playbook is found.
    pub fn new(prepared: &Prepared) -> Self {
        let (plan, intake) = (&prepared.entry().plan, prepared.intake());
        Self {
            playbook: plan.playbook.name.clone(),
            incident_id: intake.incident_id.clone(),
            awaits_approval: intake.approval,
            asks_approval: plan.playbook.approval.is_some(),
            tickets: prepared.tickets().to_vec(),
            concurrency_key: prepared.concurrency_key().map(ToOwned::to_owned),
            timeout_seconds: plan.playbook.timeout_seconds,
            steps: plan.steps().map(|(index, step)| Step::new(plan, index, step, intake)).collect(),
        }
    }
}

impl Step {
    fn new(plan: &Plan, index: StepIndex, step: &PlannedStep, intake: &Intake) -> Self {
        let before = KnownBefore::new(plan, index, intake);
        let parameters = match &step.parameters {
            Tree::Object(fields) => fields.iter().map(|(name, tree)| (name.clone(), before.tree(tree))).collect(),
            Tree::Leaf(_) | Tree::Text(_) | Tree::List(_) => Vec::new(),
        };
        let inherited = step.spec.inherits.iter().filter(|name| !step.spec.parameters.contains_key(*name));
        let inherited = inherited.filter_map(|name| Some((name.clone(), before.inherited(name)?)));
        Self {
            name: step.spec.name.clone(),
            kind: step.spec.kind.clone(),
            verify: plan.is_verify(index),
            needs: step.spec.needs.clone(),
            condition: step.condition.as_ref().or(step.until.as_ref()).map(|test| before.test(test)),
            for_each: step.items.as_ref().map(|items| before.tree(items)),
            parameters: parameters.into_iter().chain(inherited).collect(),
        }
    }
}

impl Known {
    fn later(tree: &Tree) -> Self {
        Self::Later(printable_json(&source(tree)))
    }
}

fn source(tree: &Tree) -> Value {
    match tree {
        Tree::Leaf(value) => value.clone(),
        Tree::Text(template) => Value::String(template.source().to_owned()),
        Tree::List(items) => items.iter().map(source).collect(),
        Tree::Object(fields) => fields.iter().map(|(name, tree)| (name.clone(), source(tree))).collect(),
    }
}

/// The values known before a step: the incident's variables, without the names that an earlier step outputs.
struct KnownBefore<'a> {
    incident: &'a Map,
    scope: Scope,
    outputs: BTreeSet<&'a str>,
}

impl<'a> KnownBefore<'a> {
    fn new(plan: &'a Plan, index: StepIndex, intake: &'a Intake) -> Self {
        let earlier = plan.steps().filter(|(other, _)| *other < index || plan.is_verify(index));
        let outputs = earlier.flat_map(|(_, step)| step.spec.outputs.iter().map(String::as_str)).collect();
        let scope = Scope::new(Arc::new(Incident(intake.variables.clone())));
        Self { incident: &intake.variables, scope, outputs }
    }

    fn test(&self, test: &Test) -> Known {
        match test {
            Test::Fixed(value) => Known::Now(Value::Bool(*value)),
            Test::Expression(template) => self.text(template),
        }
    }

    fn tree(&self, tree: &Tree) -> Known {
        match tree {
            Tree::Leaf(value) => Known::Now(value.clone()),
            Tree::Text(template) => self.text(template),
            Tree::List(_) | Tree::Object(_) if self.is_later(&tree.names()) => Known::later(tree),
            Tree::List(_) | Tree::Object(_) => tree.render(&self.scope).map_or_else(|_| Known::later(tree), Known::Now),
        }
    }

    fn text(&self, template: &Template) -> Known {
        let later = || Known::Later(template.source().to_owned());
        if self.is_later(&template.names()) {
            return later();
        }
        // A template that fails now may succeed later, so its source is shown.
        template.render(&self.scope).map_or_else(|_| later(), Known::Now)
    }

    fn inherited(&self, name: &str) -> Option<Known> {
        self.incident.get(name).cloned().map(Known::Now)
    }

    /// Whether a step outputs one of `names`, such as `reason` or `steps.check.reason`.
    fn is_later(&self, names: &BTreeSet<String>) -> bool {
        let root = |name: &'_ String| name.split('.').next().unwrap_or_default().to_owned();
        names.iter().map(root).any(|root| root == "steps" || self.outputs.contains(root.as_str()))
    }
}

/// The incident's own variables.
#[derive(Debug)]
struct Incident(Map);

impl Lookup for Incident {
    fn variable(&self, name: &str) -> Option<Value> {
        match name {
            "incident" => Some(Value::Object(self.0.clone())),
            _ => self.0.get(name).cloned(),
        }
    }
}
