//! What the file says of people: who may approve, and how far a playbook may act without them.

use std::collections::{BTreeMap, HashSet};
use std::ops::RangeInclusive;

use heal_engine::suggest;
use heal_guard::{Approvals, AutonomyLevel, AutonomyRule, Demote, limit};

use super::entries;
use super::known::Known;
use crate::code;
use crate::field::{Field, Fields};
use crate::name::{illegal_name, is_legal_name};
use crate::report::{Finding, Report, quoted};
use crate::yaml::{Entry, Kind, Node};

pub(super) const KEYS_OF_APPROVALS: [&str; 1] = ["groups"];
pub(super) const KEYS_OF_AUTONOMY: [&str; 3] = ["playbook", "level", "demote"];
pub(super) const KEYS_OF_DEMOTE: [&str; 2] = ["below_percent", "of_last"];

pub(super) const LEVELS: [(&str, AutonomyLevel); 4] = [
    (AutonomyLevel::Off.as_str(), AutonomyLevel::Off),
    (AutonomyLevel::Shadow.as_str(), AutonomyLevel::Shadow),
    (AutonomyLevel::Approve.as_str(), AutonomyLevel::Approve),
    (AutonomyLevel::Auto.as_str(), AutonomyLevel::Auto),
];

/// The kinds of the identities of people.
const KINDS: [&str; 2] = ["local", "iam"];
/// The kind of the engine's own identities.
const ENGINE: &str = "system";

pub(super) fn approvals(field: &Field<'_>, report: &mut Report) -> Approvals {
    let Some(mut fields) = Fields::from_object(field.node, "`approvals`", report) else {
        return Approvals::default();
    };
    let groups = fields.take("groups").filter(|field| field.node.kind != Kind::Null);
    let groups = groups.map(|field| self::groups(&field, report)).unwrap_or_default();
    fields.finish(&KEYS_OF_APPROVALS, |_| None, report);
    Approvals { groups }
}

fn groups(field: &Field<'_>, report: &mut Report) -> BTreeMap<String, Vec<String>> {
    let entries = entries(field, "an object of groups, such as `oncall: [\"local:anna\"]`", report);
    if entries.len() > limit::GROUPS {
        let message = format!("there are {} groups, the limit is {} groups", entries.len(), limit::GROUPS);
        report.add(Finding::error(code::BUDGET_EXCEEDED, field.key_span, message));
        return BTreeMap::new();
    }
    for entry in entries.iter().filter(|entry| !is_legal_name(&entry.key)) {
        report.add(illegal_name(&entry.key, entry.key_span));
    }
    entries.iter().map(|entry| (entry.key.clone(), members(entry, report))).collect()
}

fn members(group: &Entry, report: &mut Report) -> Vec<String> {
    let name = quoted(&group.key);
    let Kind::List(items) = &group.value.kind else {
        let message = format!("group `{name}` has to be a list of identities, found {}", group.value.brief());
        report.add(Finding::error(code::WRONG_TYPE, group.value.span, message));
        return Vec::new();
    };
    if items.is_empty() {
        let message = format!("group `{name}` has no member, so nobody could approve");
        report.add(Finding::error(code::WRONG_VALUE, group.value.span, message));
    }
    if items.len() > limit::MEMBERS {
        let message = format!("group `{name}` has {} members, the limit is {} members", items.len(), limit::MEMBERS);
        report.add(Finding::error(code::BUDGET_EXCEEDED, group.key_span, message));
        return Vec::new();
    }
    let mut members: Vec<String> = Vec::with_capacity(items.len());
    for item in items {
        let Some(text) = identity(item, report) else { continue };
        if members.iter().any(|member| member == text) {
            report.add(Finding::warning(code::NO_EFFECT, item.span, format!("`{}` is named twice", quoted(text))));
            continue;
        }
        members.push(text.to_owned());
    }
    members
}

/// When the level goes down by itself. Both keys have a default.
fn demote(field: &Field<'_>, report: &mut Report) -> Option<Demote> {
    let default = Demote::default();
    let mut fields = Fields::from_object(field.node, "`demote`", report)?;
    let mut number = |key, range: RangeInclusive<u32>, unit, report: &mut Report| {
        let field: Field<'_> = fields.take(key)?;
        let range = u64::from(*range.start())..=u64::from(*range.end());
        let number = field.whole(range, unit, report).and_then(|number| u32::try_from(number).ok())?;
        Some((number, field.node.span))
    };
    let below = number("below_percent", 0..=limit::PERCENT, "percent", report);
    let last = number("of_last", limit::DEMOTE_LEAST..=limit::DEMOTE_MOST, "runs", report);
    fields.finish(&KEYS_OF_DEMOTE, |_| None, report);
    if let Some((0, span)) = below {
        let message = "with 0 percent, the playbook acts alone however rarely that helps";
        report.add(Finding::warning(code::NO_BOUND, span, message));
    }
    Some(Demote {
        below_percent: below.map_or(default.below_percent, |(number, _)| number),
        of_last: last.map_or(default.of_last, |(number, _)| number),
    })
}

/// `None` and a finding if it is not a person's identity.
pub(super) fn identity<'n>(item: &'n Node, report: &mut Report) -> Option<&'n str> {
    let help = "an identity is `local:USER` of the operating system, or `iam:SENDER` as SQS names the caller";
    let Kind::Text(text) = &item.kind else {
        let message = format!("an identity has to be a text, found {}", item.brief());
        report.add(Finding::error(code::WRONG_TYPE, item.span, message).help(help));
        return None;
    };
    if text.len() > limit::IDENTITY_BYTES {
        let message = format!("the identity has {} bytes, the limit is {} bytes", text.len(), limit::IDENTITY_BYTES);
        report.add(Finding::error(code::BUDGET_EXCEEDED, item.span, message));
        return None;
    }
    let parts = text.split_once(':').filter(|(kind, name)| !kind.is_empty() && !name.trim().is_empty());
    match parts {
        Some((kind, _)) if KINDS.contains(&kind) => Some(text),
        Some((ENGINE, _)) => {
            let message = format!("`{}` is the engine itself, which cannot approve", quoted(text));
            report.add(Finding::error(code::WRONG_VALUE, item.span, message));
            None
        }
        Some((kind, _)) => {
            let message = format!("`{}` is not a kind of identity", quoted(kind));
            let finding = Finding::error(code::WRONG_VALUE, item.span, message);
            report.add(finding.suggest(suggest::closest(kind, KINDS)).help(help));
            None
        }
        None => {
            let message = format!("`{}` is not an identity", quoted(text));
            report.add(Finding::error(code::WRONG_VALUE, item.span, message).help(help));
            None
        }
    }
}

pub(super) fn autonomy(field: &Field<'_>, known: Known<'_>, report: &mut Report) -> Vec<AutonomyRule> {
    let Some(items) = field.list(report) else { return Vec::new() };
    let mut seen = HashSet::new();
    let mut rules = Vec::new();
    for item in items {
        let Some((rule, playbook)) = autonomy_rule(item, known, report) else { continue };
        if seen.insert(rule.playbook.clone()) {
            rules.push(rule);
            continue;
        }
        let message = format!("the autonomy of `{}` is set twice", quoted(&rule.playbook));
        report.add(Finding::error(code::DUPLICATE_NAME, playbook.node.span, message));
    }
    rules
}

fn autonomy_rule<'n>(item: &'n Node, known: Known<'_>, report: &mut Report) -> Option<(AutonomyRule, Field<'n>)> {
    let head = item.entries().first().map_or(item.span, |entry| entry.key_span);
    let mut fields = Fields::from_object(item, "a rule of `autonomy`", report)?;
    let demote = fields.take("demote").and_then(|field| self::demote(&field, report));
    let [playbook, level] = ["playbook", "level"].map(|key| {
        let field = fields.take(key);
        if field.is_none() {
            report.add(Finding::error(code::MISSING_KEY, head, format!("a rule of `autonomy` needs `{key}`")));
        }
        field
    });
    let name = playbook.and_then(|field| field.text(report));
    if let (Some(field), Some(name)) = (playbook, name) {
        known.playbook(name, field.node.span, report);
    }
    let level = level.and_then(|field| field.choice(&LEVELS, report));
    fields.finish(&KEYS_OF_AUTONOMY, |_| None, report);
    Some((AutonomyRule { playbook: name?.to_owned(), level: level?, demote }, playbook?))
}
