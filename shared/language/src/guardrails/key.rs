//! The template of a budget's key.

use std::sync::Arc;

use heal_engine::catalog::OutputType;
use heal_engine::suggest;
use heal_engine::template::{Lookup, Scope, Template};
use heal_guard::KEY_NAMES;
use serde_json::Value;

use crate::code;
use crate::diagnostic::Span;
use crate::field::Field;
use crate::report::{Finding, Report, quoted};
use crate::template::{self, Context, EvaluationPoint, FUNCTIONS, KnownNames};

/// The five names of an effect, each a text.
#[derive(Debug)]
struct EffectNames;

/// An effect to render a key with.
#[derive(Debug)]
struct Sample {
    workflow_id: &'static str,
}

/// `None` and a finding if it is not a template over [`KEY_NAMES`], or cannot be rendered.
pub(super) fn read(source: &str, field: &Field<'_>, report: &mut Report) -> Option<String> {
    let text = field.text(report)?;
    let cx = Context { source, names: &EffectNames };
    let checked = template::check(cx, text, field.node.span, EvaluationPoint::BeforeRun, report)?;
    let names = checked.template.names();
    if names.iter().any(|name| FUNCTIONS.contains(&name.as_str())) {
        let finding = Finding::error(code::UNKNOWN_FUNCTION, field.node.span, "a key has no functions");
        report.add(finding.help(format!("the variables of a key are {}", KEY_NAMES.join(", "))));
        return None;
    }
    if names.is_empty() {
        let message = "this key is the same for every effect: they all share one counter";
        let finding = Finding::warning(code::NO_EFFECT, field.node.span, message);
        report.add(match KEY_NAMES.iter().find(|name| **name == text.trim()) {
            Some(name) => finding.help(format!("write \"{{{{ {name} }}}}\"")),
            None => finding.help("leave the key out"),
        });
    }
    if !report.has_error_within(field.node.span) {
        render(&checked.template, field, report);
    }
    Some(text.to_owned())
}

/// Reports a key that fails for an effect with a workflow, or for one without: it would fail at each attempt.
fn render(template: &Template, field: &Field<'_>, report: &mut Report) {
    for workflow_id in ["name-1", ""] {
        let Err(error) = template.render(&Scope::new(Arc::new(Sample { workflow_id }))) else { continue };
        let message = format!("this key cannot be rendered: {error}");
        let finding = Finding::error(code::TEMPLATE_FAILS, field.node.span, message);
        report.add(finding.help("every variable is a text; `workflow_id` is empty if the incident names no workflow"));
        return;
    }
}

impl Lookup for Sample {
    fn variable(&self, name: &str) -> Option<Value> {
        match name {
            "workflow_id" => Some(self.workflow_id.into()),
            name => KEY_NAMES.contains(&name).then(|| "name-1".into()),
        }
    }
}

impl KnownNames for EffectNames {
    fn check(&self, path: &str, span: Span, _: EvaluationPoint, _: bool) -> Option<Finding> {
        let root = path.split('.').next().unwrap_or_default();
        if KEY_NAMES.contains(&path) {
            return None;
        }
        if KEY_NAMES.contains(&root) {
            let message = format!("`{root}` is a text, it has no fields");
            return Some(Finding::error(code::UNKNOWN_VARIABLE, span, message));
        }
        let message = format!("unknown variable `{}`", quoted(path));
        let finding = Finding::error(code::UNKNOWN_VARIABLE, span, message);
        let suggestion = synonym(root).or_else(|| suggest::closest(root, KEY_NAMES));
        let finding = finding.suggest(suggestion);
        Some(finding.help(format!("the variables of a key are {}", KEY_NAMES.join(", "))))
    }

    fn type_of(&self, path: &str, _: EvaluationPoint) -> Option<OutputType> {
        KEY_NAMES.contains(&path).then_some(OutputType::String)
    }
}

/// What an incident's variable is called in a key.
fn synonym(name: &str) -> Option<&'static str> {
    match name {
        "ticket_id" | "worker_id" | "pod_name" | "item" => Some("target"),
        "workflow" => Some("workflow_id"),
        "type" => Some("action"),
        _ => None,
    }
}
