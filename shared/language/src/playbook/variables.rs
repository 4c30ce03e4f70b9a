//! The variables of a playbook's templates: what the incident and the steps provide, and when.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use heal_engine::catalog::{Catalog, OutputType, STEP_FIELDS};
use heal_engine::event::StepOutcome;
use heal_engine::secret::{HIDDEN, Secrets, is_secret_name};
use heal_engine::suggest;
use serde_json::Value;

use super::order::StepOrder;
use super::step::StepDraft;
use crate::code;
use crate::diagnostic::Span;
use crate::report::{Finding, quoted};
use crate::template::{EvaluationPoint, FUNCTIONS, KnownNames};

/// Fields that any incident may have (contracts, section 5).
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

/// Fields that producers often add. A playbook cannot rely on them; they serve as suggestions for misspelled names.
const USUAL: [&str; 7] = ["ticket_id", "worker_id", "pod_name", "namespace", "plan_id", "service_name", "delay_ms"];

#[derive(Debug)]
pub(super) struct Variables<'d> {
    /// Whether `parameters_schema` lists the variables, so that any other name is unknown.
    closed: bool,
    /// Fields of the incident and declared parameters.
    inputs: BTreeMap<String, OutputType>,
    /// Outputs by their bare names, with the steps that have them.
    outputs: BTreeMap<&'d str, Vec<(usize, OutputType)>>,
    /// Outputs of the elements of a step that fans out, which templates cannot read.
    item_outputs: BTreeMap<&'d str, usize>,
    steps: Vec<StepOutputs<'d>>,
    order: &'d StepOrder,
    /// Names of inputs whose values are hidden, as the schema marks them and as every installation does.
    secrets: Secrets,
}

/// The fields of `steps.NAME`.
#[derive(Debug)]
enum StepOutputs<'d> {
    Declared(&'d [(&'static str, OutputType)]),
    /// Of a step that fans out: its elements counted by outcome. They have no bare names.
    Counts,
    /// Of an unknown action, which is reported already.
    Unknown,
}

impl<'d> Variables<'d> {
    pub(super) fn collect(
        steps: &[StepDraft<'_>],
        schema: Option<&Value>,
        order: &'d StepOrder,
        catalog: &'d Catalog,
    ) -> Self {
        let declared = schema.map(declared).unwrap_or_default();
        let mut variables = Self {
            closed: !declared.is_empty(),
            inputs: INCIDENT.iter().map(|(name, kind)| ((*name).to_owned(), *kind)).collect(),
            outputs: BTreeMap::new(),
            item_outputs: BTreeMap::new(),
            steps: Vec::with_capacity(steps.len()),
            order,
            secrets: Secrets::marked(schema),
        };
        variables.inputs.extend(declared);
        for (index, step) in steps.iter().enumerate() {
            let outputs = outputs(step, catalog);
            if let StepOutputs::Declared(outputs) = &outputs {
                for (name, kind) in *outputs {
                    variables.outputs.entry(name).or_default().push((index, *kind));
                }
            }
            if let (StepOutputs::Counts, Some(spec)) = (&outputs, catalog.get(&step.kind)) {
                variables.item_outputs.extend(spec.outputs.iter().map(|(name, _)| (*name, index)));
            }
            variables.steps.push(outputs);
        }
        variables
    }

    /// Whether a run may have a variable of this name at `point`.
    pub(super) fn may_have(&self, name: &str, point: EvaluationPoint) -> bool {
        !self.closed || self.inputs.contains_key(name) || self.kind_of_output(name, point).is_some()
    }

    /// An incident carries no secrets: whoever marks a variable as one and reads it gets nothing.
    fn check_secret(&self, path: &str, span: Span, point: EvaluationPoint) -> Option<Finding> {
        let name = path.strip_prefix("incident.").unwrap_or(path).split('.').next().unwrap_or_default();
        if !self.secrets.has(name) || self.kind_of_output(name, point).is_some() {
            return None;
        }
        let finding = if is_secret_name(name) { Finding::warning } else { Finding::error };
        let message = format!("`{}` is a secret, which no run keeps: its value is always `{HIDDEN}`", quoted(name));
        let help = "pass a reference, such as the name of a secret that the action reads itself";
        Some(finding(code::SECRET_VARIABLE, span, message).help(help))
    }

    fn check_bare(&self, name: &str, span: Span, point: EvaluationPoint, guarded: bool) -> Option<Finding> {
        if self.inputs.contains_key(name) || FUNCTIONS.contains(&name) || self.kind_of_output(name, point).is_some() {
            return None;
        }
        if let Some((giver, _)) = self.outputs.get(name).and_then(|givers| givers.first()) {
            return (!guarded).then(|| self.too_early(name, *giver, span, point));
        }
        if let Some(giver) = self.item_outputs.get(name).filter(|_| !guarded) {
            let giver = self.order.name(*giver);
            let message =
                format!("`{name}` is an output of each element of step `{giver}`, which itself has only counts");
            let help = format!("such as `steps.{giver}.succeeded`");
            return Some(Finding::error(code::UNKNOWN_OUTPUT, span, message).help(help));
        }
        let outputs = self.outputs.keys().copied();
        let known =
            || self.inputs.keys().map(String::as_str).chain(["run_id", "incident", "item"]).chain(outputs.clone());
        let unknown = format!("unknown variable `{}`", quoted(name));
        if !self.closed || guarded {
            let suggestion = suggest::near(name, known().chain(USUAL));
            let finding = if guarded { Finding::warning } else { Finding::error };
            // A usual name is probably not misspelled: the incident may have it.
            let suggestion = suggestion.filter(|_| !USUAL.contains(&name))?;
            let help = "if incidents have a field of this exact name, list it in `parameters_schema`";
            return Some(finding(code::UNKNOWN_VARIABLE, span, unknown).suggest(Some(suggestion)).help(help));
        }
        let help = "no earlier step has it as an output; if incidents have it, list it in `parameters_schema`";
        Some(Finding::error(code::UNKNOWN_VARIABLE, span, unknown).suggest(suggest::closest(name, known())).help(help))
    }

    fn check_step(&self, path: &str, span: Span, from: usize, has_own_outputs: bool, guarded: bool) -> Option<Finding> {
        let mut parts = path.split('.').skip(1);
        // `steps[…]`: the name is known only when the template is rendered.
        let name = parts.next()?;
        let Some(index) = self.order.find(name) else {
            let names = self.order.names.iter().map(String::as_str);
            let finding = Finding::error(code::UNKNOWN_STEP, span, format!("there is no step `{}`", quoted(name)));
            return Some(finding.suggest(suggest::closest(name, names)));
        };
        let output = parts.next();
        if let Some(output) = output
            && let Err(outputs) = self.step_output(name, output)
        {
            let message = format!("step `{}` has no output `{}`", quoted(name), quoted(output));
            let finding = Finding::error(code::UNKNOWN_OUTPUT, span, message);
            let finding = finding.suggest(suggest::closest(output, outputs.iter().copied()));
            return Some(finding.help(format!("its outputs are {}", outputs.join(", "))));
        }
        // A probe has outputs before its entry has ended, and no outcome yet.
        let has_own = has_own_outputs && output.is_none_or(|output| field_type(output).is_none());
        let is_there = self.order.has_ended(index, from) || (has_own && index == from);
        (!is_there && !guarded).then(|| {
            let point = EvaluationPoint::Step { index: from, in_for_each: false, has_own_outputs };
            self.too_early(path, index, span, point)
        })
    }

    fn too_early(&self, name: &str, giver: usize, span: Span, point: EvaluationPoint) -> Finding {
        let (name, giver_name) = (quoted(name), self.order.name(giver));
        let (message, help) = match point {
            EvaluationPoint::BeforeRun => (
                format!("`{name}` is an output of step `{giver_name}`, and this is evaluated before the run starts"),
                "if incidents have it, list it in `parameters_schema`".to_owned(),
            ),
            EvaluationPoint::Step { index, .. } if index == giver => (
                format!("`{name}` is an output of this step itself, which does not exist yet"),
                "if incidents have it, list it in `parameters_schema`".to_owned(),
            ),
            EvaluationPoint::Step { .. } => (
                format!("`{name}` is an output of step `{giver_name}`, which may not have run by then"),
                format!("add `{giver_name}` to `needs`; if incidents have it, list it in `parameters_schema`"),
            ),
        };
        Finding::error(code::NOT_RUN_YET, span, message).help(help)
    }

    /// The type of a bare output that exists at `point`: `Any` if the types of its steps differ.
    fn kind_of_output(&self, name: &str, point: EvaluationPoint) -> Option<OutputType> {
        let EvaluationPoint::Step { index, has_own_outputs, .. } = point else { return None };
        let givers = self.outputs.get(name)?;
        let is_there = |giver: usize| self.order.has_ended(giver, index) || (has_own_outputs && giver == index);
        let mut kinds = givers.iter().filter(|(giver, _)| is_there(*giver)).map(|(_, kind)| *kind);
        let first = kinds.next()?;
        Some(if kinds.all(|kind| kind == first) { first } else { OutputType::Any })
    }

    /// # Errors
    /// The outputs of the step, if `output` is not one of them.
    fn step_output(&self, step: &str, output: &str) -> Result<Option<OutputType>, Vec<&str>> {
        match self.order.find(step).and_then(|index| self.steps.get(index)) {
            Some(StepOutputs::Declared(outputs)) => {
                let own = outputs.iter().find(|(name, _)| *name == output).map(|(_, kind)| *kind);
                match field_type(output).or(own) {
                    Some(kind) => Ok(Some(kind)),
                    None => Err(outputs.iter().chain(&STEP_FIELDS).map(|(name, _)| *name).collect()),
                }
            }
            Some(StepOutputs::Counts) if output == "outcome" => Ok(field_type(output)),
            Some(StepOutputs::Counts) => {
                let counts = || StepOutcome::ALL.iter().map(|outcome| outcome.as_str()).chain(["count", "outcome"]);
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

impl KnownNames for Variables<'_> {
    fn check(&self, path: &str, span: Span, point: EvaluationPoint, guarded: bool) -> Option<Finding> {
        let root = path.split('.').next().unwrap_or_default();
        let is_input = !matches!(root, "item" | "run_id" | "steps");
        if let Some(finding) = is_input.then(|| self.check_secret(path, span, point)).flatten() {
            return Some(finding);
        }
        match (root, point) {
            ("item", EvaluationPoint::Step { in_for_each: true, .. }) | ("incident", _) => None,
            ("item", _) if !self.inputs.contains_key("item") => {
                let finding =
                    Finding::error(code::UNKNOWN_VARIABLE, span, "`item` exists only inside a step with `for_each`");
                Some(finding)
            }
            ("run_id" | "steps", EvaluationPoint::BeforeRun) => {
                let message = format!("`{root}` does not exist yet: this is evaluated before the run starts");
                Some(Finding::error(code::UNKNOWN_VARIABLE, span, message))
            }
            ("run_id", EvaluationPoint::Step { .. }) => None,
            ("steps", EvaluationPoint::Step { index, has_own_outputs, .. }) => {
                self.check_step(path, span, index, has_own_outputs, guarded)
            }
            _ => self.check_bare(root, span, point, guarded),
        }
    }

    fn type_of(&self, path: &str, point: EvaluationPoint) -> Option<OutputType> {
        let mut parts = path.split('.');
        match (parts.next()?, parts.next(), parts.next(), parts.next()) {
            ("steps", Some(step), Some(output), None) => self.step_output(step, output).ok().flatten(),
            (name, None, ..) => match (self.kind_of_output(name, point), self.inputs.get(name)) {
                (Some(kind), None) => Some(kind),
                (None, Some(kind)) if !self.outputs.contains_key(name) => Some(*kind),
                (Some(_) | None, Some(_)) | (None, None) => None,
            },
            _ => None,
        }
        .filter(|kind| *kind != OutputType::Any)
    }
}

/// The type of a field that every ended step has.
fn field_type(name: &str) -> Option<OutputType> {
    STEP_FIELDS.iter().find(|(field, _)| *field == name).map(|(_, kind)| *kind)
}

fn outputs<'d>(step: &StepDraft<'_>, catalog: &'d Catalog) -> StepOutputs<'d> {
    match catalog.get(&step.kind) {
        _ if step.is_wait() => StepOutputs::Declared(&[]),
        None => StepOutputs::Unknown,
        Some(_) if step.for_each.is_some() => StepOutputs::Counts,
        Some(spec) => StepOutputs::Declared(spec.outputs),
    }
}

/// The variables that a parameters schema lists, with their types.
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
