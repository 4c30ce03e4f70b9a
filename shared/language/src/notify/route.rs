//! Routes: which notices go to which channels.

use heal_engine::event::RunOutcome;
use heal_engine::notice::{ChannelKind, DigestTimes, NoticeEvent, Quiet, Route, limit};
use heal_engine::severity::Severity;
use heal_engine::suggest;

use super::Known;
use super::channel::Named;
use crate::code;
use crate::diagnostic::Span;
use crate::field::{Field, Fields};
use crate::report::{Finding, Report, quoted};
use crate::yaml::{Kind, Node};

pub(super) const KEYS: [&str; 8] =
    ["to", "events", "severities", "playbooks", "services", "outcomes", "quiet", "digest"];
pub(super) const KEYS_OF_DIGEST: [&str; 2] = ["at", "time_zone"];
pub(super) const KEYS_OF_QUIET: [&str; 3] = ["from", "to", "time_zone"];

/// The outcomes that a notice can have.
pub(super) const OUTCOMES: [RunOutcome; 9] = [
    RunOutcome::Healed,
    RunOutcome::Completed,
    RunOutcome::Degraded,
    RunOutcome::NotHealed,
    RunOutcome::Failed,
    RunOutcome::Denied,
    RunOutcome::Timeout,
    RunOutcome::Cancelled,
    RunOutcome::Escalated,
];

pub(super) fn read(field: &Field<'_>, channels: &Named, known: Known<'_>, report: &mut Report) -> Vec<Route> {
    let Some(items) = field.list(report) else { return Vec::new() };
    if items.len() > limit::ROUTES {
        let message = format!("there are {} routes, the limit is {} routes", items.len(), limit::ROUTES);
        report.add(Finding::error(code::BUDGET_EXCEEDED, field.key_span, message));
        return Vec::new();
    }
    items.iter().filter_map(|item| route(item, channels, known, report)).collect()
}

fn route(item: &Node, channels: &Named, known: Known<'_>, report: &mut Report) -> Option<Route> {
    let head = item.entries().first().map_or(item.span, |entry| entry.key_span);
    let mut fields = Fields::from_object(item, "a route", report)?;
    let [to, events, severities, playbooks, services, outcomes, quiet, digest] = KEYS.map(|key| fields.take(key));
    fields.finish(&KEYS, |_| None, report);
    if to.is_none() {
        report.add(Finding::error(code::MISSING_KEY, head, "a route needs `to`, a list of channels"));
    }
    let to = to.map(|field| names(&field, report)).unwrap_or_default();
    for (name, span) in &to {
        let all = channels.keys().map(String::as_str);
        check(name, *span, "a channel of this file", code::WRONG_VALUE, all, report);
    }
    let playbooks = playbooks.map(|field| names(&field, report)).unwrap_or_default();
    for (name, span) in &playbooks {
        if let Some(all) = known.playbooks {
            let all = all.iter().map(|playbook| playbook.name.as_str());
            check(name, *span, "a playbook", code::UNKNOWN_PLAYBOOK, all, report);
        }
    }
    let services = services.map(|field| names(&field, report)).unwrap_or_default();
    for (name, span) in &services {
        let all = known.catalog.iter().map(|spec| spec.service);
        check(name, *span, "a service that an action calls", code::UNKNOWN_SERVICE, all, report);
    }
    if let Some(field) = &digest {
        check_digest(field, &to, quiet.is_some(), channels, report);
    }
    let calls = |service: &str| services.iter().any(|(name, _)| *name == service);
    let texts = |names: &[(&str, Span)]| names.iter().map(|(name, _)| (*name).to_owned()).collect::<Vec<_>>();
    Some(Route {
        to: texts(&to),
        events: words(events, &NoticeEvent::ALL.map(|event| (event.as_str(), event)), report),
        severities: words(severities, &Severity::ALL.map(|severity| (severity.as_str(), severity.as_str())), report)
            .into_iter()
            .map(ToOwned::to_owned)
            .collect(),
        playbooks: texts(&playbooks),
        services: texts(&services),
        actions: known.catalog.iter().filter(|spec| calls(spec.service)).map(|spec| spec.name.to_owned()).collect(),
        outcomes: words(outcomes, &OUTCOMES.map(|outcome| (outcome.as_str(), outcome)), report),
        quiet: quiet.and_then(|field| self::quiet(&field, report)),
        digest: digest.and_then(|field| times(&field, report)),
    })
}

/// The hours in which the route waits. Whether this machine knows the time zone is for the program to find out.
fn quiet(field: &Field<'_>, report: &mut Report) -> Option<Quiet> {
    let mut fields = Fields::from_object(field.node, "`quiet`", report)?;
    let [from, to, time_zone] = KEYS_OF_QUIET.map(|key| {
        let found = fields.take(key);
        if found.is_none() {
            report.add(Finding::error(code::MISSING_KEY, field.key_span, format!("`quiet` needs `{key}`")));
        }
        found
    });
    fields.finish(&KEYS_OF_QUIET, |_| None, report);
    let (from, to) = (from.and_then(|field| clock(&field, report)), to.and_then(|field| clock(&field, report)));
    let time_zone = time_zone.and_then(|field| field.text(report))?.to_owned();
    let (from, to) = (from?, to?);
    if from == to {
        let message = format!("the quiet hours begin and end at {from}, so nothing ever waits");
        report.add(Finding::error(code::WRONG_VALUE, field.node.span, message));
    }
    Some(Quiet { from, to, time_zone })
}

/// What a digest cannot be combined with.
fn check_digest(field: &Field<'_>, to: &[(&str, Span)], is_quiet: bool, channels: &Named, report: &mut Report) {
    if is_quiet {
        let message = "`digest` already waits, so `quiet` has no meaning beside it";
        report.add(Finding::error(code::WRONG_VALUE, field.key_span, message.to_owned()).help("remove `quiet`"));
    }
    for (name, span) in to {
        let channel = channels.get(*name).and_then(|(_, channel)| channel.as_ref());
        let Some(kind) = channel.map(|channel| channel.kind).filter(|kind| keeps_alerts(*kind)) else { continue };
        let message =
            format!("channel `{name}` has alerts that open and close ({}), which a digest cannot do", kind.as_str());
        report.add(Finding::error(code::WRONG_VALUE, *span, message).help("give the digest another channel"));
    }
}

/// Whether the channel's tool has alerts that a later notice acknowledges or resolves.
const fn keeps_alerts(kind: ChannelKind) -> bool {
    match kind {
        ChannelKind::Pagerduty | ChannelKind::Opsgenie => true,
        ChannelKind::Slack | ChannelKind::Teams | ChannelKind::Sns | ChannelKind::Email | ChannelKind::Webhook => false,
    }
}

/// When the route's notices are told, all at once.
fn times(field: &Field<'_>, report: &mut Report) -> Option<DigestTimes> {
    let mut fields = Fields::from_object(field.node, "`digest`", report)?;
    let [at, time_zone] = KEYS_OF_DIGEST.map(|key| {
        let found = fields.take(key);
        if found.is_none() {
            report.add(Finding::error(code::MISSING_KEY, field.key_span, format!("`digest` needs `{key}`")));
        }
        found
    });
    fields.finish(&KEYS_OF_DIGEST, |_| None, report);
    let at = at.map(|field| clocks(&field, report));
    let time_zone = time_zone.and_then(|field| field.text(report))?.to_owned();
    Some(DigestTimes { at: at?, time_zone })
}

/// A list of times of day, or one.
fn clocks(field: &Field<'_>, report: &mut Report) -> Vec<String> {
    let items = match &field.node.kind {
        Kind::List(items) => items.as_slice(),
        Kind::Text(_) | Kind::Null | Kind::Boolean(_) | Kind::Number(_) | Kind::Object(_) => {
            std::slice::from_ref(field.node)
        }
    };
    if items.is_empty() || items.len() > limit::DIGEST_TIMES {
        let message = format!("`{}` has {} times, 1 to {} are needed", field.key, items.len(), limit::DIGEST_TIMES);
        report.add(Finding::error(code::WRONG_VALUE, field.key_span, message));
        return Vec::new();
    }
    items.iter().filter_map(|item| clock(&Field { node: item, ..*field }, report)).collect()
}

/// `HH:MM`.
fn clock(field: &Field<'_>, report: &mut Report) -> Option<String> {
    let text = field.text(report)?;
    let part = |digits: &str, limit: u8| digits.len() == 2 && digits.parse::<u8>().is_ok_and(|number| number < limit);
    if text.split_once(':').is_some_and(|(hour, minute)| part(hour, 24) && part(minute, 60)) {
        return Some(text.to_owned());
    }
    let message = format!("`{}` is `{}`, a time of day such as `22:00` is needed", field.key, quoted(text));
    report.add(Finding::error(code::WRONG_VALUE, field.node.span, message));
    None
}

/// A list of texts, or one text.
fn names<'n>(field: &Field<'n>, report: &mut Report) -> Vec<(&'n str, Span)> {
    let items = match &field.node.kind {
        Kind::List(items) => items.as_slice(),
        Kind::Text(_) => std::slice::from_ref(field.node),
        Kind::Null | Kind::Boolean(_) | Kind::Number(_) | Kind::Object(_) => {
            field.wrong_type("a list of names", report);
            return Vec::new();
        }
    };
    if items.is_empty() {
        let message = format!("`{}` is empty, so the route admits everything", field.key);
        let finding = Finding::error(code::WRONG_VALUE, field.node.span, message);
        report.add(finding.help(format!("remove `{}`, or name something", field.key)));
    }
    if items.len() > limit::NAMES {
        let message = format!("`{}` has {} names, the limit is {} names", field.key, items.len(), limit::NAMES);
        report.add(Finding::error(code::BUDGET_EXCEEDED, field.key_span, message));
        return Vec::new();
    }
    items.iter().filter_map(|item| Some((Field { node: item, ..*field }.text(report)?, item.span))).collect()
}

/// A list of words, each one of `choices`.
fn words<T: Copy>(field: Option<Field<'_>>, choices: &[(&str, T)], report: &mut Report) -> Vec<T> {
    let Some(field) = field else { return Vec::new() };
    let found = names(&field, report);
    let mut values = Vec::new();
    for (word, span) in found {
        let value = choices.iter().find(|(choice, _)| *choice == word).map(|(_, value)| *value);
        if value.is_none() {
            let all = choices.iter().map(|(choice, _)| *choice);
            check(word, span, &format!("one of the `{}`", field.key), code::WRONG_VALUE, all, report);
        }
        values.extend(value);
    }
    values
}

fn check<'k>(
    name: &str,
    span: Span,
    what: &str,
    code: &'static str,
    all: impl Iterator<Item = &'k str>,
    report: &mut Report,
) {
    let mut all: Vec<&str> = all.collect();
    if all.contains(&name) {
        return;
    }
    all.sort_unstable();
    all.dedup();
    // Severities and outcomes are often written in the other case.
    let near = all.iter().copied().find(|known| known.eq_ignore_ascii_case(name));
    let near = near.or_else(|| suggest::closest(name, all.iter().copied()));
    let finding = Finding::error(code, span, format!("`{}` is not {what}", quoted(name))).suggest(near);
    report.add(if near.is_some() || all.is_empty() {
        finding
    } else {
        finding.help(format!("known are {}", all.join(", ")))
    });
}
