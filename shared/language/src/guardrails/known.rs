//! The names that a rule may use: those of the actions, services and playbooks that exist.

use std::collections::BTreeSet;

use heal_engine::catalog::{Catalog, WAIT};
use heal_engine::playbook::Playbook;
use heal_engine::suggest;
use heal_guard::{Selector, limit};

use crate::code;
use crate::diagnostic::Span;
use crate::field::{Field, Fields};
use crate::report::{Finding, Report, quoted};
use crate::yaml::Kind;

/// What exists in this home.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'k> {
    pub(super) catalog: &'k Catalog,
    /// `None` if they are not known; then their names are not checked.
    pub(super) playbooks: Option<&'k [Playbook]>,
    /// Names of the scheduled checks. `None` if they are not known; then they are not checked.
    pub(super) checks: Option<&'k [String]>,
}

impl<'k> Known<'k> {
    pub(super) fn services(self) -> BTreeSet<&'k str> {
        self.catalog.iter().map(|spec| spec.service).collect()
    }

    /// The keys `actions`, `playbooks` and `services` of a rule.
    pub(super) fn selector(self, fields: &mut Fields<'_>, report: &mut Report) -> Selector {
        let of_actions = |name: &str, span, report: &mut Report| self.action(name, span, report);
        let of_playbooks = |name: &str, span, report: &mut Report| self.playbook(name, span, report);
        let of_services = |name: &str, span, report: &mut Report| self.service(name, span, report);
        Selector {
            actions: fields.take("actions").map(|field| names(&field, report, of_actions)).unwrap_or_default(),
            playbooks: fields.take("playbooks").map(|field| names(&field, report, of_playbooks)).unwrap_or_default(),
            services: fields.take("services").map(|field| names(&field, report, of_services)).unwrap_or_default(),
        }
    }

    /// Reports the name if no action has it.
    pub(super) fn action(self, name: &str, span: Span, report: &mut Report) {
        if name == WAIT {
            let message = format!("`{WAIT}` is a step that only lets time pass, there is nothing to bound");
            report.add(Finding::error(code::UNKNOWN_ACTION, span, message));
        } else if self.catalog.get(name).is_none() {
            let actions = self.catalog.iter().map(|spec| spec.name);
            report.add(unknown(code::UNKNOWN_ACTION, "action", name, span, actions));
        }
    }

    /// Reports the name if no action calls a service of this name.
    pub(super) fn service(self, name: &str, span: Span, report: &mut Report) {
        if !self.services().contains(name) {
            report.add(unknown(code::UNKNOWN_SERVICE, "service", name, span, self.services()));
        }
    }

    /// Reports the name if no playbook has it.
    pub(super) fn playbook(self, name: &str, span: Span, report: &mut Report) {
        let Some(playbooks) = self.playbooks else { return };
        if !playbooks.iter().any(|playbook| playbook.name == name) {
            let names = playbooks.iter().map(|playbook| playbook.name.as_str());
            report.add(unknown(code::UNKNOWN_PLAYBOOK, "playbook", name, span, names));
        }
    }
}

fn unknown<'n>(
    code: &'static str,
    what: &str,
    name: &str,
    span: Span,
    known: impl IntoIterator<Item = &'n str>,
) -> Finding {
    let known: Vec<&str> = known.into_iter().collect();
    let finding = Finding::error(code, span, format!("unknown {what} `{}`", quoted(name)));
    let finding = finding.suggest(suggest::closest(name, known.iter().copied()));
    finding.help(format!("the {what}s are {}", known.join(", ")))
}

/// A list of different names, each checked by `check`.
fn names(field: &Field<'_>, report: &mut Report, check: impl Fn(&str, Span, &mut Report)) -> Vec<String> {
    let Some(items) = field.list(report) else { return Vec::new() };
    if items.is_empty() {
        let message = format!("`{}` names nothing", field.key);
        let finding = Finding::error(code::WRONG_VALUE, field.node.span, message);
        report.add(finding.help("without the key, all are bounded"));
    }
    if items.len() > limit::NAMES {
        let message = format!("`{}` has {} names, the limit is {} names", field.key, items.len(), limit::NAMES);
        report.add(Finding::error(code::BUDGET_EXCEEDED, field.key_span, message));
        return Vec::new();
    }
    let mut names: Vec<String> = Vec::with_capacity(items.len());
    for item in items {
        let Kind::Text(name) = &item.kind else {
            let message = format!("`{}` has to be a list of names, found {}", field.key, item.brief());
            report.add(Finding::error(code::WRONG_TYPE, item.span, message));
            continue;
        };
        if names.contains(name) {
            report.add(Finding::warning(code::NO_EFFECT, item.span, format!("`{}` is named twice", quoted(name))));
            continue;
        }
        check(name, item.span, report);
        names.push(name.clone());
    }
    names
}
