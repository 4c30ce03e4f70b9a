//! Storms: when so many targets of a service are sick that the fault is elsewhere.

use heal_engine::catalog::Safety;
use heal_guard::{StormRule, Storms, limit};

use super::entries;
use super::known::Known;
use crate::code;
use crate::field::{Field, Fields};
use crate::report::{Finding, Report, quoted};
use crate::yaml::Entry;

pub(super) const KEYS: [&str; 4] = ["targets", "window_seconds", "quiet_seconds", "trickle"];

/// The rules of the file, and the defaults of the services that it does not name.
pub(super) fn read(field: &Field<'_>, known: Known<'_>, report: &mut Report) -> Storms {
    let entries = entries(field, "an object of services, such as `kubernetes: {targets: 5}`", report);
    let mut rules: Vec<_> = entries.iter().filter_map(|entry| rule(entry, known, report)).collect();
    let unnamed: Vec<_> =
        Storms::default().0.into_iter().filter(|rule| rules.iter().all(|one| one.service != rule.service)).collect();
    rules.extend(unnamed);
    Storms(rules)
}

fn rule(entry: &Entry, known: Known<'_>, report: &mut Report) -> Option<StormRule> {
    let service = entry.key.as_str();
    known.service(service, entry.key_span, report);
    let of_service = known.catalog.iter().filter(|spec| spec.service == service && spec.safety != Safety::ReadOnly);
    let default = StormRule::new(service, of_service.map(|spec| spec.name.to_owned()).collect());
    let mut fields = Fields::from_object(&entry.value, "a storm", report)?;
    let [targets, window, quiet, trickle] = KEYS.map(|key| fields.take(key));
    fields.finish(&KEYS, |_| None, report);
    let number = |field: Option<Field<'_>>, most: u32, unit, default: u32, report: &mut Report| match field {
        None => default,
        Some(field) => {
            let number = field.whole(0..=most.into(), unit, report).and_then(|number| u32::try_from(number).ok());
            number.unwrap_or(default)
        }
    };
    let trickle = number(trickle, limit::STORM_TRICKLE, "effects", default.trickle, report);
    let place = targets;
    let targets = number(targets, limit::STORM_TARGETS, "targets", default.targets, report);
    if let Some(field) = place {
        if targets == 1 {
            let finding = Finding::error(code::WRONG_VALUE, field.node.span, "a single target is not a storm");
            report.add(finding.help(format!("at least {}, or 0 for never", limit::STORM_TARGETS_LEAST)));
        } else if targets == 0 && Storms::default().0.iter().any(|rule| rule.service == service) {
            let message = format!("healing of `{}` goes on however many of its targets are sick", quoted(service));
            report.add(Finding::warning(code::NO_BOUND, field.node.span, message));
        }
    }
    let seconds = limit::STORM_WINDOW_LEAST_SECONDS..=limit::STORM_WINDOW_SECONDS;
    let window_seconds =
        window.and_then(|field| field.whole(seconds, "seconds", report)).unwrap_or(default.window_seconds);
    let quiet_seconds = quiet
        .and_then(|field| field.whole(window_seconds..=limit::STORM_WINDOW_SECONDS, "seconds", report))
        .unwrap_or(default.quiet_seconds.max(window_seconds));
    if default.actions.is_empty() && known.services().contains(service) {
        let message = format!("the actions of `{}` only read, so it has no storms", quoted(service));
        report.add(Finding::warning(code::NO_EFFECT, entry.key_span, message));
    }
    Some(StormRule { targets, window_seconds, quiet_seconds, trickle, ..default })
}
