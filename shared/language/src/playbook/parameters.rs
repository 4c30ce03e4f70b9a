//! Checks parameters against the JSON Schema of their action. A template may render to anything, so only literal values are checked.

use std::collections::HashMap;

use heal_engine::catalog::{ActionSpec, Catalog, WAIT};
use heal_engine::secret::{has_secret, is_secret_name};
use heal_engine::template::is_template;
use heal_engine::{limit, suggest};
use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{ValidationError, Validator};
use serde_json::Value;

use super::budget::seconds as seconds_of;
use super::step::StepDraft;
use super::variables::Variables;
use crate::code;
use crate::diagnostic::Span;
use crate::report::{Finding, Report, quoted};
use crate::template::{EvaluationPoint, has_template};
use crate::yaml::{Entry, Kind, Node, entries_to_json};

/// The schemas of the actions, each compiled on first use.
#[derive(Debug)]
pub(super) struct Schemas<'c> {
    catalog: &'c Catalog,
    compiled: HashMap<&'static str, Option<Validator>>,
}

impl<'c> Schemas<'c> {
    pub(super) fn new(catalog: &'c Catalog) -> Self {
        Self { catalog, compiled: HashMap::new() }
    }

    pub(super) fn check(&mut self, step: &StepDraft<'_>, index: usize, variables: &Variables<'_>, report: &mut Report) {
        let entries = step.parameters.map_or(&[][..], Node::entries);
        if step.has_wrong_parameters {
            return;
        }
        if step.is_wait() {
            check_wait(step, entries, report);
            return;
        }
        let Some(spec) = self.catalog.get(&step.kind) else { return };
        // A misspelled parameter is one fault, not an unknown and a missing one.
        let suggestions: Vec<&str> = entries.iter().filter_map(|entry| check_name(spec, entry, report)).collect();
        let point = EvaluationPoint::Step { index, in_for_each: step.for_each.is_some(), has_own_outputs: false };
        let has = |name: &str| {
            let is_inherited = spec.inherits.contains(&name) && variables.may_have(name, point);
            is_inherited || suggestions.contains(&name) || entries.iter().any(|entry| entry.key == name)
        };
        check_presence(spec, step, has, report);
        entries.iter().for_each(|entry| check_secret(&entry.key, &entry.value, report));
        let compile = || jsonschema::draft202012::new(&spec.parameters).ok();
        if let Some(validator) = self.compiled.entry(spec.name).or_insert_with(compile) {
            check_values(validator, step, entries, report);
        }
    }
}

/// A secret that is written into a playbook is in its file, in every run's plan and in its log.
fn check_secret(name: &str, node: &Node, report: &mut Report) {
    match &node.kind {
        Kind::Text(text) if has_secret(text) || (is_secret_name(name) && is_literal(text)) => {
            let message = format!("the value of `{}` is a secret, and a playbook is no place for one", quoted(name));
            let help = "pass a reference, such as the name of a secret that the action reads itself";
            report.add(Finding::warning(code::SECRET_VALUE, node.span, message).help(help));
        }
        Kind::List(items) => items.iter().for_each(|item| check_secret(name, item, report)),
        Kind::Object(entries) => entries.iter().for_each(|entry| check_secret(&entry.key, &entry.value, report)),
        Kind::Null | Kind::Boolean(_) | Kind::Number(_) | Kind::Text(_) => {}
    }
}

/// Neither a template nor a reference such as `env:NAME`.
fn is_literal(text: &str) -> bool {
    !text.is_empty() && !is_template(text) && !text.contains(':')
}

fn properties(spec: &ActionSpec) -> impl Iterator<Item = &str> {
    spec.parameters
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flat_map(|object| object.keys().map(String::as_str))
}

/// Reports an unknown name, and returns the parameter that it probably stands for.
fn check_name<'s>(spec: &'s ActionSpec, entry: &Entry, report: &mut Report) -> Option<&'s str> {
    let is_open = match spec.parameters.get("additionalProperties") {
        Some(Value::Bool(open)) => *open,
        Some(_) => true,
        None => spec.parameters.get("patternProperties").is_some(),
    };
    if is_open || properties(spec).any(|name| name == entry.key) {
        return None;
    }
    let message = format!("`{}` has no parameter `{}`", spec.name, quoted(&entry.key));
    let help = match properties(spec).collect::<Vec<_>>() {
        names if names.is_empty() => "it has no parameters".to_owned(),
        names => format!("its parameters are {}", names.join(", ")),
    };
    let suggestion = suggest::closest(&entry.key, properties(spec));
    report.add(Finding::error(code::UNKNOWN_PARAMETER, entry.key_span, message).suggest(suggestion).help(help));
    suggestion
}

/// Reports missing parameters, also where one of several is required.
fn check_presence(spec: &ActionSpec, step: &StepDraft<'_>, has: impl Fn(&str) -> bool, report: &mut Report) {
    let place = step.place;
    for name in required(&spec.parameters).filter(|name| !has(name)) {
        let finding =
            Finding::error(code::MISSING_PARAMETER, place, format!("`{}` needs the parameter `{name}`", spec.name));
        report.add(if spec.inherits.contains(&name) {
            finding.help(format!("set it, or list `{name}` in `parameters_schema` to use the value of the incident"))
        } else {
            finding
        });
    }
    for keyword in ["anyOf", "oneOf"] {
        let Some(ways) = spec.parameters.get(keyword).and_then(Value::as_array) else { continue };
        let is_met = |way: &Value| required(way).all(&has);
        if ways.iter().all(|way| required(way).next().is_some()) && !ways.iter().any(is_met) {
            let way = |way: &Value| required(way).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" and ");
            let ways: Vec<_> = ways.iter().map(way).collect();
            let message = format!("`{}` needs one of the parameters {}", spec.name, ways.join(", "));
            report.add(Finding::error(code::MISSING_PARAMETER, place, message));
        }
    }
}

fn required(schema: &Value) -> impl Iterator<Item = &str> {
    schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

/// Checks the values themselves; [`check_name`] and [`check_presence`] have checked the object as a whole.
fn check_values(validator: &Validator, step: &StepDraft<'_>, entries: &[Entry], report: &mut Report) {
    let Some(node) = step.parameters else { return };
    let value = Value::Object(entries_to_json(entries));
    for error in validator.iter_errors(&value) {
        let path: Vec<String> = error.instance_path().iter().map(|segment| segment.to_string()).collect();
        let found = path.iter().try_fold(node, |node, segment| node.child(segment));
        if let Some(found) = found.filter(|found| !path.is_empty() && !has_template(found)) {
            let message = format!("parameter `{}` {}", quoted(&path.join(".")), describe(&error, found));
            report.add(Finding::error(code::WRONG_PARAMETER, head(found), message));
        }
    }
}

/// The span to report: the first key of an object rather than all of its lines.
fn head(node: &Node) -> Span {
    node.entries().first().map_or(node.span, |entry| entry.key_span)
}

/// The error as the end of a sentence that starts with "parameter `x`".
pub(super) fn describe(error: &ValidationError<'_>, found: &Node) -> String {
    let kind = error.kind();
    if let ValidationErrorKind::Type { kind } = kind {
        let needed = match kind {
            TypeKind::Single(kind) => kind.to_string(),
            TypeKind::Multiple(kinds) => kinds.iter().map(|kind| kind.to_string()).collect::<Vec<_>>().join(" or "),
        };
        return format!("has to be of type {needed}, found {}", found.brief());
    }
    if let ValidationErrorKind::Enum { options } = kind {
        let options: Vec<_> = options.as_array().into_iter().flatten().map(ToString::to_string).collect();
        return format!("has to be one of {}, found {}", options.join(", "), found.brief());
    }
    if let ValidationErrorKind::Pattern { pattern } = kind {
        return format!("has to match {pattern}, found {}", found.brief());
    }
    if let ValidationErrorKind::Required { property } = kind {
        return format!("needs {property}");
    }
    if matches!(kind, ValidationErrorKind::MinLength { .. } | ValidationErrorKind::MinItems { .. }) {
        return format!("is too short, found {}", found.brief());
    }
    format!("is refused: {}", quoted(&error.to_string()))
}

fn check_wait(step: &StepDraft<'_>, entries: &[Entry], report: &mut Report) {
    let mut is_misspelled = false;
    for entry in entries.iter().filter(|entry| entry.key != "seconds") {
        let message = format!("`{WAIT}` has no parameter `{}`", quoted(&entry.key));
        let suggestion = suggest::closest(&entry.key, ["seconds"]);
        is_misspelled |= suggestion.is_some();
        let finding = Finding::error(code::UNKNOWN_PARAMETER, entry.key_span, message).suggest(suggestion);
        report.add(finding.help("its only parameter is `seconds`"));
    }
    let Some(seconds) = entries.iter().find(|entry| entry.key == "seconds") else {
        if !is_misspelled {
            report.add(Finding::error(code::MISSING_PARAMETER, step.place, "`wait` needs the parameter `seconds`"));
        }
        return;
    };
    let span = seconds.value.span;
    match &seconds.value.kind {
        Kind::Text(text) if is_template(text) => {}
        Kind::Number(number) => match number.as_f64() {
            Some(value) if value > seconds_of(limit::DURATION_SECONDS) => {
                let message =
                    format!("the wait has {number} seconds, the limit is {} seconds", limit::DURATION_SECONDS);
                report.add(Finding::error(code::BUDGET_EXCEEDED, span, message));
            }
            Some(value) if value > 0.0 => {}
            _ => {
                let message = format!("parameter `seconds` is {number}, a number over 0 is needed");
                report.add(Finding::error(code::WRONG_PARAMETER, span, message));
            }
        },
        Kind::Null | Kind::Boolean(_) | Kind::Text(_) | Kind::List(_) | Kind::Object(_) => {
            let message = format!("parameter `seconds` has to be a number, found {}", seconds.value.brief());
            report.add(Finding::error(code::WRONG_PARAMETER, span, message));
        }
    }
}
