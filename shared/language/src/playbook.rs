//! Playbooks: a file's text in, a checked `Playbook` or every fault of the text out.
//!
//! In this order: the YAML tree (`yaml`), its keys (`document`, `step`), the steps' names and needs (`order`),
//! what names can mean (`variables`), every template (`crate::template`, `crate::condition`), the parameters (`parameters`), the times (`budget`),
//! the verification (`evidence`).

use std::collections::BTreeMap;

use heal_engine::catalog::Catalog;
use heal_engine::playbook::Playbook;

use crate::diagnostic::{Diagnostic, Severity};
use crate::report::Report;
use crate::yaml;

mod approval;
mod budget;
mod build;
mod contract;
mod document;
mod evidence;
mod order;
mod parameters;
mod retry;
mod schema;
mod step;
mod variables;

pub use schema::schema;

/// The result of reading a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// `Some` exactly if no diagnostic is an error.
    pub playbook: Option<Playbook>,
    /// In the order of the file.
    pub diagnostics: Vec<Diagnostic>,
}

impl Reading {
    /// The diagnostics that are errors.
    pub fn errors(&self) -> impl Iterator<Item = &Diagnostic> {
        self.diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error)
    }
}

/// Reads the text of `{file_stem}.yaml` and finds all its faults at once.
///
/// `catalog` lists the actions that a step may perform. Reading fills in defaults and copies the properties of each action (timeout,
/// safety, inherited parameters, outputs) into the playbook, which is then independent of the catalogue.
///
/// # Guarantees
/// No panic, no I/O, and bounded time and memory for any text: see [`heal_engine::limit`].
pub fn read(file_stem: &str, text: &str, catalog: &Catalog) -> Reading {
    let mut report = Report::default();
    let root = yaml::parse(text, &mut report);
    let document = root.as_ref().and_then(|root| document::read(file_stem, root, catalog, &mut report));
    let playbook = document.map(|document| build::build(text, &document, catalog, &mut report));
    Reading {
        playbook: playbook.filter(|_| !report.has_errors()),
        diagnostics: report.into_diagnostics(&format!("{file_stem}.yaml"), text),
    }
}

/// The faults of a playbook's approvers: groups that are not among `groups`, the members of each by name. A text that is not YAML has none: its
/// [`read`] reports it.
pub fn check_groups(file_stem: &str, text: &str, groups: &BTreeMap<String, Vec<String>>) -> Vec<Diagnostic> {
    let mut report = Report::default();
    let Some(root) = yaml::parse(text, &mut report) else { return Vec::new() };
    let mut report = Report::default();
    approval::unknown_groups(&root, groups, &mut report);
    report.into_diagnostics(&format!("{file_stem}.yaml"), text)
}
