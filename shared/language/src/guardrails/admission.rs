//! What the file says of admission: how many runs may be live at the same time.

use std::collections::{BTreeMap, BTreeSet};

use heal_engine::catalog::{Safety, WAIT};
use heal_engine::playbook::Playbook;
use heal_guard::{Admission, LiveBounds, limit};

use super::entries;
use super::known::Known;
use crate::code;
use crate::diagnostic::Span;
use crate::field::{Field, Fields};
use crate::report::{Finding, Report, quoted};
use crate::yaml::{Kind, Node};

pub(super) const KEYS: [&str; 1] = ["live"];
pub(super) const KEYS_OF_LIVE: [&str; 4] = ["per_playbook", "per_service", "playbooks", "services"];

pub(super) fn read(field: &Field<'_>, known: Known<'_>, report: &mut Report) -> Admission {
    let Some(mut fields) = Fields::from_object(field.node, "`admission`", report) else {
        return Admission::default();
    };
    let live = fields.take("live").filter(|field| field.node.kind != Kind::Null);
    let live = live.map(|field| self::live(&field, known, report)).unwrap_or_default();
    let misplaced = |key: &str| KEYS_OF_LIVE.contains(&key).then_some("it is a key of `live`");
    fields.finish(&KEYS, misplaced, report);
    Admission { live }
}

fn live(field: &Field<'_>, known: Known<'_>, report: &mut Report) -> LiveBounds {
    let default = LiveBounds::default();
    let Some(mut fields) = Fields::from_object(field.node, "`live`", report) else { return default };
    let [per_playbook, per_service, playbooks, services] = KEYS_OF_LIVE.map(|key| fields.take(key));
    let mut general = |field: Option<Field<'_>>, default| {
        field.and_then(|field| bound(field.node, field.key, report)).unwrap_or(default)
    };
    let per_playbook = general(per_playbook, default.per_playbook);
    let per_service = general(per_service, default.per_service);
    let [playbooks, services] = [playbooks, services].map(|field| field.filter(|field| field.node.kind != Kind::Null));
    let needed = "an object of names, each with its number of runs";
    let mut bounds = |field: Option<Field<'_>>, check: &dyn Fn(&str, Span, &mut Report)| {
        field.map(|field| self::bounds(&field, needed, check, report)).unwrap_or_default()
    };
    let live = LiveBounds {
        per_playbook,
        per_service,
        playbooks: bounds(playbooks, &|name, span, report| known.playbook(name, span, report)),
        services: bounds(services, &|name, span, report| service(name, span, known, report)),
    };
    fields.finish(&KEYS_OF_LIVE, |_| None, report);
    if let Some(field) = playbooks {
        warn_of_unreachable(&field, &live, known, report);
    }
    live
}

fn bounds(
    field: &Field<'_>,
    needed: &str,
    check: &dyn Fn(&str, Span, &mut Report),
    report: &mut Report,
) -> BTreeMap<String, u32> {
    let entries = entries(field, needed, report);
    if entries.len() > limit::LIVE_NAMES {
        let message = format!("`{}` has {} names, the limit is {} names", field.key, entries.len(), limit::LIVE_NAMES);
        report.add(Finding::error(code::BUDGET_EXCEEDED, field.key_span, message));
        return BTreeMap::new();
    }
    let mut bounds = BTreeMap::new();
    for entry in entries {
        check(&entry.key, entry.key_span, report);
        if let Some(max) = bound(&entry.value, &entry.key, report) {
            bounds.insert(entry.key.clone(), max);
        }
    }
    bounds
}

/// A number of runs; otherwise `None` and a finding.
fn bound(node: &Node, key: &str, report: &mut Report) -> Option<u32> {
    let (key, most) = (quoted(key), limit::LIVE_MAX);
    let Kind::Number(number) = &node.kind else {
        let message = format!("`{key}` has to be a number of live runs, found {}", node.brief());
        report.add(Finding::error(code::WRONG_TYPE, node.span, message));
        return None;
    };
    match number.as_u64().map(u32::try_from) {
        Some(Ok(max)) if (1..=most).contains(&max) => Some(max),
        Some(Ok(0)) => {
            let message = format!("`{key}` is 0 runs, so every run would wait for ever");
            let finding = Finding::error(code::WRONG_VALUE, node.span, message);
            report
                .add(finding.help(
                    "to switch a playbook off, set its `autonomy` to `off`; to stop for a time, use `heal halt`",
                ));
            None
        }
        Some(_) => {
            let message = format!("`{key}` is {number} runs, the limit is {most} runs");
            report.add(Finding::error(code::BUDGET_EXCEEDED, node.span, message));
            None
        }
        None => {
            let message = format!("`{key}` is {number}, a whole number of runs from 1 is needed");
            report.add(Finding::error(code::WRONG_VALUE, node.span, message));
            None
        }
    }
}

fn service(name: &str, span: Span, known: Known<'_>, report: &mut Report) {
    known.service(name, span, report);
    let mut own = known.catalog.iter().filter(|spec| spec.service == name).peekable();
    if own.peek().is_some() && own.all(|spec| spec.safety == Safety::ReadOnly) {
        let message = format!("no action changes anything at `{}`, so its bound has no effect", quoted(name));
        report.add(Finding::warning(code::NO_EFFECT, span, message));
    }
}

/// A bound of a playbook above that of a service at which it changes something is never reached.
fn warn_of_unreachable(field: &Field<'_>, live: &LiveBounds, known: Known<'_>, report: &mut Report) {
    for entry in field.node.entries() {
        let playbook = known.playbooks.unwrap_or_default().iter().find(|playbook| playbook.name == entry.key);
        let (Some(playbook), Some(max)) = (playbook, live.playbooks.get(&entry.key)) else { continue };
        let least = services(playbook, known).into_iter().min_by_key(|service| live.of_service(service));
        if let Some(service) = least.filter(|service| live.of_service(service) < *max) {
            let (name, of_service) = (quoted(&entry.key), live.of_service(service));
            let message = format!(
                "`{name}` never has {max} live runs: it changes something at `{service}`, which admits {of_service}"
            );
            report.add(Finding::warning(code::UNREACHABLE_RULE, entry.value.span, message));
        }
    }
}

/// The services at which the playbook may change something.
fn services<'k>(playbook: &Playbook, known: Known<'k>) -> BTreeSet<&'k str> {
    let changing = playbook.steps().filter(|step| step.kind != WAIT && step.safety != Safety::ReadOnly);
    changing.filter_map(|step| known.catalog.get(&step.kind)).map(|spec| spec.service).collect()
}
