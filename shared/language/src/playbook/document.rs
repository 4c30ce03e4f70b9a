//! The top-level keys of a playbook.

use std::collections::HashSet;

use heal_engine::catalog::Catalog;
use heal_engine::limit;
use heal_engine::playbook::PlanGate;

use super::approval::{self, ApprovalDraft};
use super::retry::old_retries;
use super::step::{self, Section, StepDraft};
use crate::code;
use crate::diagnostic::Span;
use crate::field::{Field, Fields};
use crate::name::file_name;
use crate::report::{Finding, Report, quoted};
use crate::yaml::{Kind, Node};

pub(super) const KEYS: [&str; 10] = [
    "name",
    "description",
    "timeout_seconds",
    "triggers",
    "parameters_schema",
    "concurrency_key",
    "plan_gate",
    "approval",
    "actions",
    "verify",
];
pub(super) const PLAN_GATE: [(&str, PlanGate); 2] = [("stop", PlanGate::Stop), ("warn", PlanGate::Warn)];
pub(super) const TRIGGER_KEYS: [&str; 2] = ["incident_type", "condition"];

/// Keys of older playbooks that have no effect, each with what to do instead.
const IGNORED_KEYS: [(&str, &str); 7] = [
    ("playbook_id", "a run pins its playbook by digest; remove the line"),
    ("version", "a run pins its playbook by digest; remove the line"),
    ("playbook_type", "`triggers` say which incidents start a playbook; remove the line"),
    ("status", "every playbook in the folder is in use; remove the line, or the file to retire the playbook"),
    ("validation_checks", "write what has to hold after the actions as entries of `verify`"),
    ("rollback_playbook", "nothing is rolled back; write `on_failure` and `verify`, whose follow-ups go to a person"),
    ("required_capabilities", "the lint knows the actions that this build has; remove the line"),
];

/// Five minutes: longer than every plain remedy takes, shorter than an operator waits.
pub(super) const DEFAULT_TIMEOUT_SECONDS: u64 = 300;

/// A playbook as written: its keys read, its templates and needs not yet checked.
#[derive(Debug)]
pub(super) struct Document<'n> {
    pub(super) name: String,
    pub(super) description: String,
    pub(super) timeout_seconds: u64,
    /// `None` if the file has no `triggers` key.
    pub(super) triggers: Option<Vec<Trigger<'n>>>,
    pub(super) parameters_schema: Option<&'n Node>,
    pub(super) concurrency_key: Option<(&'n str, Span)>,
    pub(super) plan_gate: PlanGate,
    pub(super) approval: Option<ApprovalDraft<'n>>,
    /// The actions, then the verify entries.
    pub(super) steps: Vec<StepDraft<'n>>,
}

#[derive(Debug)]
pub(super) struct Trigger<'n> {
    pub(super) incident_type: String,
    pub(super) condition: Option<Field<'n>>,
}

pub(super) fn read<'n>(stem: &str, root: &'n Node, catalog: &Catalog, report: &mut Report) -> Option<Document<'n>> {
    if root.kind == Kind::Null {
        let finding = Finding::error(code::EMPTY_FILE, Span::default(), "the file has no content");
        report.add(finding.help("a playbook has at least a list of `actions`"));
        return None;
    }
    let mut fields = Fields::from_object(root, "a playbook", report)?;
    let name = fields.take_or_old("name", &["playbook_name"], report);
    let name = name.map_or_else(|| stem.to_owned(), |field| file_name("playbook", stem, &field, report));
    let description = fields.take("description").filter(|field| field.node.kind != Kind::Null);
    let timeout = fields.take_or_old("timeout_seconds", &["timeout"], report);
    // A wrong timeout becomes the longest one, so that no step is reported as longer than the run.
    let timeout = timeout
        .map(|field| field.whole(1..=limit::DURATION_SECONDS, "seconds", report).unwrap_or(limit::DURATION_SECONDS));
    for (old, help) in IGNORED_KEYS {
        if let Some(field) = fields.take(old) {
            let message = format!("`{old}` is an old key and is ignored");
            report.add(Finding::warning(code::OLD_KEY, field.key_span, message).help(help));
        }
    }
    let triggers = fields.take("triggers").map(|field| triggers(&field, report));
    let schema = fields.take("parameters_schema").map(|field| field.node);
    let key = fields.take("concurrency_key").and_then(|field| Some((field.text(report)?, field.node.span)));
    let plan_gate = fields.take("plan_gate").and_then(|field| field.choice(&PLAN_GATE, report));
    let approval = fields.take("approval").and_then(|field| approval::read(&field, report));
    let actions = fields.take_or_old("actions", &["steps"], report);
    let verify = fields.take("verify");
    let retries = fields.take("max_retries").and_then(|field| old_retries(&field, report));
    fields.finish(&KEYS, |_| None, report);
    let mut document = Document {
        name,
        description: description.and_then(|field| field.text(report)).unwrap_or_default().to_owned(),
        timeout_seconds: timeout.unwrap_or(DEFAULT_TIMEOUT_SECONDS),
        triggers,
        parameters_schema: schema,
        concurrency_key: key,
        plan_gate: plan_gate.unwrap_or_default(),
        approval,
        steps: Vec::new(),
    };
    match actions {
        Some(actions) => section(&mut document, &actions, Section::Actions, catalog, report),
        None => report.add(no_actions(root.entries().first().map_or(root.span, |entry| entry.key_span))),
    }
    if let Some(verify) = verify {
        section(&mut document, &verify, Section::Verify, catalog, report);
    }
    for step in &mut document.steps {
        step.retry = step.retry.or(retries);
    }
    (document.steps.len() <= limit::STEPS || too_many(&document, actions, report)).then_some(document)
}

/// Reports too many steps. Always false: such a playbook is not checked further.
fn too_many(document: &Document<'_>, actions: Option<Field<'_>>, report: &mut Report) -> bool {
    let message = format!("the playbook has {} steps, the limit is {}", document.steps.len(), limit::STEPS);
    let span = actions.map_or_else(Span::default, |field| field.key_span);
    report.add(Finding::error(code::BUDGET_EXCEEDED, span, message).help("use `for_each` for repetition"));
    false
}

fn no_actions(span: Span) -> Finding {
    let finding = Finding::error(code::NO_ACTIONS, span, "a playbook needs at least one action");
    finding.help("give `actions` a list of steps, such as `- type: check_worker_health`")
}

fn section<'n>(
    document: &mut Document<'n>,
    field: &Field<'n>,
    section: Section,
    catalog: &Catalog,
    report: &mut Report,
) {
    if field.node.kind == Kind::Null || field.node.kind == Kind::List(Vec::new()) {
        report.add(match section {
            Section::Actions => no_actions(field.key_span),
            Section::Verify => {
                let finding = Finding::warning(code::NO_EFFECT, field.key_span, "`verify` has no entry");
                finding.help("remove it, or add an entry that shows whether the actions helped")
            }
        });
        return;
    }
    let steps = field.list(report).unwrap_or_default();
    document.steps.extend(steps.iter().map(|node| step::read(node, section, catalog, report)));
}

fn triggers<'n>(field: &Field<'n>, report: &mut Report) -> Vec<Trigger<'n>> {
    if field.node.kind == Kind::Null {
        return Vec::new();
    }
    let mut seen = HashSet::new();
    let mut triggers = Vec::new();
    for node in field.list(report).unwrap_or_default() {
        if let Kind::Text(name) = &node.kind {
            let message = "a trigger has to be an object of keys and values, found a text";
            let help = format!("write `incident_type: {}`", quoted(name));
            report.add(Finding::error(code::WRONG_TYPE, node.span, message).help(help));
            continue;
        }
        let Some(mut fields) = Fields::from_object(node, "a trigger", report) else { continue };
        let incident_type = fields.take("incident_type");
        let condition = fields.take("condition");
        fields.finish(&TRIGGER_KEYS, |_| None, report);
        let Some(incident_type) = incident_type else {
            report.add(Finding::error(code::MISSING_KEY, node.span, "a trigger needs an `incident_type`"));
            continue;
        };
        let Some(name) = incident_type.text(report) else { continue };
        if !seen.insert((name, condition.map(|condition| condition.node.to_json().to_string()))) {
            let message = format!("there is already a trigger for {}", quoted(name));
            report.add(Finding::warning(code::REPEATED_TRIGGER, incident_type.node.span, message));
            continue;
        }
        triggers.push(Trigger { incident_type: name.to_owned(), condition });
    }
    triggers
}
