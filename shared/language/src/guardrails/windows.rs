//! The windows: times in which effects are held, denied, or need an approval.

use std::collections::{BTreeMap, HashSet};

use heal_engine::suggest;
use heal_guard::{LocalTime, Schedule, Weekday, Window, WindowKind, Zone, limit};

use super::budget::legal_name;
use super::known::Known;
use super::people;
use super::reach;
use crate::code;
use crate::diagnostic::Span;
use crate::field::{Field, Fields};
use crate::report::{Finding, Report, quoted};
use crate::yaml::{Kind, Node};

pub(super) const KEYS: [&str; 13] = [
    "name",
    "kind",
    "actions",
    "playbooks",
    "services",
    "days",
    "from",
    "to",
    "zone",
    "start",
    "end",
    "approvers",
    "reason",
];

pub(super) const KINDS: [(&str, WindowKind); 3] = [
    (WindowKind::Hold.as_str(), WindowKind::Hold),
    (WindowKind::Deny.as_str(), WindowKind::Deny),
    (WindowKind::Ask.as_str(), WindowKind::Ask),
];

/// The groups of approvers by name.
type Groups = BTreeMap<String, Vec<String>>;

pub(super) fn read(field: &Field<'_>, known: Known<'_>, groups: &Groups, report: &mut Report) -> Vec<Window> {
    let Some(items) = field.list(report) else { return Vec::new() };
    if items.len() > limit::WINDOWS {
        let message = format!("the file has {} windows, the limit is {} windows", items.len(), limit::WINDOWS);
        report.add(Finding::error(code::BUDGET_EXCEEDED, field.key_span, message));
        return Vec::new();
    }
    let windows: Vec<(Window, Span)> = items.iter().filter_map(|item| window(item, known, groups, report)).collect();
    let mut names = HashSet::new();
    for (index, (window, span)) in windows.iter().enumerate() {
        if !names.insert(window.name.as_str()) {
            let message = format!("there are two windows `{}`", quoted(&window.name));
            report.add(Finding::error(code::DUPLICATE_NAME, *span, message));
        }
        let finding = reach::admits_nothing(&format!("window `{}`", window.name), &window.applies_to, *span, known);
        finding.or_else(|| is_covered(index, &windows, known)).into_iter().for_each(|finding| report.add(finding));
    }
    windows.into_iter().map(|(window, _)| window).collect()
}

/// `None` and findings if it has an error; otherwise with the span of its name.
fn window(item: &Node, known: Known<'_>, groups: &Groups, report: &mut Report) -> Option<(Window, Span)> {
    let head = item.entries().first().map_or(item.span, |entry| entry.key_span);
    let mut fields = Fields::from_object(item, "a window", report)?;
    let [name, kind] = ["name", "kind"].map(|key| {
        let field = fields.take(key);
        if field.is_none() {
            report.add(Finding::error(code::MISSING_KEY, head, format!("a window needs `{key}`")));
        }
        field
    });
    let kind = kind.and_then(|field| field.choice(&KINDS, report));
    let applies_to = known.selector(&mut fields, report);
    let schedule = schedule(&mut fields, head, report);
    let approvers = fields.take("approvers").map(|field| approvers(&field, kind, groups, report)).unwrap_or_default();
    let reason = fields.take("reason").and_then(|field| reason(&field, report)).unwrap_or_default();
    fields.finish(&KEYS, |_| None, report);
    let span = name.map_or(head, |field| field.node.span);
    let name = name.and_then(|field| legal_name(&field, report));
    let window = Window { name: name?.to_owned(), kind: kind?, applies_to, schedule: schedule?, approvers, reason };
    if window.schedule.is_always_open() && window.kind != WindowKind::Ask {
        let message = "this window is never closed: its effects never happen";
        report.add(Finding::warning(code::NO_EFFECT, span, message).help("set `autonomy` to `off`, or name the times"));
    }
    Some((window, span)).filter(|_| !report.has_error_within(item.span))
}

/// Either `from`, `to` and `zone`, on `days`; or `start` and `end`, in `zone` if they have no offset.
fn schedule(fields: &mut Fields<'_>, head: Span, report: &mut Report) -> Option<Schedule> {
    let [days, from, to, zone, start, end] = ["days", "from", "to", "zone", "start", "end"].map(|key| fields.take(key));
    let is_once = start.is_some() || end.is_some();
    if let (true, Some(other)) = (is_once, [days, from, to].into_iter().flatten().next()) {
        let message = format!("a window with `start` and `end` is open once, so it has no `{}`", other.key);
        report.add(Finding::error(code::WRONG_VALUE, other.key_span, message).help("make it two windows"));
        return None;
    }
    let needed: &[(&str, bool)] = if is_once {
        &[("start", start.is_some()), ("end", end.is_some())]
    } else {
        &[("from", from.is_some()), ("to", to.is_some()), ("zone", zone.is_some())]
    };
    for (key, _) in needed.iter().filter(|(_, is_there)| !is_there) {
        let message = format!("a window needs `{key}`: it has `from`, `to` and `zone`, or `start` and `end`");
        report.add(Finding::error(code::MISSING_KEY, head, message));
    }
    let zone_given = zone.is_some();
    let zone = zone.and_then(|field| self::zone(&field, report));
    if is_once {
        let zone = if zone_given { Some(zone?) } else { None };
        let start_at = start.and_then(|field| moment(&field, zone.as_ref(), false, report));
        let end_at = end.and_then(|field| moment(&field, zone.as_ref(), true, report));
        let (start_at, end_at) = (start_at?, end_at?);
        return if start_at < end_at {
            Some(Schedule::Once { start: start_at, end: end_at })
        } else {
            never_open(end?.node.span, report)
        };
    }
    let days = days.map(|field| weekdays(&field, report)).unwrap_or_default();
    let from = from.and_then(|field| time(&field, report));
    let to_time = to.and_then(|field| time(&field, report));
    let (from, to_time, zone) = (from?, to_time?, zone?);
    if from == to_time {
        return never_open(to?.node.span, report);
    }
    Some(Schedule::Daily { days, from, to: to_time, zone })
}

fn never_open(span: Span, report: &mut Report) -> Option<Schedule> {
    let message = "this window is never open: it ends where it starts, or before";
    report
        .add(Finding::error(code::UNREACHABLE_RULE, span, message).help("a whole day is from \"00:00\" to \"24:00\""));
    None
}

fn weekdays(field: &Field<'_>, report: &mut Report) -> Vec<Weekday> {
    let Some(items) = field.list(report) else { return Vec::new() };
    if items.is_empty() {
        let finding = Finding::error(code::WRONG_VALUE, field.node.span, "`days` names nothing");
        report.add(finding.help("without the key, the window opens every day"));
    }
    let mut days = Vec::new();
    for item in items {
        let day = Field { key: "days", key_span: field.key_span, node: item };
        let Some(day) = day.choice(&Weekday::ALL, report) else { continue };
        if days.contains(&day) {
            report.add(Finding::warning(code::NO_EFFECT, item.span, "the day is named twice"));
        } else {
            days.push(day);
        }
    }
    days
}

fn time(field: &Field<'_>, report: &mut Report) -> Option<LocalTime> {
    let Kind::Text(text) = &field.node.kind else {
        field.wrong_type("a time of day in quotes, such as \"22:00\"", report);
        return None;
    };
    let time = text.parse::<LocalTime>();
    time.map_err(|error| report.add(Finding::error(code::WRONG_VALUE, field.node.span, error.to_string()))).ok()
}

fn zone(field: &Field<'_>, report: &mut Report) -> Option<Zone> {
    let text = field.text(report)?;
    let zone = text.parse::<Zone>();
    let unknown = |error: heal_guard::UnknownZone| {
        let finding = Finding::error(code::WRONG_VALUE, field.node.span, error.to_string());
        report.add(finding.suggest(suggest::closest(text, Zone::names())));
    };
    zone.map_err(unknown).ok()
}

fn moment(field: &Field<'_>, zone: Option<&Zone>, is_end: bool, report: &mut Report) -> Option<heal_engine::Timestamp> {
    let text = field.text(report)?;
    let (moment, expected) = match zone {
        Some(zone) => (zone.parse_moment(text, is_end), "a date and time"),
        None => (Zone::parse_absolute(text), "a date and time with an offset"),
    };
    if moment.is_none() {
        let message = format!("`{}` is not {expected}: `{}`", field.key, quoted(text));
        let finding = Finding::error(code::WRONG_VALUE, field.node.span, message);
        report.add(finding.help("write \"2027-01-15T22:00:00+01:00\", or \"2027-01-15T22:00\" and a `zone`"));
    }
    moment
}

fn reason(field: &Field<'_>, report: &mut Report) -> Option<String> {
    let text = field.text(report)?;
    if text.len() > limit::REASON_BYTES {
        let message = format!("`reason` has {} bytes, the limit is {} bytes", text.len(), limit::REASON_BYTES);
        report.add(Finding::error(code::BUDGET_EXCEEDED, field.node.span, message));
        return None;
    }
    Some(text.to_owned())
}

/// Identities, or names of groups that exist.
fn approvers(field: &Field<'_>, kind: Option<WindowKind>, groups: &Groups, report: &mut Report) -> Vec<String> {
    let Some(items) = field.list(report) else { return Vec::new() };
    if kind.is_some_and(|kind| kind != WindowKind::Ask) {
        let message = "only a window of kind `ask` has approvers";
        report.add(Finding::warning(code::NO_EFFECT, field.key_span, message));
    }
    if items.len() > limit::MEMBERS {
        let message = format!("`approvers` has {} names, the limit is {} names", items.len(), limit::MEMBERS);
        report.add(Finding::error(code::BUDGET_EXCEEDED, field.key_span, message));
        return Vec::new();
    }
    let mut found = Vec::new();
    for item in items {
        match &item.kind {
            Kind::Text(name) if !name.contains(':') && !groups.contains_key(name) => {
                let message = format!("there is no group `{}`, so nobody could approve in its name", quoted(name));
                let finding = Finding::error(code::UNKNOWN_GROUP, item.span, message);
                let finding = finding.suggest(suggest::closest(name, groups.keys().map(String::as_str)));
                report.add(finding.help("list its members under `approvals.groups`"));
            }
            Kind::Text(name) if !name.contains(':') => found.push(name.clone()),
            Kind::Null | Kind::Boolean(_) | Kind::Number(_) | Kind::Text(_) | Kind::List(_) | Kind::Object(_) => {
                found.extend(people::identity(item, report).map(ToOwned::to_owned));
            }
        }
    }
    found
}

/// The fault of a window that asks or denies while another one, of the same times and at least its effects, does more.
fn is_covered(index: usize, windows: &[(Window, Span)], known: Known<'_>) -> Option<Finding> {
    let strength = |window: &Window| match window.kind {
        WindowKind::Ask => 0,
        WindowKind::Deny => 1,
        WindowKind::Hold => 2,
    };
    let (window, span) = windows.get(index)?;
    let covers = |(other_index, (other, _)): &(usize, &(Window, Span))| {
        let (mine, others) = (strength(window), strength(other));
        *other_index != index
            && (others > mine || (others == mine && *other_index < index))
            && (other.schedule == window.schedule || other.schedule.is_always_open())
            && reach::covers(&other.applies_to, &window.applies_to, known)
    };
    let (_, (other, _)) = windows.iter().enumerate().find(covers)?;
    let message = format!("window `{}` can never fire: `{}` is open at the same times", window.name, other.name);
    Some(Finding::warning(code::UNREACHABLE_RULE, *span, message))
}
