//! The rules of scope: which targets are in reach, by what is written on them.

use heal_guard::{IGNORE, Mark, ScopeRule, limit};

use super::known::Known;
use super::reach;
use crate::code;
use crate::diagnostic::Span;
use crate::field::{Field, Fields};
use crate::report::{Finding, Report, quoted};
use crate::yaml::Node;

pub(super) const KEYS: [&str; 5] = ["actions", "playbooks", "services", "opt_out", "opt_in"];
pub(super) const KEYS_OF_MARK: [&str; 3] = ["label", "annotation", "metadata"];

/// The services on whose targets something is written, and what.
const MARKED: [(&str, &[&str]); 2] =
    [("kubernetes", &["label", "annotation"]), ("execution-ticket-service", &["metadata"])];

pub(super) fn read(field: &Field<'_>, known: Known<'_>, report: &mut Report) -> Vec<ScopeRule> {
    let Some(items) = field.list(report) else { return Vec::new() };
    if items.len() > limit::SCOPE_RULES {
        let (count, most) = (items.len(), limit::SCOPE_RULES);
        let message = format!("the file has {count} rules of scope, the limit is {most} rules");
        report.add(Finding::error(code::BUDGET_EXCEEDED, field.key_span, message));
        return Vec::new();
    }
    let rules: Vec<(ScopeRule, Span)> = items.iter().filter_map(|item| rule(item, known, report)).collect();
    for (index, (rule, span)) in rules.iter().enumerate() {
        contradicts(rule, *span, rules.get(..index).unwrap_or_default(), known, report);
    }
    rules.into_iter().map(|(rule, _)| rule).collect()
}

/// `None` and findings if it has an error; otherwise with the span of its mark.
fn rule(item: &Node, known: Known<'_>, report: &mut Report) -> Option<(ScopeRule, Span)> {
    let head = item.entries().first().map_or(item.span, |entry| entry.key_span);
    let mut fields = Fields::from_object(item, "a rule of `scope`", report)?;
    let applies_to = known.selector(&mut fields, report);
    let [opt_out, opt_in] = ["opt_out", "opt_in"].map(|key| fields.take(key));
    if opt_out.is_some() == opt_in.is_some() {
        let message = "a rule of `scope` needs exactly one of `opt_out` and `opt_in`";
        report.add(Finding::error(code::MISSING_KEY, head, message));
    }
    let [(out_mark, out_span), (in_mark, in_span)] = [opt_out, opt_in].map(|field| {
        let span = field.map(|field| field.key_span);
        (field.and_then(|field| mark(&field, report)), span)
    });
    fields.finish(&KEYS, |_| None, report);
    let span = out_span.or(in_span).unwrap_or(head);
    let rule = ScopeRule { applies_to, opt_out: out_mark, opt_in: in_mark };
    if report.has_error_within(item.span) {
        return None;
    }
    let finding = reach::admits_nothing("this rule of `scope`", &rule.applies_to, span, known);
    finding.or_else(|| is_unreadable(&rule, span, known)).into_iter().for_each(|finding| report.add(finding));
    Some((rule, span)).filter(|_| !report.has_error_within(item.span))
}

/// `None` and a finding if it is not one mark.
fn mark(field: &Field<'_>, report: &mut Report) -> Option<Mark> {
    let what = if field.key == "opt_in" { "`opt_in`" } else { "`opt_out`" };
    let mut fields = Fields::from_object(field.node, what, report)?;
    let given: Vec<Field<'_>> = KEYS_OF_MARK.iter().filter_map(|key| fields.take(key)).collect();
    fields.finish(&KEYS_OF_MARK, |_| None, report);
    let [one] = given.as_slice() else {
        let message = format!("{what} needs exactly one of {}", KEYS_OF_MARK.join(", "));
        report.add(Finding::error(code::MISSING_KEY, field.key_span, message));
        return None;
    };
    let text = one.text(report)?;
    let key = text.split_once('=').map_or(text, |(key, _)| key);
    if key.trim().is_empty() || key.contains(char::is_whitespace) {
        let message = format!("`{}` is not a {}, write `KEY` or `KEY=VALUE`", quoted(text), one.key);
        report.add(Finding::error(code::WRONG_VALUE, one.node.span, message));
        return None;
    }
    if text.len() > limit::MARK_BYTES {
        let message = format!("the {} has {} bytes, the limit is {} bytes", one.key, text.len(), limit::MARK_BYTES);
        report.add(Finding::error(code::BUDGET_EXCEEDED, one.node.span, message));
        return None;
    }
    if key == IGNORE && field.key == "opt_out" {
        let message = format!("`{IGNORE}` takes a target out of scope without a rule");
        report.add(Finding::warning(code::NO_EFFECT, one.node.span, message));
    }
    let text = text.to_owned();
    Some(match one.key {
        "label" => Mark::Label(text),
        "annotation" => Mark::Annotation(text),
        _ => Mark::Metadata(text),
    })
}

/// The fault of a rule whose mark is on no target of its actions: an opt-out that never fires, an opt-in that nothing can meet.
fn is_unreadable(rule: &ScopeRule, span: Span, known: Known<'_>) -> Option<Finding> {
    let mark = rule.opt_out.as_ref().or(rule.opt_in.as_ref())?;
    let has = |service: &str| MARKED.iter().any(|(known, kinds)| *known == service && kinds.contains(&mark.kind()));
    let changing = known.catalog.iter().filter(|spec| spec.safety != heal_engine::catalog::Safety::ReadOnly);
    let admitted: Vec<_> = changing.filter(|spec| reach::admits(&rule.applies_to, spec, None)).collect();
    let without: Vec<&str> = admitted.iter().filter(|spec| !has(spec.service)).map(|spec| spec.name).collect();
    let with = MARKED.map(|(service, kinds)| format!("{service} ({})", kinds.join(", "))).join(", ");
    let help = format!("the services with marks are {with}");
    if rule.opt_in.is_some() && !without.is_empty() {
        let names = without.join(", ");
        let message = format!("this rule denies {names} always: their targets have no {}", mark.kind());
        return Some(Finding::error(code::UNREACHABLE_RULE, span, message).help(help));
    }
    if rule.opt_out.is_some() && without.len() == admitted.len() {
        let message = format!("this rule of `scope` can never fire: its targets have no {}", mark.kind());
        return Some(Finding::warning(code::UNREACHABLE_RULE, span, message).help(help));
    }
    None
}

/// Reports a rule that contradicts or repeats one before it.
fn contradicts(rule: &ScopeRule, span: Span, before: &[(ScopeRule, Span)], known: Known<'_>, report: &mut Report) {
    for (other, _) in before {
        let is_same = |a: &Option<Mark>, b: &Option<Mark>| a.is_some() && a == b;
        let is_opposite = is_same(&rule.opt_in, &other.opt_out) || is_same(&rule.opt_out, &other.opt_in);
        if is_opposite && reach::overlap(&rule.applies_to, &other.applies_to, known) {
            let message = "this rule contradicts an earlier one: the same mark is to opt in and to opt out";
            report.add(Finding::error(code::UNREACHABLE_RULE, span, message));
            return;
        }
        let repeats = is_same(&rule.opt_out, &other.opt_out) || is_same(&rule.opt_in, &other.opt_in);
        if repeats && reach::covers(&other.applies_to, &rule.applies_to, known) {
            let message = "this rule of `scope` can never fire: an earlier one has the same mark";
            report.add(Finding::warning(code::UNREACHABLE_RULE, span, message));
            return;
        }
    }
}
