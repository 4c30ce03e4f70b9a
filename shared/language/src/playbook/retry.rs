//! `retry`: further attempts of a step.

use heal_engine::limit;
use heal_engine::playbook::Retry;

use crate::code;
use crate::field::{Field, Fields};
use crate::report::{Finding, Report};
use crate::yaml::Kind;

pub(super) const KEYS: [&str; 3] = ["max_attempts", "backoff_seconds", "max_backoff_seconds"];

/// `max_retries` counts the attempts after the first one.
pub(super) fn old_retries(field: &Field<'_>, report: &mut Report) -> Option<Retry> {
    let retries = field.whole(0..=u64::from(limit::ATTEMPTS) - 1, "retries", report)?;
    let attempts = u32::try_from(retries + 1).unwrap_or(limit::ATTEMPTS);
    let message = "`max_retries` is an old key, it is read as `retry`";
    let help = format!("write `retry: {{max_attempts: {attempts}}}`");
    report.add(Finding::warning(code::OLD_KEY, field.key_span, message).help(help));
    Some(Retry { max_attempts: attempts, ..Retry::default() })
}

pub(super) fn retry_of(field: &Field<'_>, report: &mut Report) -> Option<Retry> {
    if let Kind::Number(number) = &field.node.kind {
        let message = format!("`retry` has to be an object of keys and values, found the number {number}");
        let help = format!("write `retry: {{max_attempts: {number}}}`");
        report.add(Finding::error(code::WRONG_TYPE, field.node.span, message).help(help));
        return None;
    }
    let mut fields = Fields::from_object(field.node, "`retry`", report)?;
    let default = Retry::default();
    let attempts = fields.take("max_attempts");
    let attempts = attempts.map(|field| field.whole(1..=u64::from(limit::ATTEMPTS), "attempts", report));
    let backoff = fields.take("backoff_seconds");
    let backoff = backoff.map(|field| field.whole(0..=limit::BACKOFF_SECONDS, "seconds", report));
    let longest = fields.take("max_backoff_seconds");
    let most = longest.map(|field| field.whole(0..=limit::BACKOFF_SECONDS, "seconds", report));
    fields.finish(&KEYS, |_| None, report);
    let backoff_seconds = backoff.map_or(Some(default.backoff_seconds), |given| given)?;
    let max_backoff_seconds = most.map_or(Some(default.max_backoff_seconds.max(backoff_seconds)), |given| given)?;
    if let (true, Some(field)) = (max_backoff_seconds < backoff_seconds, longest) {
        let message =
            format!("`max_backoff_seconds` is {max_backoff_seconds}, less than the first backoff of {backoff_seconds}");
        report.add(Finding::error(code::WRONG_VALUE, field.node.span, message));
    }
    let max_attempts = attempts.map_or(Some(u64::from(default.max_attempts)), |given| given)?;
    Some(Retry { max_attempts: u32::try_from(max_attempts).ok()?, backoff_seconds, max_backoff_seconds })
}
