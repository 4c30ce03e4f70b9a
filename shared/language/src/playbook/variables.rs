//! What the names in a playbook's templates can mean, and where.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

use super::order::Order;
use super::step::Draft;
use crate::code;
use crate::diagnostic::Span;
use crate::report::{Finding, quoted};
use crate::template::{FUNCTIONS, Names, Place};
use heal_engine::catalog::{Catalog, OutputType};
use heal_engine::event::StepOutcome;
use heal_engine::suggest;

/// Fields that every incident may have (contracts, section 5).
const INCIDENT: [(&str, OutputType); 13] = [
    ("incident_id", OutputType::String),
    ("incident_type", OutputType::String),
    ("severity", OutputType::String),
    ("workflow_id", OutputType::String),
    ("affected_tickets", OutputType::Array),
    ("details", OutputType::Array),
    ("correlation_id", OutputType::String),
    ("trace_id", OutputType::String),
    ("recommended_playbook", OutputType::Any),
    ("auto_remediation_enabled", OutputType::Any),
    ("escalation_required", OutputType::Boolean),
    ("created_at", OutputType::Integer),
    ("hash", OutputType::String),
];

/// Fields that producers are known to add: nothing that a playbook may rely on, but what a misspelled name may have meant.
const USUAL: [&str; 7] = ["ticket_id", "worker_id", "pod_name", "namespace", "plan_id", "service_name", "delay_ms"];

#[derive(Debug)]
pub(super) struct Variables<'d> {
    /// The playbook says which variables it takes; others are unknown.
    closed: bool,
    given: BTreeMap<String, OutputType>,
    /// Bare outputs: which steps give them.
    outputs: BTreeMap<&'d str, Vec<(usize, OutputType)>>,
    /// Outputs of the elements of a step that fans out: they have no names outside of it.
    scattered: BTreeMap<&'d str, usize>,
    steps: Vec<StepOutputs<'d>>,
    order: &'d Order,
}

/// What `steps.NAME` has.
#[derive(Debug)]
enum StepOutputs<'d> {
    Named(&'d [(&'static str, OutputType)]),
    /// Counts of how its elements ended, without bare names.
    Counts,
    /// Of an action that does not exist, which is the fault to be mended first.
    Unknown,
}

impl<'d> Variables<'d> {
    pub(super) fn of(steps: &[Draft<'_>], schema: Option<&Value>, order: &'d Order, catalog: &'d Catalog) -> Self {
        let declared = schema.map(declared).unwrap_or_default();
        let mut variables = Self {
            closed: !declared.is_empty(),
            given: INCIDENT.iter().map(|(name, kind)| ((*name).to_owned(), *kind)).collect(),
            outputs: BTreeMap::new(),
            scattered: BTreeMap::new(),
            steps: Vec::with_capacity(steps.len()),
            order,
        };
        variables.given.extend(declared);
        for (index, step) in steps.iter().enumerate() {
            let outputs = outputs(step, catalog);
            if let StepOutputs::Named(outputs) = &outputs {
                for (name, kind) in *outputs {
                    variables.outputs.entry(name).or_default().push((index, *kind));
                }
            }
            if let (StepOutputs::Counts, Some(spec)) = (&outputs, catalog.get(&step.kind)) {
                variables.scattered.extend(spec.outputs.iter().map(|(name, _)| (*name, index)));
            }
            variables.steps.push(outputs);
        }
        variables
    }

    /// Whether a run surely or possibly has a variable of this name when `place` is reached.
    pub(super) fn may_have(&self, name: &str, place: Place) -> bool {
        !self.closed || self.given.contains_key(name) || self.kind_of_output(name, place).is_some()
    }

    fn judge_bare(&self, name: &str, span: Span, place: Place, guarded: bool) -> Option<Finding> {
        if self.given.contains_key(name) || FUNCTIONS.contains(&name) || self.kind_of_output(name, place).is_some() {
            return None;
        }
        if let Some((giver, _)) = self.outputs.get(name).and_then(|givers| givers.first()) {
            return (!guarded).then(|| self.too_early(name, *giver, span, place));
        }
        if let Some(giver) = self.scattered.get(name).filter(|_| !guarded) {
            let giver = self.order.name(*giver);
            let message =
                format!("`{name}` is given by each element of step `{giver}`, which itself gives counts only");
            let help = format!("such as `steps.{giver}.succeeded`");
            return Some(Finding::error(code::UNKNOWN_OUTPUT, span, message).help(help));
        }
        let outputs = self.outputs.keys().copied();
        let known =
            || self.given.keys().map(String::as_str).chain(["run_id", "incident", "item"]).chain(outputs.clone());
        let unknown = format!("unknown variable `{}`", quoted(name));
        if !self.closed || guarded {
            let meant = suggest::near(name, known().chain(USUAL));
            let finding = if guarded { Finding::warning } else { Finding::error };
            // A name that nobody is likely to have misspelled may well come with the incident.
            let meant = meant.filter(|_| !USUAL.contains(&name))?;
            let help = "if an incident brings a field of this very name, list it in `parameters_schema`";
            return Some(finding(code::UNKNOWN_VARIABLE, span, unknown).suggest(Some(meant)).help(help));
        }
        let help = "no earlier step gives it; if the incident brings it, list it in `parameters_schema`";
        Some(Finding::error(code::UNKNOWN_VARIABLE, span, unknown).suggest(suggest::closest(name, known())).help(help))
    }

    fn judge_step(&self, path: &str, span: Span, from: usize, after_itself: bool, guarded: bool) -> Option<Finding> {
        let mut parts = path.split('.').skip(1);
        // `steps[…]`: which one is known only when it is rendered.
        let name = parts.next()?;
        let Some(index) = self.order.find(name) else {
            let names = self.order.names.iter().map(String::as_str);
            let finding = Finding::error(code::UNKNOWN_STEP, span, format!("there is no step `{}`", quoted(name)));
            return Some(finding.suggest(suggest::closest(name, names)));
        };
        if let Some(output) = parts.next()
            && let Err(outputs) = self.step_output(name, output)
        {
            let message = format!("step `{}` does not give `{}`", quoted(name), quoted(output));
            let finding = Finding::error(code::UNKNOWN_OUTPUT, span, message);
            let finding = finding.suggest(suggest::closest(output, outputs.iter().copied()));
            return Some(match outputs.as_slice() {
                [] => finding.help("it gives nothing"),
                outputs => finding.help(format!("it gives {}", outputs.join(", "))),
            });
        }
        let is_there = self.order.has_ended(index, from) || (after_itself && index == from);
        (!is_there && !guarded).then(|| {
            let place = Place::Step { index: from, per_item: false, after_itself };
            self.too_early(path, index, span, place)
        })
    }

    fn too_early(&self, name: &str, giver: usize, span: Span, place: Place) -> Finding {
        let (name, giver_name) = (quoted(name), self.order.name(giver));
        let (message, help) = match place {
            Place::BeforeRun => (
                format!("`{name}` is given by step `{giver_name}`, and this is decided before the run starts"),
                "if the incident brings it, list it in `parameters_schema`".to_owned(),
            ),
            Place::Step { index, .. } if index == giver => (
                format!("`{name}` is what this step itself gives, it is not there yet"),
                "if the incident brings it, list it in `parameters_schema`".to_owned(),
            ),
            Place::Step { .. } => (
                format!("`{name}` is given by step `{giver_name}`, which may not have run by then"),
                format!("add `{giver_name}` to `needs`; if the incident brings it, list it in `parameters_schema`"),
            ),
        };
        Finding::error(code::NOT_RUN_YET, span, message).help(help)
    }

    /// The type of a bare output that is there at `place`: `Any` where its givers differ.
    fn kind_of_output(&self, name: &str, place: Place) -> Option<OutputType> {
        let Place::Step { index, after_itself, .. } = place else { return None };
        let givers = self.outputs.get(name)?;
        let is_there = |giver: usize| self.order.has_ended(giver, index) || (after_itself && giver == index);
        let mut kinds = givers.iter().filter(|(giver, _)| is_there(*giver)).map(|(_, kind)| *kind);
        let first = kinds.next()?;
        Some(if kinds.all(|kind| kind == first) { first } else { OutputType::Any })
    }

    /// # Errors
    /// The outputs that the step has, where this is none of them.
    fn step_output(&self, step: &str, output: &str) -> Result<Option<OutputType>, Vec<&str>> {
        match self.order.find(step).and_then(|index| self.steps.get(index)) {
            Some(StepOutputs::Named(outputs)) => match outputs.iter().find(|(name, _)| *name == output) {
                Some((_, kind)) => Ok(Some(*kind)),
                None => Err(outputs.iter().map(|(name, _)| *name).collect()),
            },
            Some(StepOutputs::Counts) => {
                let counts = || StepOutcome::ALL.iter().map(|outcome| outcome.as_str()).chain(["count"]);
                if counts().any(|count| count == output) {
                    Ok(Some(OutputType::Integer))
                } else {
                    Err(counts().collect())
                }
            }
            Some(StepOutputs::Unknown) | None => Ok(None),
        }
    }
}

impl Names for Variables<'_> {
    fn judge(&self, path: &str, span: Span, place: Place, guarded: bool) -> Option<Finding> {
        let root = path.split('.').next().unwrap_or_default();
        match (root, place) {
            ("item", Place::Step { per_item: true, .. }) | ("incident", _) => None,
            ("item", _) if !self.given.contains_key("item") => {
                let finding = Finding::error(
                    code::UNKNOWN_VARIABLE,
                    span,
                    "`item` is the element of a `for_each`, there is none here",
                );
                Some(finding)
            }
            ("run_id" | "steps", Place::BeforeRun) => {
                let message = format!("`{root}` is not there yet: this is decided before the run starts");
                Some(Finding::error(code::UNKNOWN_VARIABLE, span, message))
            }
            ("run_id", Place::Step { .. }) => None,
            ("steps", Place::Step { index, after_itself, .. }) => {
                self.judge_step(path, span, index, after_itself, guarded)
            }
            _ => self.judge_bare(root, span, place, guarded),
        }
    }

    fn kind(&self, path: &str, place: Place) -> Option<OutputType> {
        let mut parts = path.split('.');
        match (parts.next()?, parts.next(), parts.next(), parts.next()) {
            ("steps", Some(step), Some(output), None) => self.step_output(step, output).ok().flatten(),
            (name, None, ..) => match (self.kind_of_output(name, place), self.given.get(name)) {
                (Some(kind), None) => Some(kind),
                (None, Some(kind)) if !self.outputs.contains_key(name) => Some(*kind),
                (Some(_) | None, Some(_)) | (None, None) => None,
            },
            _ => None,
        }
        .filter(|kind| *kind != OutputType::Any)
    }
}

fn outputs<'d>(step: &Draft<'_>, catalog: &'d Catalog) -> StepOutputs<'d> {
    match catalog.get(&step.kind) {
        _ if step.is_wait() => StepOutputs::Named(&[]),
        None => StepOutputs::Unknown,
        Some(_) if step.for_each.is_some() => StepOutputs::Counts,
        Some(spec) => StepOutputs::Named(spec.outputs),
    }
}

/// The variables that a parameters schema lists, with their types where it fixes one.
fn declared(schema: &Value) -> BTreeMap<String, OutputType> {
    let properties = schema.get("properties").and_then(Value::as_object);
    let required = schema.get("required").and_then(Value::as_array);
    let required: BTreeSet<&str> = required.into_iter().flatten().filter_map(Value::as_str).collect();
    let mut declared: BTreeMap<String, OutputType> =
        required.into_iter().map(|name| (name.to_owned(), OutputType::Any)).collect();
    let types: HashMap<&str, OutputType> = HashMap::from([
        ("boolean", OutputType::Boolean),
        ("integer", OutputType::Integer),
        ("number", OutputType::Number),
        ("string", OutputType::String),
        ("array", OutputType::Array),
        ("object", OutputType::Object),
    ]);
    for (name, property) in properties.into_iter().flatten() {
        let kind = property.get("type").and_then(Value::as_str).and_then(|kind| types.get(kind)).copied();
        declared.insert(name.clone(), kind.unwrap_or(OutputType::Any));
    }
    declared
}
