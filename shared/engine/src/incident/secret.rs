//! Removes secrets, recognised by field names, before anything is stored: the events of a run are kept, shown and sent.

use serde_json::{Map, Value};

/// Replaces the value of a secret.
pub const HIDDEN: &str = "[hidden]";

/// Endings of the names of secret fields, whatever separates their words: `apiToken`, `api_token`, `X-Api-Token`.
const ENDINGS: [&str; 13] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "secrets",
    "token",
    "tokens",
    "apikey",
    "accesskey",
    "privatekey",
    "authorization",
    "credentials",
    "cookie",
];

fn is_secret(name: &str) -> bool {
    let plain: String = name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    ENDINGS.iter().any(|ending| plain.ends_with(ending))
}

/// Replaces the value of every secret field with [`HIDDEN`], at any depth. Null and booleans reveal nothing and stay.
pub(super) fn hide(fields: &mut Map<String, Value>) {
    for (name, value) in fields {
        if !is_secret(name) {
            hide_within(value);
        } else if !matches!(value, Value::Null | Value::Bool(_)) {
            *value = Value::from(HIDDEN);
        }
    }
}

fn hide_within(value: &mut Value) {
    match value {
        Value::Object(fields) => hide(fields),
        Value::Array(items) => items.iter_mut().for_each(hide_within),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The text of a message without its secrets, for storing. A text that is not JSON is returned unchanged: it has no named fields.
pub fn without_secrets(message: &str) -> String {
    let Ok(mut value) = serde_json::from_str::<Value>(message) else { return message.to_owned() };
    let before = value.clone();
    hide_within(&mut value);
    within_texts(&mut value);
    if value == before { message.to_owned() } else { value.to_string() }
}

/// Hides secrets inside texts: envelopes contain JSON as text.
fn within_texts(value: &mut Value) {
    match value {
        Value::Object(fields) => fields.values_mut().for_each(within_texts),
        Value::Array(items) => items.iter_mut().for_each(within_texts),
        Value::String(text) if text.trim_start().starts_with(['{', '[']) => *text = without_secrets(text),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_field_is_secret_by_the_end_of_its_name() {
        for name in [
            "password",
            "db_password",
            "apiToken",
            "X-Api-Key",
            "AWS_SECRET_ACCESS_KEY",
            "Authorization",
            "client-secret",
            "Set-Cookie",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in ["ticket_id", "token_count", "secret_name", "passwords_checked", "key", "author", "workflow_id"] {
            assert!(!is_secret(name), "{name}");
        }
    }

    #[test]
    fn a_message_is_stored_without_its_secrets_in_any_envelope() {
        let inner = json!({"incident_id": "i", "note": [{"password": "p"}], "uses_token": true}).to_string();
        let kept = without_secrets(&json!({"Type": "Notification", "Message": inner, "token": {"a": "p"}}).to_string());
        let kept: Value = serde_json::from_str(&kept).unwrap();
        assert_eq!(kept["token"], HIDDEN);
        let inner: Value = serde_json::from_str(kept["Message"].as_str().unwrap()).unwrap();
        assert_eq!(inner, json!({"incident_id": "i", "note": [{"password": HIDDEN}], "uses_token": true}));
        for as_it_is in ["{\"a\":  1}", "no JSON, password=p"] {
            assert_eq!(without_secrets(as_it_is), as_it_is);
        }
    }
}
