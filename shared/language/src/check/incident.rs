//! The incident's template.

use crate::code;
use crate::diagnostic::Span;
use crate::field::Field;
use crate::report::{Finding, Report, quoted};
use crate::template::Place;
use crate::template::{self, Context, has_template};
use crate::yaml::{Entry, Kind, entries_to_json};
use heal_engine::Map;
use heal_engine::incident::{RESERVED, expected};

/// A template as it was written, with the places that its way to a playbook is judged by.
#[derive(Debug)]
pub(super) struct Draft<'n> {
    pub(super) fields: Map,
    pub(super) entries: &'n [Entry],
    /// Where to point at when the incident as a whole is meant.
    pub(super) head: Span,
    pub(super) incident_type: Option<(&'n str, Span)>,
    pub(super) recommended_playbook: Option<(&'n str, Span)>,
}

/// Fields that make something else of a message than an incident (contracts, section 5), or that the check itself decides.
const REFUSED: [(&str, &str); 12] = [
    ("incident_id", "it is made of the check, the target and the window, so that the incident is raised once"),
    ("action_id", "it makes a remediation action of the message"),
    ("remediation_id", "it makes a remediation request of the message"),
    ("playbook_name", "write `recommended_playbook`"),
    ("playbook", "write `recommended_playbook`"),
    ("alarmData", "it makes an alarm of the message"),
    ("AlarmName", "it makes an alarm of the message"),
    ("detail", "it makes an envelope of the message"),
    ("detail-type", "it makes an envelope of the message"),
    ("Message", "it makes an envelope of the message"),
    ("parameters", "write the variables beside the other fields"),
    ("context", "write the variables beside the other fields"),
];

/// None, and a finding, where it is no object.
pub(super) fn read<'n>(cx: Context<'_>, field: &Field<'n>, report: &mut Report) -> Option<Draft<'n>> {
    let Kind::Object(entries) = &field.node.kind else {
        field.wrong_type("an object of the incident's fields", report);
        return None;
    };
    for entry in entries {
        refuse(entry, report);
        template::check_all(cx, &entry.value, Place::BeforeRun, report);
        typed(entry, report);
    }
    let draft = Draft {
        fields: entries_to_json(entries),
        entries,
        head: field.key_span,
        incident_type: fixed(entries, "incident_type", report),
        recommended_playbook: fixed(entries, "recommended_playbook", report),
    };
    if !draft.fields.contains_key("incident_type") {
        let finding = Finding::error(code::MISSING_KEY, field.key_span, "an incident needs an `incident_type`");
        report.add(finding.help("such as TICKET_TIMEOUT: playbooks have triggers for it"));
    }
    Some(draft)
}

fn refuse(entry: &Entry, report: &mut Report) {
    let key = entry.key.as_str();
    if let Some((_, why)) = REFUSED.iter().find(|(name, _)| *name == key) {
        let message = format!("a check's incident cannot have `{key}`");
        report.add(Finding::error(code::MISPLACED_KEY, entry.key_span, message).help(*why));
    }
    if RESERVED.contains(&key) {
        let message = format!("`{key}` means something of its own in playbooks, no incident can set it");
        report.add(Finding::error(code::MISPLACED_KEY, entry.key_span, message));
    }
}

/// What the contracts give a type has to be of it, as far as that can be told.
fn typed(entry: &Entry, report: &mut Report) {
    if has_template(&entry.value) {
        return;
    }
    if let Some(expected) = expected(&entry.key, &entry.value.to_json()) {
        let message = format!("`{}` has to be {expected}, found {}", quoted(&entry.key), entry.value.brief());
        report.add(Finding::error(code::WRONG_VARIABLE, entry.value.span, message));
    }
}

/// A field that decides which playbook it is: the same for every target, so that it can be told beforehand.
fn fixed<'n>(entries: &'n [Entry], key: &str, report: &mut Report) -> Option<(&'n str, Span)> {
    let entry = entries.iter().find(|entry| entry.key == key)?;
    let Kind::Text(text) = &entry.value.kind else { return None };
    if heal_engine::template::is_template(text) {
        let message = format!("`{key}` has to be a fixed text: it decides which playbook is run");
        report
            .add(Finding::error(code::WRONG_VALUE, entry.value.span, message).help("one check, one kind of incident"));
        return None;
    }
    Some((text, entry.value.span))
}
