//! The rules: which alerts, and what they become.

use std::collections::{BTreeMap, HashSet};

use heal_engine::playbook::{Condition, Playbook};
use heal_hooks::{Rule, Source, limit};

use super::SOURCES;
use super::names::AlertVariables;
use crate::code;
use crate::condition;
use crate::diagnostic::Span;
use crate::field::{Field, Fields};
use crate::incident;
use crate::name::{illegal_name, is_legal_name};
use crate::report::{Finding, Report, quoted};
use crate::route;
use crate::template::{self, Context, EvaluationPoint};
use crate::yaml::{Entry, Kind, Node};

pub(super) const KEYS: [&str; 7] = ["name", "sources", "match", "condition", "fingerprint", "resolved", "incident"];

/// A rule without errors, and the span of its name for findings about the rule as a whole.
#[derive(Debug)]
struct Draft {
    rule: Rule,
    span: Span,
}

pub(super) fn read(text: &str, field: &Field<'_>, playbooks: Option<&[Playbook]>, report: &mut Report) -> Vec<Rule> {
    let Some(items) = field.list(report) else { return Vec::new() };
    if items.len() > limit::RULES {
        let message = format!("the file has {} rules, the limit is {} rules", items.len(), limit::RULES);
        report.add(Finding::error(code::BUDGET_EXCEEDED, field.key_span, message));
        return Vec::new();
    }
    let cx = Context { source: text, names: &AlertVariables };
    let drafts: Vec<Draft> = items.iter().filter_map(|item| rule(cx, item, playbooks, report)).collect();
    refuse_duplicates(&drafts, report);
    find_unreachable(&drafts, report);
    drafts.into_iter().map(|draft| draft.rule).collect()
}

/// `None` and findings if it has an error.
fn rule(cx: Context<'_>, item: &Node, playbooks: Option<&[Playbook]>, report: &mut Report) -> Option<Draft> {
    let head = item.entries().first().map_or(item.span, |entry| entry.key_span);
    let mut fields = Fields::from_object(item, "a rule", report)?;
    let mut required = |key, what: &str, report: &mut Report| {
        let field = fields.take(key);
        if field.is_none() {
            report.add(Finding::error(code::MISSING_KEY, head, format!("a rule needs `{key}`, {what}")));
        }
        field
    };
    let name = required("name", "which its metric counts by", report);
    let incident = required("incident", "what it raises", report);
    let [sources, matches, condition, fingerprint, resolved] =
        ["sources", "match", "condition", "fingerprint", "resolved"].map(|key| fields.take(key));
    fields.finish(&KEYS, |_| None, report);
    let span = name.map_or(head, |field| field.node.span);
    let name = name.and_then(|field| legal_name(&field, report));
    let sources = sources.map_or(Some(Vec::new()), |field| self::sources(&field, report));
    let matches = matches.map_or(Some(BTreeMap::new()), |field| self::matches(&field, report));
    let condition = condition.map(|field| self::condition(cx, &field, report));
    let resolved_span = resolved.map(|field| field.key_span);
    let resolved = resolved.map(|field| self::condition(cx, &field, report));
    let has_fingerprint = fingerprint.is_some();
    let fingerprint = fingerprint.map(|field| self::fingerprint(cx, &field, report));
    let incident = incident.and_then(|field| incident::read(cx, &field, report));
    if let (Some(incident), Some(playbooks)) = (&incident, playbooks) {
        route::check(incident, playbooks, report);
    }
    let sources = sources?;
    identity(&sources, has_fingerprint, resolved_span, head, report);
    let rule = Rule {
        name: name?.to_owned(),
        sources,
        matches: matches?,
        condition: condition.map_or(Some(None), |condition| condition.map(Some))?,
        fingerprint: fingerprint.map_or(Some(None), |fingerprint| fingerprint.map(Some))?,
        resolved: resolved.map_or(Some(None), |resolved| resolved.map(Some))?,
        incident: incident?.fields,
    };
    Some(Draft { rule, span }).filter(|_| !report.has_error_within(item.span))
}

fn legal_name<'n>(field: &Field<'n>, report: &mut Report) -> Option<&'n str> {
    let name = field.text(report)?;
    if !is_legal_name(name) {
        report.add(illegal_name(name, field.node.span));
        return None;
    }
    Some(name)
}

/// Whether what is raised can be told apart, and what is over.
fn identity(sources: &[Source], has_fingerprint: bool, resolved: Option<Span>, head: Span, report: &mut Report) {
    if sources.contains(&Source::Generic) && !has_fingerprint {
        let message =
            "a rule for `generic` needs `fingerprint`, what stays the same from an alert's first report to its last";
        let finding = Finding::error(code::MISSING_KEY, head, message);
        report.add(finding.help("such as \"{{ payload.id }}\""));
    }
    let says_it_themselves = !sources.is_empty() && sources.iter().all(|source| source.has_fingerprints());
    if let Some(span) = resolved.filter(|_| says_it_themselves) {
        let message = "these sources say themselves whether an alert is over, so `resolved` has no effect";
        report.add(Finding::warning(code::NO_EFFECT, span, message));
    }
}

/// One source, or a list of them.
fn sources(field: &Field<'_>, report: &mut Report) -> Option<Vec<Source>> {
    if let Kind::Text(_) = field.node.kind {
        return field.choice(&SOURCES, report).map(|source| vec![source]);
    }
    let items = field.list(report)?;
    if items.is_empty() {
        let finding = Finding::error(code::WRONG_VALUE, field.node.span, "`sources` names nothing");
        report.add(finding.help("without the key, the rule is for all of them"));
        return None;
    }
    let one = |item| Field { node: item, ..*field }.choice(&SOURCES, report);
    let read: Vec<_> = items.iter().filter_map(one).collect();
    (read.len() == items.len()).then_some(read)
}

/// Labels, each with a text or a list of texts.
fn matches(field: &Field<'_>, report: &mut Report) -> Option<BTreeMap<String, Vec<String>>> {
    let Kind::Object(entries) = &field.node.kind else {
        field.wrong_type("an object of labels, such as `alertname: WorkerDown`", report);
        return None;
    };
    if entries.len() > limit::MATCHES {
        let message = format!("`match` has {} labels, the limit is {} labels", entries.len(), limit::MATCHES);
        report.add(Finding::error(code::BUDGET_EXCEEDED, field.key_span, message));
        return None;
    }
    let read: Vec<_> = entries.iter().map(|entry| Some((entry.key.clone(), texts(entry, report)?))).collect();
    read.into_iter().collect()
}

fn texts(entry: &Entry, report: &mut Report) -> Option<Vec<String>> {
    let label = quoted(&entry.key);
    let nodes = match &entry.value.kind {
        Kind::List(items) => items.as_slice(),
        Kind::Null | Kind::Boolean(_) | Kind::Number(_) | Kind::Text(_) | Kind::Object(_) => {
            std::slice::from_ref(&entry.value)
        }
    };
    if nodes.is_empty() || nodes.len() > limit::MATCH_TEXTS {
        let message = format!("label `{label}` has {} texts, 1 to {} are needed", nodes.len(), limit::MATCH_TEXTS);
        report.add(Finding::error(code::WRONG_VALUE, entry.value.span, message));
        return None;
    }
    let text = |node: &Node| match &node.kind {
        Kind::Text(text) if heal_engine::template::is_template(text) => {
            let finding = Finding::error(code::WRONG_VALUE, node.span, format!("label `{label}` cannot be a template"));
            report.add(finding.help("write a `condition`"));
            None
        }
        Kind::Text(text) => Some(text.clone()),
        Kind::Boolean(value) => Some(value.to_string()),
        Kind::Number(number) => Some(number.to_string()),
        Kind::Null | Kind::List(_) | Kind::Object(_) => {
            let message = format!("label `{label}` has to be a text or a list of texts, found {}", node.brief());
            report.add(Finding::error(code::WRONG_TYPE, node.span, message));
            None
        }
    };
    let texts: Vec<_> = nodes.iter().filter_map(text).collect();
    (texts.len() == nodes.len()).then_some(texts)
}

fn condition(cx: Context<'_>, field: &Field<'_>, report: &mut Report) -> Option<Condition> {
    let decided = condition::condition(cx, field, EvaluationPoint::BeforeRun, report)?;
    match (field.key, decided.always) {
        ("condition", Some(false)) => {
            let message = "this rule can never raise anything: its condition is always false";
            report.add(Finding::error(code::WRONG_VALUE, field.node.span, message));
        }
        ("resolved", Some(true)) => {
            let message = "this rule can never raise anything: every alert counts as over";
            report.add(Finding::error(code::WRONG_VALUE, field.node.span, message));
        }
        (_, Some(_)) => {
            let message = format!("`{}` is the same for every alert", field.key);
            report.add(Finding::warning(code::NO_EFFECT, field.node.span, message));
        }
        (_, None) => {}
    }
    Some(decided.condition)
}

fn fingerprint(cx: Context<'_>, field: &Field<'_>, report: &mut Report) -> Option<String> {
    let text = field.text(report)?;
    let checked = template::check(cx, text, field.node.span, EvaluationPoint::BeforeRun, report)?;
    if checked.template.names().is_empty() {
        let message = "this fingerprint is the same for every alert: only the first of them would start anything";
        report.add(Finding::error(code::WRONG_VALUE, field.node.span, message));
        return None;
    }
    Some(text.to_owned())
}

fn refuse_duplicates(drafts: &[Draft], report: &mut Report) {
    let mut seen = HashSet::with_capacity(drafts.len());
    for Draft { rule, span } in drafts {
        if !seen.insert(rule.name.as_str()) {
            let message = format!("there are two rules `{}`", quoted(&rule.name));
            report.add(Finding::error(code::DUPLICATE_NAME, *span, message));
        }
    }
}

/// Reports the rules after one that takes every alert of their sources.
fn find_unreachable(drafts: &[Draft], report: &mut Report) {
    let mut open: Vec<&Draft> = Vec::new();
    for draft in drafts {
        let before = open.iter().find(|before| covers(&before.rule.sources, &draft.rule.sources));
        if let Some(before) = before {
            let (name, taker) = (quoted(&draft.rule.name), quoted(&before.rule.name));
            let message = format!("rule `{name}` is never reached: `{taker}` takes every alert before it");
            report.add(Finding::error(code::UNREACHABLE_RULE, draft.span, message));
        }
        if draft.rule.matches.is_empty() && draft.rule.condition.is_none() {
            open.push(draft);
        }
    }
}

/// Whether every alert for `later` is also for `earlier`; an empty list is every source.
fn covers(earlier: &[Source], later: &[Source]) -> bool {
    earlier.is_empty() || (!later.is_empty() && later.iter().all(|source| earlier.contains(source)))
}
