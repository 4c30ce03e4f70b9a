//! The incident that a check or a rule of the hooks raises: a template of a message.

use heal_engine::Map;
use heal_engine::incident::{RESERVED, type_mismatch};

use crate::code;
use crate::diagnostic::Span;
use crate::field::Field;
use crate::report::{Finding, Report, quoted};

use crate::template::{self, Context, EvaluationPoint, has_template};
use crate::yaml::{Entry, Kind, entries_to_json};

/// The incident as written, with the spans that routing findings point at.
#[derive(Debug)]
pub(crate) struct IncidentDraft<'n> {
    pub(crate) fields: Map,
    pub(crate) entries: &'n [Entry],
    /// The span for findings about the incident as a whole.
    pub(crate) head: Span,
    pub(crate) incident_type: Option<(&'n str, Span)>,
    pub(crate) recommended_playbook: Option<(&'n str, Span)>,
}

/// Fields that turn the message into something other than an incident (contracts, section 5), or that the engine sets itself.
const REFUSED: [(&str, &str); 13] = [
    ("incident_id", "it is derived from what the incident is about, so that it is raised once"),
    ("action_id", "it turns the message into a remediation action"),
    ("remediation_id", "it turns the message into a remediation request"),
    ("playbook_name", "write `recommended_playbook`"),
    ("playbook_id", "write `recommended_playbook`"),
    ("playbook", "write `recommended_playbook`"),
    ("alarmData", "it turns the message into an alarm"),
    ("AlarmName", "it turns the message into an alarm"),
    ("detail", "it turns the message into an envelope"),
    ("detail-type", "it turns the message into an envelope"),
    ("Message", "it turns the message into an envelope"),
    ("parameters", "write the variables next to the other fields"),
    ("context", "write the variables next to the other fields"),
];

/// `None` and a finding if it is not an object.
pub(crate) fn read<'n>(cx: Context<'_>, field: &Field<'n>, report: &mut Report) -> Option<IncidentDraft<'n>> {
    let Kind::Object(entries) = &field.node.kind else {
        field.wrong_type("an object of the incident's fields", report);
        return None;
    };
    for entry in entries {
        refuse(entry, report);
        template::check_all(cx, &entry.value, EvaluationPoint::BeforeRun, report);
        typed(entry, report);
    }
    let draft = IncidentDraft {
        fields: entries_to_json(entries),
        entries,
        head: field.key_span,
        incident_type: fixed(entries, "incident_type", report),
        recommended_playbook: fixed(entries, "recommended_playbook", report),
    };
    if !draft.fields.contains_key("incident_type") {
        let finding = Finding::error(code::MISSING_KEY, field.key_span, "an incident needs an `incident_type`");
        report.add(finding.help("such as TICKET_TIMEOUT; a playbook needs a trigger for it"));
    }
    Some(draft)
}

fn refuse(entry: &Entry, report: &mut Report) {
    let key = entry.key.as_str();
    if let Some((_, why)) = REFUSED.iter().find(|(name, _)| *name == key) {
        let message = format!("this incident cannot have `{key}`");
        report.add(Finding::error(code::MISPLACED_KEY, entry.key_span, message).help(*why));
    }
    if RESERVED.contains(&key) {
        let message = format!("`{key}` is a reserved name in playbooks, an incident cannot set it");
        report.add(Finding::error(code::MISPLACED_KEY, entry.key_span, message));
    }
}

/// Checks the type of a literal field that the contracts give a type.
fn typed(entry: &Entry, report: &mut Report) {
    if has_template(&entry.value) {
        return;
    }
    if let Some(expected) = type_mismatch(&entry.key, &entry.value.to_json()) {
        let message = format!("`{}` has to be {expected}, found {}", quoted(&entry.key), entry.value.brief());
        report.add(Finding::error(code::WRONG_VARIABLE, entry.value.span, message));
    }
}

/// A field that decides the playbook. It cannot be a template: linting has to know the playbook.
fn fixed<'n>(entries: &'n [Entry], key: &str, report: &mut Report) -> Option<(&'n str, Span)> {
    let entry = entries.iter().find(|entry| entry.key == key)?;
    let Kind::Text(text) = &entry.value.kind else { return None };
    if heal_engine::template::is_template(text) {
        let message = format!("`{key}` has to be a fixed text: it decides which playbook runs");
        report.add(
            Finding::error(code::WRONG_VALUE, entry.value.span, message)
                .help("write one check or rule per incident type"),
        );
        return None;
    }
    Some((text, entry.value.span))
}
