//! Parameters against the JSON Schema of their action. A template may become anything, so only what is literal is judged.

use std::collections::HashMap;

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{ValidationError, Validator};
use serde_json::Value;

use super::budget::seconds as seconds_of;
use super::step::Draft;
use super::variables::Variables;
use crate::code;
use crate::diagnostic::Span;
use crate::report::{Finding, Report, quoted};
use crate::template::Place;
use crate::template::has_template;
use crate::yaml::{Entry, Kind, Node, entries_to_json};
use heal_engine::catalog::{ActionSpec, Catalog, WAIT};
use heal_engine::limit;
use heal_engine::suggest;
use heal_engine::template::is_template;

/// The actions' schemas, each compiled when a step first needs it.
#[derive(Debug)]
pub(super) struct Schemas<'c> {
    catalog: &'c Catalog,
    compiled: HashMap<&'static str, Option<Validator>>,
}

impl<'c> Schemas<'c> {
    pub(super) fn of(catalog: &'c Catalog) -> Self {
        Self { catalog, compiled: HashMap::new() }
    }

    pub(super) fn check(&mut self, step: &Draft<'_>, index: usize, variables: &Variables<'_>, report: &mut Report) {
        let entries = step.parameters.map_or(&[][..], Node::entries);
        if step.has_wrong_parameters {
            return;
        }
        if step.is_wait() {
            check_wait(step, entries, report);
            return;
        }
        let Some(spec) = self.catalog.get(&step.kind) else { return };
        // A misspelled parameter is one fault, not one too many and one too few.
        let meant: Vec<&str> = entries.iter().filter_map(|entry| check_name(spec, entry, report)).collect();
        let place = Place::Step { index, per_item: step.for_each.is_some(), after_itself: false };
        let has = |name: &str| {
            let is_inherited = spec.inherits.contains(&name) && variables.may_have(name, place);
            is_inherited || meant.contains(&name) || entries.iter().any(|entry| entry.key == name)
        };
        check_presence(spec, step, has, report);
        let compile = || jsonschema::draft202012::new(&spec.parameters).ok();
        if let Some(validator) = self.compiled.entry(spec.name).or_insert_with(compile) {
            check_values(validator, step, entries, report);
        }
    }
}

fn properties(spec: &ActionSpec) -> impl Iterator<Item = &str> {
    spec.parameters
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flat_map(|object| object.keys().map(String::as_str))
}

/// What an unknown name was probably meant to be.
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
    let meant = suggest::closest(&entry.key, properties(spec));
    report.add(Finding::error(code::UNKNOWN_PARAMETER, entry.key_span, message).suggest(meant).help(help));
    meant
}

/// The parameters that have to be there, those of which one has to be there included.
fn check_presence(spec: &ActionSpec, step: &Draft<'_>, has: impl Fn(&str) -> bool, report: &mut Report) {
    let place = step.place;
    for name in required(&spec.parameters).filter(|name| !has(name)) {
        let finding =
            Finding::error(code::MISSING_PARAMETER, place, format!("`{}` needs the parameter `{name}`", spec.name));
        report.add(if spec.inherits.contains(&name) {
            finding.help(format!("give it, or list `{name}` in `parameters_schema`: then the incident's is taken"))
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

/// What the schema says of the values themselves. What it says of the object as a whole has been said by name.
fn check_values(validator: &Validator, step: &Draft<'_>, entries: &[Entry], report: &mut Report) {
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

/// Where to point at: an object's first key rather than all of its lines.
fn head(node: &Node) -> Span {
    node.entries().first().map_or(node.span, |entry| entry.key_span)
}

/// What is wrong, in words that continue "parameter `x` …".
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

fn check_wait(step: &Draft<'_>, entries: &[Entry], report: &mut Report) {
    let mut is_meant = false;
    for entry in entries.iter().filter(|entry| entry.key != "seconds") {
        let message = format!("`{WAIT}` has no parameter `{}`", quoted(&entry.key));
        let meant = suggest::closest(&entry.key, ["seconds"]);
        is_meant |= meant.is_some();
        let finding = Finding::error(code::UNKNOWN_PARAMETER, entry.key_span, message).suggest(meant);
        report.add(finding.help("its one parameter is seconds"));
    }
    let Some(seconds) = entries.iter().find(|entry| entry.key == "seconds") else {
        if !is_meant {
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
