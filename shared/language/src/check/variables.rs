//! What names in a check's templates mean.

use crate::code;
use crate::diagnostic::Span;
use crate::report::{Finding, quoted};
use crate::template::{FUNCTIONS, Names, Place};
use heal_engine::catalog::OutputType;
use heal_engine::check::ProbeKind;
use heal_engine::suggest;

/// What stands behind `check.`.
const OF_CHECK: [(&str, OutputType); 2] = [("name", OutputType::String), ("description", OutputType::String)];
/// There whenever a target is judged.
const ALWAYS: [(&str, OutputType); 2] = [("reason", OutputType::String), ("observed_at", OutputType::Integer)];
/// There once it is counted.
const COUNTS: [(&str, OutputType); 2] = [("failures", OutputType::Integer), ("since", OutputType::Integer)];

/// The names of one check.
#[derive(Debug, Clone, Copy)]
pub(super) struct TargetNames {
    /// None where the probe cannot be read: then nothing is said of its targets' fields.
    kind: Option<ProbeKind>,
    has_counts: bool,
}

impl TargetNames {
    /// Those that there are before a target is counted.
    pub(super) const fn of(kind: Option<ProbeKind>) -> Self {
        Self { kind, has_counts: false }
    }

    pub(super) const fn with_counts(self) -> Self {
        Self { has_counts: true, ..self }
    }

    fn bare(self) -> impl Iterator<Item = (&'static str, OutputType)> {
        ALWAYS.into_iter().chain(COUNTS.into_iter().filter(move |_| self.has_counts))
    }

    /// The fields behind `check` or `target`; none where they are not known.
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

impl Names for TargetNames {
    fn judge(&self, path: &str, span: Span, _: Place, _: bool) -> Option<Finding> {
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
            let message = format!("`{root}` is not there yet: the condition decides which targets are counted");
            return Some(Finding::error(code::UNKNOWN_VARIABLE, span, message));
        }
        let finding = Finding::error(code::UNKNOWN_VARIABLE, span, format!("unknown variable `{}`", quoted(root)));
        let field = self.kind.map(ProbeKind::fields).into_iter().flatten().find(|(name, _)| *name == root);
        Some(match field {
            Some((name, _)) => finding.suggest(Some(&format!("target.{name}"))),
            None => finding
                .suggest(suggest::closest(root, known()))
                .help(format!("there are {}", known().collect::<Vec<_>>().join(", "))),
        })
    }

    fn kind(&self, path: &str, _: Place) -> Option<OutputType> {
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
