//! The budgets: at most so many effects in a window.

use std::collections::HashSet;

use heal_guard::{Budget, Selector, limit};

use super::key;
use super::known::Known;
use super::reach;
use crate::code;
use crate::diagnostic::Span;
use crate::field::{Field, Fields};
use crate::name::{illegal_name, is_legal_name};
use crate::report::{Finding, Report, quoted};
use crate::yaml::{Kind, Node};

/// The services whose targets are one of a population, and what it is of.
const POPULATIONS: [(&str, &str); 2] =
    [("kubernetes", "the pods of a controller"), ("execution-ticket-service", "the tickets of a workflow")];

pub(super) const KEYS: [&str; 9] =
    ["name", "actions", "playbooks", "services", "key", "max", "max_percent", "window_seconds", "concurrent"];

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
    let concurrent = fields.take("concurrent").and_then(|field| flag(&field, report)).unwrap_or(false);
    let window = if concurrent {
        no_window(fields.take("window_seconds"), report);
        None
    } else {
        let field = fields.take("window_seconds");
        if field.is_none() {
            let message = "a budget needs `window_seconds`, how long a window is, or `concurrent: true`";
            report.add(Finding::error(code::MISSING_KEY, head, message));
        }
        field
    };
    let applies_to = known.selector(&mut fields, report);
    let percent = fields.take("max_percent");
    if let Some(field) = percent {
        shares(&field, &applies_to, known, report);
    }
    let percent = percent.and_then(|field| field.whole(1..=limit::PERCENT.into(), "percent", report));
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
        max_percent: percent.and_then(|percent| u32::try_from(percent).ok()),
        window_seconds: if concurrent { 0 } else { window? },
        concurrent,
    };
    Some(Draft { budget, span }).filter(|_| !report.has_error_within(item.span))
}

fn flag(field: &Field<'_>, report: &mut Report) -> Option<bool> {
    match field.node.kind {
        Kind::Boolean(flag) => Some(flag),
        Kind::Null | Kind::Number(_) | Kind::Text(_) | Kind::List(_) | Kind::Object(_) => {
            field.wrong_type("true or false", report);
            None
        }
    }
}

fn no_window(field: Option<Field<'_>>, report: &mut Report) {
    let Some(field) = field else { return };
    let message = "a budget of effects in flight has no window: a place is free again when its attempt ends";
    report.add(Finding::error(code::WRONG_VALUE, field.key_span, message).help("remove one of the two keys"));
}

/// Reports a share that no action of the budget has a population for.
fn shares(field: &Field<'_>, applies_to: &Selector, known: Known<'_>, report: &mut Report) {
    let has_population = |service: &str| POPULATIONS.iter().any(|(known, _)| *known == service);
    let admitted = known.catalog.iter().filter(|spec| reach::admits(applies_to, spec, None));
    let services: Vec<&str> = admitted.map(|spec| spec.service).collect();
    if !services.is_empty() && !services.iter().any(|service| has_population(service)) {
        let populations = POPULATIONS.map(|(service, of)| format!("{service} ({of})")).join(", ");
        let message = "`max_percent` has no effect: no action of this budget is on one of a population";
        let finding = Finding::warning(code::NO_EFFECT, field.key_span, message);
        report.add(finding.help(format!("the services with a population are {populations}")));
    }
}

pub(super) fn legal_name<'n>(field: &Field<'n>, report: &mut Report) -> Option<&'n str> {
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
