//! The budgets: at most so many effects in a window.

use std::collections::HashSet;

use heal_guard::{Budget, Selector, limit};

use super::key;
use super::known::{Known, names};
use super::reach;
use crate::code;
use crate::diagnostic::Span;
use crate::field::{Field, Fields};
use crate::name::{illegal_name, is_legal_name};
use crate::report::{Finding, Report, quoted};
use crate::yaml::Node;

pub(super) const KEYS: [&str; 7] = ["name", "actions", "playbooks", "services", "key", "max", "window_seconds"];

/// A budget without errors, and the span of its name for findings about the budget as a whole.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) budget: Budget,
    pub(super) span: Span,
}

pub(super) fn read(source: &str, field: &Field<'_>, known: Known<'_>, report: &mut Report) -> Vec<Budget> {
    let Some(items) = field.list(report) else { return Vec::new() };
    if items.len() > limit::BUDGETS {
        let message = format!("the file has {} budgets, the limit is {} budgets", items.len(), limit::BUDGETS);
        report.add(Finding::error(code::BUDGET_EXCEEDED, field.key_span, message));
        return Vec::new();
    }
    let drafts: Vec<Draft> = items.iter().filter_map(|item| budget(source, item, known, report)).collect();
    refuse_duplicates(&drafts, report);
    reach::check(&drafts, known, report);
    drafts.into_iter().map(|draft| draft.budget).collect()
}

/// `None` and findings if it has an error.
fn budget(source: &str, item: &Node, known: Known<'_>, report: &mut Report) -> Option<Draft> {
    let head = item.entries().first().map_or(item.span, |entry| entry.key_span);
    let mut fields = Fields::from_object(item, "a budget", report)?;
    let mut required = |key, what: &str, report: &mut Report| {
        let field = fields.take(key);
        if field.is_none() {
            report.add(Finding::error(code::MISSING_KEY, head, format!("a budget needs `{key}`, {what}")));
        }
        field
    };
    let name = required("name", "under which it counts", report);
    let max = required("max", "how many effects a window may have", report);
    let window = required("window_seconds", "how long a window is", report);
    let of_actions = |name: &str, span, report: &mut Report| known.action(name, span, report);
    let of_playbooks = |name: &str, span, report: &mut Report| known.playbook(name, span, report);
    let of_services = |name: &str, span, report: &mut Report| known.service(name, span, report);
    let applies_to = Selector {
        actions: fields.take("actions").map(|field| names(&field, report, of_actions)).unwrap_or_default(),
        playbooks: fields.take("playbooks").map(|field| names(&field, report, of_playbooks)).unwrap_or_default(),
        services: fields.take("services").map(|field| names(&field, report, of_services)).unwrap_or_default(),
    };
    let key = fields.take("key").map_or(Some(String::new()), |field| key::read(source, &field, report));
    let max = max.and_then(|field| field.whole(1..=limit::BUDGET_MAX.into(), "effects", report));
    let window = window.and_then(|field| field.whole(1..=limit::WINDOW_SECONDS, "seconds", report));
    fields.finish(&KEYS, |_| None, report);
    let span = name.map_or(head, |field| field.node.span);
    let name = name.and_then(|field| legal_name(&field, report));
    let budget = Budget {
        name: name?.to_owned(),
        applies_to,
        key: key?,
        max: max.and_then(|max| u32::try_from(max).ok())?,
        window_seconds: window?,
    };
    Some(Draft { budget, span }).filter(|_| !report.has_error_within(item.span))
}

fn legal_name<'n>(field: &Field<'n>, report: &mut Report) -> Option<&'n str> {
    let name = field.text(report)?;
    if !is_legal_name(name) {
        report.add(illegal_name(name, field.node.span));
        return None;
    }
    Some(name)
}

fn refuse_duplicates(drafts: &[Draft], report: &mut Report) {
    let mut seen = HashSet::with_capacity(drafts.len());
    for Draft { budget, span } in drafts {
        if !seen.insert(budget.name.as_str()) {
            let message = format!("there are two budgets `{}`, which would share their counters", quoted(&budget.name));
            report.add(Finding::error(code::DUPLICATE_NAME, *span, message));
        }
    }
}
