//! The hooks: the text of `hooks.yaml` in, the rules or every fault of the text out.
//!
//! In this order: the sources and where their secrets are (`sources`), the rules (`rule`) with the variables of their templates (`names`).

use heal_engine::playbook::Playbook;
use heal_hooks::{HooksFile, Source};

use crate::diagnostic::{Diagnostic, Severity};
use crate::field::Fields;
use crate::report::Report;
use crate::yaml::{self, Kind, Node};

mod names;
mod rule;
mod schema;
mod sources;

pub use schema::schema;

/// The file in a folder of playbooks, without its extension. It is not a playbook.
pub const FILE_STEM: &str = "hooks";

const KEYS: [&str; 2] = ["sources", "rules"];

/// The words for the sources.
const SOURCES: [(&str, Source); 5] = [
    (Source::Alertmanager.as_str(), Source::Alertmanager),
    (Source::Grafana.as_str(), Source::Grafana),
    (Source::Pagerduty.as_str(), Source::Pagerduty),
    (Source::Cloudevents.as_str(), Source::Cloudevents),
    (Source::Generic.as_str(), Source::Generic),
];

/// The result of reading a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// `Some` exactly if no diagnostic is an error.
    pub hooks: Option<HooksFile>,
    /// In the order of the file.
    pub diagnostics: Vec<Diagnostic>,
}

impl Reading {
    /// The diagnostics that are errors.
    pub fn errors(&self) -> impl Iterator<Item = &Diagnostic> {
        self.diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error)
    }
}

/// Reads the text of `{file_stem}.yaml` and finds all its faults at once. A file without content has no rules.
///
/// `playbooks` are all that the incidents can start. `None` skips the check that one of them handles each.
///
/// # Guarantees
/// No panic, no I/O, and bounded time and memory for any text: see [`heal_hooks::limit`].
pub fn read(file_stem: &str, text: &str, playbooks: Option<&[Playbook]>) -> Reading {
    let mut report = Report::default();
    let root = yaml::parse(text, &mut report);
    let hooks = root.as_ref().and_then(|root| document(text, root, playbooks, &mut report));
    Reading {
        hooks: hooks.filter(|_| !report.has_errors()),
        diagnostics: report.into_diagnostics(&format!("{file_stem}.yaml"), text),
    }
}

/// `None` and a finding if the file is not an object.
fn document(text: &str, root: &Node, playbooks: Option<&[Playbook]>, report: &mut Report) -> Option<HooksFile> {
    if root.kind == Kind::Null {
        return Some(HooksFile::default());
    }
    let mut fields = Fields::from_object(root, "the file of hooks", report)?;
    // A section whose entries are all commented out has no value.
    let [sources, rules] = KEYS.map(|key| fields.take(key).filter(|field| field.node.kind != Kind::Null));
    let file = HooksFile {
        sources: sources.map(|field| sources::read(&field, report)).unwrap_or_default(),
        rules: rules.map(|field| rule::read(text, &field, playbooks, report)).unwrap_or_default(),
    };
    fields.finish(&KEYS, misplaced, report);
    Some(file)
}

/// The right place of keys that are often written at the top.
fn misplaced(key: &str) -> Option<&'static str> {
    match key {
        "match" | "incident" | "fingerprint" | "resolved" | "condition" => Some("it is a key of one of the `rules`"),
        "secrets" | "window_seconds" => Some("it is a key of one of the `sources`"),
        "receivers" | "route" => Some("it is a key of Alertmanager's own file, see docs/hooks.md"),
        _ => None,
    }
}
