//! The steps of a run, as far as they are known before the first one.

use std::collections::BTreeSet;
use std::sync::Arc;

use heal_engine::Map;
use heal_engine::id::StepIndex;
use heal_engine::incident::Intake;
use heal_engine::plan::{Plan, PlannedStep};
use heal_engine::template::{Lookup, Scope, Template, Test, Tree};
use heal_runtime::dispatcher::Prepared;
use heal_telemetry::text::printable_json;
use owo_colors::OwoColorize as _;
use serde::Serialize;
use serde_json::Value;

use crate::out;

/// A template's value, or its source if the value depends on a step.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Known {
    Now(Value),
    Later(String),
}

#[derive(Debug, Serialize)]
struct Preview {
    playbook: String,
    incident_id: String,
    awaits_approval: bool,
    /// The playbook itself asks people, perhaps only if its condition holds.
    asks_approval: bool,
    /// The tickets that get a run each; the steps are those of the first one's. Absent if there is one run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tickets: Vec<String>,
    concurrency_key: Option<String>,
    timeout_seconds: u64,
    steps: Vec<Step>,
}

#[derive(Debug, Serialize)]
struct Step {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    verify: bool,
    needs: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    condition: Option<Known>,
    #[serde(skip_serializing_if = "Option::is_none")]
    for_each: Option<Known>,
    parameters: Vec<(String, Known)>,
}

/// # Errors
/// Standard output cannot be written.
pub(super) fn show(prepared: &Prepared, json: bool) -> std::io::Result<()> {
    let preview = Preview::new(prepared);
    if json { out::json(&preview) } else { preview.lines().iter().try_for_each(out::line) }
}

impl Preview {
    fn new(prepared: &Prepared) -> Self {
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

    fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!(
            "playbook {} for incident {}, at most {} s; {}",
            self.playbook.bold(),
            out::text(&self.incident_id),
            self.timeout_seconds,
            "nothing is executed".green()
        )];
        if self.awaits_approval {
            lines.push("  a live run awaits approval first (--approve)".yellow().to_string());
        }
        if self.asks_approval {
            lines.push("  the playbook asks for the approval of another person first".yellow().to_string());
        }
        if let [first, others @ ..] = self.tickets.as_slice() {
            let others = others.iter().map(|ticket| out::text(ticket)).collect::<Vec<_>>().join(", ");
            lines.push(format!("  one run for each ticket: this is that of {}, then {others}", out::text(first)));
        }
        if let Some(key) = &self.concurrency_key {
            lines.push(format!("  one live run per {}", out::text(key)));
        }
        lines.extend(self.steps.iter().zip(1..).flat_map(|(step, place)| step.lines(place)));
        lines
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

    fn lines(&self, place: usize) -> Vec<String> {
        let role = if self.verify { "verify" } else { "action" };
        let kind = if self.kind == self.name { String::new() } else { format!(" ({})", self.kind) };
        let after = if self.needs.is_empty() { String::new() } else { format!(", after {}", self.needs.join(" and ")) };
        let mut lines = vec![format!("  {place:>2}  {role} {}{kind}{after}", self.name.bold())];
        let mut field = |name: &str, known: &Known| lines.push(format!("        {name:<14} {}", known.display_text()));
        if let Some(condition) = &self.condition {
            field(if self.verify { "until" } else { "only if" }, condition);
        }
        if let Some(items) = &self.for_each {
            field("for each", items);
        }
        self.parameters.iter().for_each(|(name, known)| field(name, known));
        lines
    }
}

impl Known {
    fn later(tree: &Tree) -> Self {
        Self::Later(printable_json(&source(tree)))
    }

    fn display_text(&self) -> String {
        match self {
            Self::Now(Value::String(text)) => out::text(text),
            Self::Now(value) => printable_json(value),
            Self::Later(source) => format!("{}  {}", out::text(source), "known later".dimmed()),
        }
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
