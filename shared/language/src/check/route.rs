//! Whether an incident leads to a playbook, and brings what that needs.

use serde_json::Value;

use super::incident::Draft;
use crate::code;
use crate::report::{Finding, Report, quoted};
use crate::template::has_template;
use crate::yaml::Entry;
use heal_engine::Map;
use heal_engine::playbook::Playbook;
use heal_engine::suggest;

/// What every incident has, whether its template names it or not.
const ALWAYS: [&str; 2] = ["incident_id", "created_at"];

pub(super) fn check(draft: &Draft<'_>, playbooks: &[Playbook], report: &mut Report) {
    let Some(playbook) = find(draft, playbooks, report) else { return };
    let Some(Value::Object(schema)) = &playbook.parameters_schema else { return };
    missing(draft, playbook, schema, report);
    for entry in draft.entries {
        wrong(entry, playbook, schema, report);
    }
}

/// The playbook that the incident surely gets; none, and a finding, where it gets none.
fn find<'p>(draft: &Draft<'_>, playbooks: &'p [Playbook], report: &mut Report) -> Option<&'p Playbook> {
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
        // Of several the first one by name whose condition holds is taken: it is sure where it has none.
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

/// The variables that the playbook cannot do without, and that the incident does not have.
fn missing(draft: &Draft<'_>, playbook: &Playbook, schema: &Map, report: &mut Report) {
    let required = schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    for name in required.filter(|name| !ALWAYS.contains(name) && !draft.fields.contains_key(*name)) {
        let message =
            format!("playbook `{}` needs the variable `{name}`, the incident does not bring it", playbook.name);
        let meant = suggest::closest(name, draft.fields.keys().map(String::as_str));
        let finding = Finding::error(code::MISSING_VARIABLE, draft.head, message);
        report.add(match meant {
            Some(meant) => finding.help(format!("is `{}` meant to be it?", quoted(meant))),
            None => finding,
        });
    }
}

/// A value that the playbook's schema refuses. What has a template in it may become anything.
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
    // A property that refers to another part of the schema cannot be judged by itself.
    let Ok(validator) = jsonschema::draft202012::new(property) else { return };
    if let Err(error) = validator.validate(&entry.value.to_json()) {
        let (name, key) = (&playbook.name, quoted(&entry.key));
        let message = format!("playbook `{name}` refuses this value of `{key}`: {}", quoted(&error.to_string()));
        report.add(Finding::error(code::WRONG_VARIABLE, entry.value.span, message));
    }
}
