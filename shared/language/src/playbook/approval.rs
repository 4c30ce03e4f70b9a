//! `approval`: when people have to agree before the playbook or a step does anything.

use std::collections::BTreeMap;

use heal_engine::limit;
use heal_engine::playbook::Approval;
use heal_engine::suggest;

use crate::code;
use crate::condition::{self, CheckedCondition};
use crate::diagnostic::Span;
use crate::field::{Field, Fields};
use crate::name::NAME_BYTES;
use crate::report::{Finding, Report, quoted};
use crate::template::{Context, EvaluationPoint};
use crate::yaml::{Kind, Node};

pub(super) const KEYS: [&str; 5] = ["when", "approvers", "min", "expires_seconds", "reminder"];

/// An `approval` as written: everything but its condition is checked.
#[derive(Debug)]
pub(super) struct ApprovalDraft<'n> {
    when: Option<Field<'n>>,
    approval: Approval,
}

/// `None` if nobody is asked, or if the value is neither `true` nor an object.
pub(super) fn read<'n>(field: &Field<'n>, report: &mut Report) -> Option<ApprovalDraft<'n>> {
    match &field.node.kind {
        Kind::Boolean(true) => Some(ApprovalDraft { when: None, approval: Approval::default() }),
        Kind::Boolean(false) => {
            let message = "`approval: false` asks nobody, as without the key";
            report.add(Finding::warning(code::NO_EFFECT, field.key_span, message).help("remove the line"));
            None
        }
        Kind::Object(_) => read_object(field, report),
        Kind::Null | Kind::Number(_) | Kind::Text(_) | Kind::List(_) => {
            field.wrong_type("`true`, or an object of keys and values", report);
            None
        }
    }
}

fn read_object<'n>(field: &Field<'n>, report: &mut Report) -> Option<ApprovalDraft<'n>> {
    let mut fields = Fields::from_object(field.node, "`approval`", report)?;
    let mut approval = Approval::default();
    let when = fields.take("when");
    let min = fields.take("min");
    if let Some(approvers) = fields.take("approvers") {
        approval.approvers = approvers_of(&approvers, report);
    }
    let whole = |field: Field<'_>, range, unit, report: &mut Report| field.whole(range, unit, report);
    let people = 1..=u64::from(limit::APPROVERS_NEEDED);
    if let Some(people) = min.and_then(|field| whole(field, people, "people", report)) {
        approval.min = u32::try_from(people).unwrap_or(limit::APPROVERS_NEEDED);
    }
    let seconds = limit::SHORTEST_APPROVAL_SECONDS..=limit::APPROVAL_SECONDS;
    let expires = fields.take("expires_seconds");
    if let Some(seconds) = expires.and_then(|field| whole(field, seconds, "seconds", report)) {
        approval.expires_seconds = seconds;
    }
    if let Some(reminder) = fields.take("reminder") {
        match reminder.node.kind {
            Kind::Boolean(value) => approval.reminder = value,
            Kind::Null | Kind::Number(_) | Kind::Text(_) | Kind::List(_) | Kind::Object(_) => {
                reminder.wrong_type("`true` or `false`", report);
            }
        }
    }
    fields.finish(&KEYS, |_| None, report);
    let people = approval.approvers.len();
    let has_group = approval.approvers.iter().any(|name| is_group(name));
    if people > 0 && !has_group && people < approval.min as usize {
        let message = format!("nobody can give this approval: it needs {} people and names {people}", approval.min);
        let span = min.map_or(field.key_span, |field| field.node.span);
        report.add(Finding::error(code::WRONG_VALUE, span, message).help("name a group, or lower `min`"));
    }
    Some(ApprovalDraft { when, approval })
}

fn approvers_of(field: &Field<'_>, report: &mut Report) -> Vec<String> {
    let nodes = field.list(report).unwrap_or_default();
    if nodes.is_empty() && matches!(field.node.kind, Kind::List(_)) {
        let message = "`approvers` names nobody, so anybody but the requester may approve";
        report.add(Finding::warning(code::NO_EFFECT, field.key_span, message).help("remove the line"));
    }
    if nodes.len() > limit::APPROVERS {
        let message = format!("`approvers` has {} names, the limit is {}", nodes.len(), limit::APPROVERS);
        report.add(Finding::error(code::BUDGET_EXCEEDED, field.node.span, message).help("name a group"));
    }
    let mut names: Vec<String> = Vec::new();
    for node in nodes {
        let Kind::Text(name) = &node.kind else {
            let message = format!("`approvers` has identities and the names of groups, found {}", node.brief());
            report.add(Finding::error(code::WRONG_TYPE, node.span, message));
            continue;
        };
        if !is_identity(name) && !is_group_name(name) {
            let message = format!("`{}` is neither an identity nor the name of a group", quoted(name));
            let help = "an identity is such as local:anna or iam:AROAEXAMPLE:anna, a group is one of the guardrails";
            report.add(Finding::error(code::WRONG_VALUE, node.span, message).help(help));
        } else if names.contains(name) {
            let message = format!("`{}` is named twice", quoted(name));
            report.add(Finding::warning(code::NO_EFFECT, node.span, message));
        } else {
            names.push(name.clone());
        }
    }
    names
}

/// The approval with its condition, which is evaluated at `point`.
pub(super) fn build(
    cx: Context<'_>,
    draft: &ApprovalDraft<'_>,
    point: EvaluationPoint,
    report: &mut Report,
) -> Approval {
    let when = draft.when.as_ref().and_then(|field| {
        let CheckedCondition { condition, always } = condition::condition(cx, field, point, report)?;
        if always == Some(false) {
            let message = "nobody is ever asked: the condition is always false";
            report.add(Finding::warning(code::NO_EFFECT, field.node.span, message));
        }
        Some(condition)
    });
    Approval { when, ..draft.approval.clone() }
}

/// The approvers in the text of a playbook that are groups which `groups` does not have.
pub(super) fn unknown_groups(root: &Node, groups: &BTreeMap<String, Vec<String>>, report: &mut Report) {
    let value = |node: &'_ Node, key: &str| node.entries().iter().position(|entry| entry.key == key);
    let mut places = vec![root];
    for section in ["actions", "steps"] {
        if let Some(index) = value(root, section)
            && let Some(entry) = root.entries().get(index)
            && let Kind::List(steps) = &entry.value.kind
        {
            places.extend(steps);
        }
    }
    for place in places {
        let approval = value(place, "approval").and_then(|index| place.entries().get(index));
        let approvers = approval.and_then(|approval| {
            let index = value(&approval.value, "approvers")?;
            approval.value.entries().get(index)
        });
        let Some(Kind::List(names)) = approvers.map(|approvers| &approvers.value.kind) else { continue };
        for node in names {
            if let Kind::Text(name) = &node.kind
                && is_group(name)
                && !groups.contains_key(name)
            {
                report.add(unknown_group(name, node.span, groups));
            }
        }
    }
}

fn unknown_group(name: &str, span: Span, groups: &BTreeMap<String, Vec<String>>) -> Finding {
    let message = format!("there is no group `{}`, so nobody could approve in its name", quoted(name));
    let finding = Finding::error(code::UNKNOWN_GROUP, span, message);
    let finding = finding.suggest(suggest::closest(name, groups.keys().map(String::as_str)));
    finding.help(
        "list its members in guardrails.yaml, under `approvals.groups`; an identity has a colon, such as local:anna",
    )
}

fn is_group(name: &str) -> bool {
    !name.contains(':')
}

fn is_identity(name: &str) -> bool {
    let (kind, rest) = name.split_once(':').unwrap_or_default();
    !kind.is_empty() && !rest.is_empty() && !name.chars().any(char::is_whitespace)
}

fn is_group_name(name: &str) -> bool {
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    (1..=NAME_BYTES).contains(&name.len()) && name.chars().all(legal)
}
