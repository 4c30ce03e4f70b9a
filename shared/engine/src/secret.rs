//! Hides secrets before anything is stored: the events of a run are kept, shown and sent.
//!
//! A value is a secret by the name of its field, by its shape in any text, or because a playbook says so: `x-secret: true`
//! in its `parameters_schema`. An incident is no way to hand a secret to an action: every variable is in the run's log. A playbook that needs
//! one gets a reference, such as the name of a secret that the action reads itself.

mod names;
mod shape;

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde_json::Value;

use crate::Map;

pub use names::{ENDINGS, WORDS, is_secret_name};
pub use shape::{PREFIXES, hide_text};

/// Replaces the value of a secret.
pub const HIDDEN: &str = "[hidden]";

/// The key of a property in a `parameters_schema` that marks it as a secret.
pub const MARK: &str = "x-secret";

/// Names of fields that playbooks mark as secrets, beside those that every installation hides.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Secrets(BTreeSet<String>);

impl Secrets {
    /// The properties with `x-secret: true` of JSON Schemas, at any depth.
    pub fn marked<'s>(schemas: impl IntoIterator<Item = &'s Value>) -> Self {
        let mut names = BTreeSet::new();
        schemas.into_iter().for_each(|schema| collect(schema, &mut names));
        Self(names)
    }

    /// Whether the value of a field with this name is hidden.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains(name) || is_secret_name(name)
    }

    /// Replaces every secret in `fields` with [`HIDDEN`], at any depth. By its name, a null and a boolean reveal nothing and stay.
    pub fn hide(&self, fields: &mut Map) {
        for (name, value) in fields {
            if !self.has(name) {
                self.hide_value(value);
            } else if !matches!(value, Value::Null | Value::Bool(_)) {
                *value = Value::from(HIDDEN);
            }
        }
    }

    /// As [`Secrets::hide`], of any value.
    pub fn hide_value(&self, value: &mut Value) {
        match value {
            Value::Object(fields) => self.hide(fields),
            Value::Array(items) => items.iter_mut().for_each(|item| self.hide_value(item)),
            Value::String(text) => {
                if let Cow::Owned(safe) = self.hide_within(text) {
                    *text = safe;
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// The text of a message without its secrets, byte for byte the same if it has none.
    pub fn hide_message(&self, message: &str) -> String {
        self.hide_within(message).into_owned()
    }

    /// A text is JSON inside an envelope or a quoted payload, or free text.
    fn hide_within<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let json =
            if text.trim_start().starts_with(['{', '[']) { serde_json::from_str::<Value>(text).ok() } else { None };
        let Some(mut value) = json else { return hide_text(text) };
        let before = value.clone();
        self.hide_value(&mut value);
        if value == before { Cow::Borrowed(text) } else { Cow::Owned(value.to_string()) }
    }
}

/// Hides the secrets of a text in place.
pub fn hide_in(text: &mut String) {
    if let Cow::Owned(safe) = hide_text(text) {
        *text = safe;
    }
}

/// Whether `text` has a secret by its shape.
pub fn has_secret(text: &str) -> bool {
    matches!(hide_text(text), Cow::Owned(_))
}

fn collect(schema: &Value, names: &mut BTreeSet<String>) {
    match schema {
        Value::Object(keys) => {
            let properties = keys.get("properties").and_then(Value::as_object);
            let is_marked = |property: &Value| property.get(MARK) == Some(&Value::Bool(true));
            names.extend(
                properties
                    .into_iter()
                    .flatten()
                    .filter(|(_, property)| is_marked(property))
                    .map(|(name, _)| name.clone()),
            );
            keys.values().for_each(|inner| collect(inner, names));
        }
        Value::Array(items) => items.iter().for_each(|inner| collect(inner, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_message_is_stored_without_its_secrets_in_any_envelope() {
        let secrets = Secrets::default();
        let inner = json!({"incident_id": "i", "note": [{"password": "p"}], "uses_token": true}).to_string();
        let kept =
            secrets.hide_message(&json!({"Type": "Notification", "Message": inner, "token": {"a": "p"}}).to_string());
        let kept: Value = serde_json::from_str(&kept).unwrap();
        assert_eq!(kept["token"], HIDDEN);
        let inner: Value = serde_json::from_str(kept["Message"].as_str().unwrap()).unwrap();
        assert_eq!(inner, json!({"incident_id": "i", "note": [{"password": HIDDEN}], "uses_token": true}));
        for as_it_is in ["{\"a\":  1}", "no JSON and no secret", "[1,  2]"] {
            assert_eq!(secrets.hide_message(as_it_is), as_it_is);
        }
        assert_eq!(secrets.hide_message("no JSON, password=p"), "no JSON, password=[hidden]");
    }

    #[test]
    fn a_playbook_marks_further_names_at_any_depth() {
        let schema = json!({"properties": {
            "door": {"type": "string", "x-secret": true},
            "site": {"properties": {"alarm": {"x-secret": true}, "floor": {"x-secret": false}}},
        }});
        let secrets = Secrets::marked([&schema]);
        let mut fields =
            Map::from_iter([("door".to_owned(), json!(12)), ("site".to_owned(), json!({"alarm": "a", "floor": 3}))]);
        secrets.hide(&mut fields);
        assert_eq!(Value::Object(fields), json!({"door": HIDDEN, "site": {"alarm": HIDDEN, "floor": 3}}));
    }

    #[test]
    fn a_text_has_a_secret_by_its_shape() {
        assert!(has_secret("password=p"));
        for text in ["no password is given", "password=\"[hidden]\"", "password=\"\""] {
            assert!(!has_secret(text), "{text}");
        }
    }
}
