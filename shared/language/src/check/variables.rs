//! The variables of a check's templates.

use heal_engine::catalog::OutputType;
use heal_engine::check::ProbeKind;
use heal_engine::suggest;

use crate::code;
use crate::diagnostic::Span;
use crate::report::{Finding, quoted};
use crate::template::{EvaluationPoint, FUNCTIONS, KnownNames};

/// Fields of `check`.
const OF_CHECK: [(&str, OutputType); 2] = [("name", OutputType::String), ("description", OutputType::String)];
/// Variables that always exist.
const ALWAYS: [(&str, OutputType); 2] = [("reason", OutputType::String), ("observed_at", OutputType::Integer)];
/// Variables that exist once a failure is counted: in the incident, not in the condition.
const COUNTS: [(&str, OutputType); 2] = [("failures", OutputType::Integer), ("since", OutputType::Integer)];

/// The variables of one check.
#[derive(Debug, Clone, Copy)]
pub(super) struct CheckVariables {
    /// `None` if the probe cannot be read; then the fields of its targets are not checked.
    kind: Option<ProbeKind>,
    has_counts: bool,
}

impl CheckVariables {
    /// The variables of the condition, which have no counts.
    pub(super) const fn of_probe(kind: Option<ProbeKind>) -> Self {
        Self { kind, has_counts: false }
    }

    pub(super) const fn with_counts(self) -> Self {
        Self { has_counts: true, ..self }
    }

    fn bare(self) -> impl Iterator<Item = (&'static str, OutputType)> {
        ALWAYS.into_iter().chain(COUNTS.into_iter().filter(move |_| self.has_counts))
    }

    /// The fields of `check` or `target`; `None` if they are unknown.
    fn fields(self, root: &str) -> Option<&'static [(&'static str, OutputType)]> {
        match root {
            "check" => Some(&OF_CHECK),
            "target" => self.kind.map(ProbeKind::fields),
            _ => None,
        }
    }

    fn unknown_field(self, root: &str, field: &str, span: Span) -> Option<Finding> {
        let fields = self.fields(root)?;
        if fields.iter().any(|(name, _)| *name == field) {
            return None;
        }
        let names = || fields.iter().map(|(name, _)| *name);
        let message = format!("`{root}` has no field `{}`", quoted(field));
        let finding = Finding::error(code::UNKNOWN_VARIABLE, span, message).suggest(suggest::closest(field, names()));
        Some(finding.help(format!("it has {}", names().collect::<Vec<_>>().join(", "))))
    }
}

impl KnownNames for CheckVariables {
    fn check(&self, path: &str, span: Span, _: EvaluationPoint, _: bool) -> Option<Finding> {
        let mut parts = path.split('.');
        let root = parts.next().unwrap_or_default();
        if matches!(root, "check" | "target") {
            return self.unknown_field(root, parts.next()?, span);
        }
        if self.bare().any(|(name, _)| name == root) || FUNCTIONS.contains(&root) {
            return None;
        }
        let known = || self.bare().map(|(name, _)| name).chain(["check", "target"]);
        if COUNTS.iter().any(|(name, _)| *name == root) {
            let message = format!("`{root}` does not exist yet: the condition decides which targets are counted");
            return Some(Finding::error(code::UNKNOWN_VARIABLE, span, message));
        }
        let finding = Finding::error(code::UNKNOWN_VARIABLE, span, format!("unknown variable `{}`", quoted(root)));
        let field = self.kind.map(ProbeKind::fields).into_iter().flatten().find(|(name, _)| *name == root);
        Some(match field {
            Some((name, _)) => finding.suggest(Some(&format!("target.{name}"))),
            None => finding
                .suggest(suggest::closest(root, known()))
                .help(format!("the variables are {}", known().collect::<Vec<_>>().join(", "))),
        })
    }

    fn type_of(&self, path: &str, _: EvaluationPoint) -> Option<OutputType> {
        let of = |fields: &[(&str, OutputType)], name: &str| {
            fields.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind)
        };
        let kind = match path.split_once('.') {
            None => of(&ALWAYS, path).or_else(|| of(&COUNTS, path)),
            Some((root, field)) => self.fields(root).and_then(|fields| of(fields, field)),
        };
        kind.filter(|kind| *kind != OutputType::Any)
    }
}
