//! The fields to which the contracts give a type, and the check of a message against them.

use serde_json::Value;

use super::error::FieldFaults;
use super::{NAME_CHARACTERS, path};
use crate::Map;
use crate::secret::has_secret;
use crate::template::brief;

/// A field with a fixed type.
#[derive(Debug)]
pub(super) struct Field {
    name: &'static str,
    kind: Kind,
    required: bool,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    /// Text of 1 to [`NAME_CHARACTERS`] characters.
    Name,
    Text,
    Texts,
    Flag,
    /// Milliseconds since the Unix epoch.
    Moment,
    Mode,
    Object,
}

const AUTOMATIC: &str = "AUTOMATIC";
/// The modes in which a person approves first; producers use both words.
const MANUAL: [&str; 2] = ["MANUAL_APPROVAL", "MANUAL_APPROVAL_REQUIRED"];

/// In any part of a message.
pub(super) const COMMON: [Field; 13] = [
    Field::new("incident_type", Kind::Name),
    Field::new("severity", Kind::Text),
    Field::new("workflow_id", Kind::Text),
    Field::new("affected_tickets", Kind::Texts),
    Field::new("details", Kind::Texts),
    Field::new("correlation_id", Kind::Text),
    Field::new("trace_id", Kind::Text),
    Field::new("recommended_playbook", Kind::Text),
    Field::new("auto_remediation_enabled", Kind::Flag),
    Field::new("escalation_required", Kind::Flag),
    Field::new("created_at", Kind::Moment),
    Field::new("hash", Kind::Text),
    Field::new("execution_mode", Kind::Mode),
];

pub(super) const INCIDENT: [Field; 2] =
    [Field::new("incident_id", Kind::Name).required(), Field::new("playbook", Kind::Name)];

pub(super) const REQUEST: [Field; 5] = [
    Field::new("incident_id", Kind::Name).required(),
    Field::new("playbook_name", Kind::Name),
    Field::new("playbook_id", Kind::Name),
    Field::new("remediation_id", Kind::Name),
    Field::new("parameters", Kind::Object),
];

pub(super) const ACTION: [Field; 4] = [
    Field::new("action_id", Kind::Name).required(),
    Field::new("playbook", Kind::Name).required(),
    Field::new("incident_id", Kind::Name),
    Field::new("context", Kind::Object),
];

/// The fields of `parameters` and `context` that parsing itself reads; the schema of the playbook checks the others.
pub(super) const NESTED: [Field; 3] = [
    Field::new("incident_id", Kind::Name),
    Field::new("incident_type", Kind::Name),
    Field::new("auto_remediation_enabled", Kind::Flag),
];

/// The fields of an alarm's description besides [`COMMON`].
pub(super) const DESCRIPTION: [Field; 2] =
    [Field::new("playbook_name", Kind::Name), Field::new("playbook", Kind::Name)];

impl Field {
    const fn new(name: &'static str, kind: Kind) -> Self {
        Self { name, kind, required: false }
    }

    const fn required(mut self) -> Self {
        self.required = true;
        self
    }
}

impl Kind {
    const fn expected(self) -> &'static str {
        match self {
            Self::Name => "a string of 1 to 256 characters",
            Self::Text => "a string",
            Self::Texts => "a list of strings",
            Self::Flag => "true or false",
            Self::Moment => "a whole number of milliseconds since the Unix epoch",
            Self::Mode => "AUTOMATIC, MANUAL_APPROVAL or MANUAL_APPROVAL_REQUIRED",
            Self::Object => "an object",
        }
    }

    fn fits(self, value: &Value) -> bool {
        match self {
            Self::Name => value.as_str().is_some_and(is_name),
            Self::Text => value.is_string(),
            Self::Texts => value.as_array().is_some_and(|items| items.iter().all(Value::is_string)),
            Self::Flag => value.is_boolean(),
            Self::Moment => value.is_u64(),
            Self::Mode => value.as_str().is_some_and(|mode| mode == AUTOMATIC || is_manual(mode)),
            Self::Object => value.is_object(),
        }
    }
}

/// Whether a person has to approve a request with this `execution_mode`.
pub(super) fn is_manual(mode: &str) -> bool {
    MANUAL.contains(&mode)
}

/// Reports a remediation request that names no playbook, or two.
pub(super) fn check_playbook(fields: &Map, path: &str, faults: &mut FieldFaults) {
    if !has(fields, "playbook_name") && !has(fields, "playbook_id") {
        let expected = "the name of a playbook (or `playbook_id`)";
        faults.push(path::join(path, "playbook_name"), "missing".to_owned(), expected);
    }
    if let (Some(name), Some(id)) = (text(fields, "playbook_name"), text(fields, "playbook_id"))
        && name != id
    {
        let observed = brief(&Value::from(id));
        faults.push(path::join(path, "playbook_id"), observed, "the same playbook as in `playbook_name`");
    }
}

/// Reports every field of `table` that is missing or has the wrong type in the object at `path`.
pub(super) fn check(fields: &Map, table: &[Field], path: &str, faults: &mut FieldFaults) {
    for field in table {
        let here = path::join(path, field.name);
        match fields.get(field.name) {
            None if field.required => faults.push(here, "missing".to_owned(), field.kind.expected()),
            None => {}
            // Many producers write null for an unknown value.
            Some(Value::Null) if !field.required => {}
            Some(value) if field.kind.fits(value) => {}
            Some(value) => report(field.kind, value, here, faults),
        }
    }
}

/// Whether `value` has the type of the field `name`. A field without a fixed type accepts any value.
pub(super) fn accepts(name: &str, value: &Value) -> bool {
    COMMON.iter().chain(&DESCRIPTION).find(|field| field.name == name).is_none_or(|field| field.kind.fits(value))
}

/// The type that the field `name` needs, if `value` does not have it: "a list of strings". `null` counts as absent.
pub fn type_mismatch(name: &str, value: &Value) -> Option<&'static str> {
    let field = COMMON.iter().find(|field| field.name == name)?;
    (!value.is_null() && !field.kind.fits(value)).then(|| field.kind.expected())
}

/// The value of the field `name` in a word such as `escalation_required=true`: of the type of the field if the word
/// parses as such, else the text.
pub(super) fn parse_word(name: &str, word: &str) -> Value {
    let kind = COMMON.iter().find(|field| field.name == name).map_or(Kind::Text, |field| field.kind);
    match kind {
        Kind::Flag => word.parse().map_or_else(|_| Value::from(word), Value::Bool),
        Kind::Moment => word.parse::<u64>().map_or_else(|_| Value::from(word), Value::from),
        Kind::Texts => word.split(',').map(Value::from).collect(),
        Kind::Name | Kind::Text | Kind::Mode | Kind::Object => Value::from(word),
    }
}

/// The text of a field that is a string.
pub(super) fn text<'a>(fields: &'a Map, name: &str) -> Option<&'a str> {
    fields.get(name).and_then(Value::as_str)
}

/// Whether the field exists and is not null.
pub(super) fn has(fields: &Map, name: &str) -> bool {
    fields.get(name).is_some_and(|value| !value.is_null())
}

fn is_name(text: &str) -> bool {
    // A character has at most four bytes, which avoids counting the characters of a megabyte.
    let is_short = !text.is_empty() && text.len() <= NAME_CHARACTERS * 4 && text.chars().count() <= NAME_CHARACTERS;
    // Names are keys of rows and words of logs, so they cannot be hidden later.
    is_short && !has_secret(text)
}

fn report(kind: Kind, value: &Value, here: String, faults: &mut FieldFaults) {
    match (kind, value) {
        (Kind::Texts, Value::Array(items)) => {
            for (index, item) in items.iter().enumerate().filter(|(_, item)| !item.is_string()) {
                faults.push(path::index(&here, index), brief(item), Kind::Text.expected());
            }
        }
        (Kind::Name, Value::String(text)) if has_secret(text) => {
            faults.push(here, "a text with a secret".to_owned(), kind.expected());
        }
        (Kind::Name, Value::String(text)) if !text.is_empty() => {
            faults.push(here, format!("a text of {} characters", text.chars().count()), kind.expected());
        }
        _ => faults.push(here, brief(value), kind.expected()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_field_with_a_fixed_type_says_what_it_needs_unless_it_has_it_or_is_null() {
        assert_eq!(type_mismatch("affected_tickets", &json!("t-1")), Some("a list of strings"));
        assert_eq!(type_mismatch("escalation_required", &json!("true")), Some("true or false"));
        for (name, value) in [
            ("affected_tickets", json!(["t-1"])),
            ("affected_tickets", json!(null)),
            ("severity", json!("high")),
            ("pod", json!(1)),
        ] {
            assert_eq!(type_mismatch(name, &value), None, "{name}");
        }
    }
}
