//! The template of a budget's key.

use heal_engine::catalog::OutputType;
use heal_engine::suggest;
use heal_guard::KEY_NAMES;

use crate::code;
use crate::diagnostic::Span;
use crate::field::Field;
use crate::report::{Finding, Report, quoted};
use crate::template::{self, Context, EvaluationPoint, FUNCTIONS, KnownNames};

/// The five names of an effect, each a text.
#[derive(Debug)]
struct EffectNames;

/// `None` and a finding if it is not a template over [`KEY_NAMES`].
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
    Some(text.to_owned())
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
