//! Dependencies: what waits while something that it depends on is sick.

use std::collections::HashSet;

use heal_engine::catalog::Safety;
use heal_engine::suggest;
use heal_guard::{DependencyRule, Effect, Selector, limit};

use super::budget::legal_name;
use super::known::Known;
use super::reach;
use crate::code;
use crate::diagnostic::Span;
use crate::field::{Field, Fields};
use crate::report::{Finding, Report, quoted};
use crate::yaml::Node;

pub(super) const KEYS: [&str; 6] = ["name", "breaker", "check", "actions", "playbooks", "services"];

/// The service of the policy: no action calls it, and yet it has a breaker.
const POLICY: &str = "opa";

pub(super) fn read(field: &Field<'_>, known: Known<'_>, report: &mut Report) -> Vec<DependencyRule> {
    let Some(items) = field.list(report) else { return Vec::new() };
    if items.len() > limit::DEPENDENCIES {
        let message = format!("the file has {} dependencies, the limit is {}", items.len(), limit::DEPENDENCIES);
        report.add(Finding::error(code::BUDGET_EXCEEDED, field.key_span, message));
        return Vec::new();
    }
    let rules: Vec<(DependencyRule, Span)> = items.iter().filter_map(|item| rule(item, known, report)).collect();
    let mut names = HashSet::new();
    for (rule, span) in &rules {
        if !names.insert(rule.name.as_str()) {
            let message = format!("there are two dependencies `{}`", quoted(&rule.name));
            report.add(Finding::error(code::DUPLICATE_NAME, *span, message));
        }
    }
    rules.into_iter().map(|(rule, _)| rule).collect()
}

/// `None` and findings if it has an error; otherwise with the span of its name.
fn rule(item: &Node, known: Known<'_>, report: &mut Report) -> Option<(DependencyRule, Span)> {
    let head = item.entries().first().map_or(item.span, |entry| entry.key_span);
    let mut fields = Fields::from_object(item, "a dependency", report)?;
    let [name, breaker, check] = ["name", "breaker", "check"].map(|key| fields.take(key));
    let holds = known.selector(&mut fields, report);
    fields.finish(&KEYS, |_| None, report);
    if name.is_none() {
        report.add(Finding::error(code::MISSING_KEY, head, "a dependency needs `name`"));
    }
    if breaker.is_none() && check.is_none() {
        let finding = Finding::error(
            code::MISSING_KEY,
            head,
            "a dependency needs `breaker` or `check`, which say that it is sick",
        );
        report.add(finding.help("`breaker` is the name of a service, `check` that of a scheduled check"));
    }
    let span = name.map_or(head, |field| field.node.span);
    let name = name.and_then(|field| legal_name(&field, report));
    let place = breaker;
    let breaker = breaker.and_then(|field| service(&field, known, report));
    let check = check.and_then(|field| self::check(&field, known, report));
    if holds.is_everything() {
        let finding =
            Finding::error(code::WRONG_VALUE, span, "this dependency holds everything, also what would heal it");
        report.add(finding.help("say what depends on it: `actions`, `playbooks` or `services`"));
    } else if let Some(field) = place.filter(|_| breaker.is_some_and(|service| holds_its_own(&holds, service, known))) {
        let finding = Finding::warning(code::NO_EFFECT, field.node.span, "the service's own actions are held with it");
        report.add(
            finding.help("without them, nothing finds out that it answers again before its breaker's time is over"),
        );
    }
    let finding = name.and_then(|name| reach::admits_nothing(&format!("dependency `{name}`"), &holds, span, known));
    finding.into_iter().for_each(|finding| report.add(finding));
    let rule = DependencyRule {
        name: name?.to_owned(),
        breaker: breaker.map(ToOwned::to_owned),
        check: check.map(ToOwned::to_owned),
        holds,
    };
    Some((rule, span)).filter(|_| !report.has_error_within(item.span))
}

fn service<'n>(field: &Field<'n>, known: Known<'_>, report: &mut Report) -> Option<&'n str> {
    let name = field.text(report)?;
    if name != POLICY {
        known.service(name, field.node.span, report);
    }
    Some(name)
}

fn check<'n>(field: &Field<'n>, known: Known<'_>, report: &mut Report) -> Option<&'n str> {
    let name = legal_name(field, report)?;
    let checks = known.checks.unwrap_or_default();
    if known.checks.is_some() && !checks.iter().any(|check| check == name) {
        let finding = Finding::error(code::UNKNOWN_CHECK, field.node.span, format!("unknown check `{}`", quoted(name)));
        report.add(finding.suggest(suggest::closest(name, checks.iter().map(String::as_str))));
    }
    Some(name)
}

/// Whether the rule holds an action that changes something of `service` itself.
fn holds_its_own(holds: &Selector, service: &str, known: Known<'_>) -> bool {
    let mut own = known.catalog.iter().filter(|spec| spec.service == service && spec.safety != Safety::ReadOnly);
    own.any(|spec| {
        let effect = Effect { service: service.to_owned(), ..Effect::new(spec.name, "", "") };
        Selector { playbooks: Vec::new(), ..holds.clone() }.admits(&effect)
    })
}
