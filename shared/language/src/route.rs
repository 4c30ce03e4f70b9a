//! Whether a playbook handles the incident, and whether the incident has the variables that it needs.

use heal_engine::Map;
use heal_engine::playbook::Playbook;
use heal_engine::suggest;
use serde_json::Value;

use crate::code;
use crate::incident::IncidentDraft;
use crate::report::{Finding, Report, quoted};
use crate::template::has_template;
use crate::yaml::Entry;

/// Fields that the engine sets on every incident.
const ALWAYS: [&str; 2] = ["incident_id", "created_at"];

pub(crate) fn check(draft: &IncidentDraft<'_>, playbooks: &[Playbook], report: &mut Report) {
    let Some(playbook) = find(draft, playbooks, report) else { return };
    let Some(Value::Object(schema)) = &playbook.parameters_schema else { return };
    missing(draft, playbook, schema, report);
    for entry in draft.entries {
        wrong(entry, playbook, schema, report);
    }
}

/// The playbook that is certain to handle the incident; `None` if that depends on a condition, and with a finding if there is none.
fn find<'p>(draft: &IncidentDraft<'_>, playbooks: &'p [Playbook], report: &mut Report) -> Option<&'p Playbook> {
    if let Some((name, span)) = draft.recommended_playbook {
        let found = playbooks.iter().find(|playbook| playbook.name == name);
        if found.is_none() {
            let names = playbooks.iter().map(|playbook| playbook.name.as_str());
            let message = format!("there is no playbook `{}`", quoted(name));
            let finding = Finding::error(code::UNROUTED_INCIDENT, span, message);
            report.add(finding.suggest(suggest::closest(name, names)));
        }
        return found;
    }
    let (wanted, span) = draft.incident_type?;
    let mut candidates: Vec<_> = playbooks.iter().filter(|playbook| is_for(playbook, wanted)).collect();
    candidates.sort_by(|a, b| a.name.cmp(&b.name));
    match candidates.as_slice() {
        [] => {
            let types = playbooks.iter().flat_map(|playbook| &playbook.triggers);
            let types = types.map(|trigger| trigger.incident_type.as_str());
            let message = format!("no playbook has a trigger for `{}`", quoted(wanted));
            let finding = Finding::error(code::UNROUTED_INCIDENT, span, message);
            let help = "add a trigger to a playbook, or name one with `recommended_playbook`";
            report.add(finding.suggest(suggest::closest(wanted, types)).help(help));
            None
        }
        [only] => Some(*only),
        // The dispatcher picks the first by name whose condition holds, so the choice is certain only without a condition.
        [first, ..] => is_unconditional(first, wanted).then_some(*first),
    }
}

fn is_for(playbook: &Playbook, incident_type: &str) -> bool {
    playbook.triggers.iter().any(|trigger| trigger.incident_type == incident_type)
}

fn is_unconditional(playbook: &Playbook, incident_type: &str) -> bool {
    let own = playbook.triggers.iter().filter(|trigger| trigger.incident_type == incident_type);
    own.into_iter().any(|trigger| trigger.condition.is_none())
}

/// Reports the required variables that the incident does not set.
fn missing(draft: &IncidentDraft<'_>, playbook: &Playbook, schema: &Map, report: &mut Report) {
    let required = schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    for name in required.filter(|name| !ALWAYS.contains(name) && !draft.fields.contains_key(*name)) {
        let message =
            format!("playbook `{}` needs the variable `{name}`, which the incident does not set", playbook.name);
        let suggestion = suggest::closest(name, draft.fields.keys().map(String::as_str));
        let finding = Finding::error(code::MISSING_VARIABLE, draft.head, message);
        report.add(match suggestion {
            Some(suggestion) => finding.help(format!("rename `{}` if it is this variable", quoted(suggestion))),
            None => finding,
        });
    }
}

/// Reports a literal value that the playbook's schema refuses. A template may render to anything.
fn wrong(entry: &Entry, playbook: &Playbook, schema: &Map, report: &mut Report) {
    let property = schema.get("properties").and_then(|properties| properties.get(&entry.key));
    let is_closed = schema.get("additionalProperties") == Some(&Value::Bool(false));
    let Some(property) = property else {
        if is_closed {
            let message = format!("playbook `{}` refuses the variable `{}`", playbook.name, quoted(&entry.key));
            report.add(Finding::error(code::WRONG_VARIABLE, entry.key_span, message));
        }
        return;
    };
    if has_template(&entry.value) {
        return;
    }
    // A property that refers to another part of the schema does not compile by itself.
    let Ok(validator) = jsonschema::draft202012::new(property) else { return };
    if let Err(error) = validator.validate(&entry.value.to_json()) {
        let (name, key) = (&playbook.name, quoted(&entry.key));
        let message = format!("playbook `{name}` refuses this value of `{key}`: {}", quoted(&error.to_string()));
        report.add(Finding::error(code::WRONG_VARIABLE, entry.value.span, message));
    }
}
