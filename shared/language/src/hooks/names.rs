//! The variables of a rule's templates: what an alert has.

use heal_engine::catalog::OutputType;
use heal_engine::suggest;
use heal_hooks::Alert;

use crate::code;
use crate::diagnostic::Span;
use crate::report::{Finding, quoted};
use crate::template::{EvaluationPoint, FUNCTIONS, KnownNames};

/// Names of the parts of an alert. What is inside its labels is known to its sender alone.
#[derive(Debug, Clone, Copy)]
pub(super) struct AlertVariables;

impl KnownNames for AlertVariables {
    fn check(&self, path: &str, span: Span, _: EvaluationPoint, _: bool) -> Option<Finding> {
        let root = path.split('.').next().unwrap_or_default();
        if Alert::NAMES.contains(&root) || FUNCTIONS.contains(&root) {
            return None;
        }
        let finding = Finding::error(code::UNKNOWN_VARIABLE, span, format!("unknown variable `{}`", quoted(root)));
        Some(match suggest::closest(root, Alert::NAMES) {
            Some(name) => finding.suggest(Some(name)),
            None => finding.help(format!(
                "a label is `labels.{}`; the variables are {}",
                quoted(root),
                Alert::NAMES.join(", ")
            )),
        })
    }

    fn type_of(&self, path: &str, _: EvaluationPoint) -> Option<OutputType> {
        matches!(path, "source" | "starts_at").then_some(OutputType::String)
    }
}
