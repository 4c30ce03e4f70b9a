//! Finds the incident id of a message, even of an invalid one.

use serde_json::Value;

use super::{ENVELOPES, NAME_CHARACTERS, read};
use crate::limit;

/// The incident id for the record of a rejected message: best effort, cut to [`NAME_CHARACTERS`] characters.
///
/// Equal to that of [`read`] if the message is valid. A text that is not JSON is searched for an `incident_id`.
pub fn peek_incident_id(message: &str) -> Option<String> {
    let found = match read(message) {
        Ok(intake) => Some(intake.incident_id),
        Err(_) if message.len() > limit::MESSAGE_BYTES => in_text(message),
        Err(_) => match serde_json::from_str(message) {
            Ok(value) => in_value(&value, ENVELOPES),
            Err(_) => in_text(message),
        },
    };
    found.map(|id| id.chars().take(NAME_CHARACTERS).collect()).filter(|id: &String| !id.is_empty())
}

fn in_value(value: &Value, envelopes: usize) -> Option<String> {
    let inner = |name: &str| value.get(name).filter(|_| envelopes > 0);
    let in_detail = || in_value(inner("detail")?, envelopes - 1);
    let in_message = || {
        let text = inner("Message")?.as_str()?;
        serde_json::from_str(text).map_or_else(|_| in_text(text), |value| in_value(&value, envelopes - 1))
    };
    let here = value.get("incident_id").or_else(|| value.pointer("/context/incident_id")).and_then(name);
    here.or_else(in_detail).or_else(in_message).or_else(|| value.get("action_id").and_then(name))
}

/// A number is not a legal id, but it helps people to find the incident.
fn name(value: &Value) -> Option<String> {
    let number = || value.as_number().map(ToString::to_string);
    value.as_str().map(ToOwned::to_owned).or_else(number)
}

/// Finds `"incident_id": "…"` in a text that is not JSON, also with escaped quotes, as in an SNS envelope. Ignores an id
/// with escapes.
fn in_text(text: &str) -> Option<String> {
    const KEY: &str = "incident_id";
    text.match_indices(KEY).find_map(|(at, _)| {
        let rest = text.get(at + KEY.len()..)?;
        let quote = rest.get(..=rest.find(|c| c != '\\')?).filter(|quote| quote.ends_with('"'))?;
        let rest = rest.get(quote.len()..)?.trim_start().strip_prefix(':')?.trim_start().strip_prefix(quote)?;
        let end = rest.find(['"', '\\'])?;
        rest.get(end..)?.starts_with(quote).then(|| rest.get(..end).map(ToOwned::to_owned))?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_text_still_names_its_incident() {
        let cases = [
            (r#"{"incident_id": "inc-1", "severity": "#, Some("inc-1")),
            (r#"{"Message": "{\"incident_id\" : \"inc-2\", \"x\": 1}"#, Some("inc-2")),
            (r#"{"incident_id": 7, "incident_id":"inc-3""#, Some("inc-3")),
            (r#"{"incident_id": "a\u0062""#, None),
            (r#"{"incident_id": "cut"#, None),
            (r#"{"incident_id"é"#, None),
            ("incident_id", None),
        ];
        for (text, expected) in cases {
            assert_eq!(peek_incident_id(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_refused_message_still_names_its_incident() {
        let cases = [
            (r#"{"incident_id": 7}"#, Some("7")),
            (r#"{"incident_id": "a", "severity": 5}"#, Some("a")),
            (r#"{"incident_id": ""}"#, None),
            (r#"{"detail-type": "x", "detail": {"incident_id": "b", "severity": 5}}"#, Some("b")),
            (r#"{"Type": "Notification", "Message": "{\"incident_id\": \"c\", \"severity\": 5}"}"#, Some("c")),
            (r#"{"Type": "Notification", "Message": "{\"incident_id\": \"d\", "}"#, Some("d")),
            (r#"{"action_id": "e", "playbook": 5}"#, Some("e")),
            (r#"{"action_id": "e", "playbook": 5, "context": {"incident_id": "f"}}"#, Some("f")),
            ("[1]", None),
        ];
        for (text, expected) in cases {
            assert_eq!(peek_incident_id(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_message_over_the_limit_still_names_its_incident() {
        let text =
            format!(r#"{{"incident_id": "{}", "note": "{}"}}"#, "i".repeat(300), "x".repeat(limit::MESSAGE_BYTES));
        assert_eq!(peek_incident_id(&text), Some("i".repeat(NAME_CHARACTERS)));
    }

    /// Of a larger message, no value is made.
    #[test]
    fn a_message_over_the_limit_is_searched_as_text() {
        let of_bytes = |bytes: usize| {
            let frame = r#"{"note":{"incident_id":"inner"},"incident_id":"outer","severity":1,"pad":""}"#;
            frame.replace("\"\"", &format!("\"{}\"", "x".repeat(bytes - frame.len())))
        };
        assert_eq!(peek_incident_id(&of_bytes(limit::MESSAGE_BYTES)).as_deref(), Some("outer"));
        assert_eq!(peek_incident_id(&of_bytes(limit::MESSAGE_BYTES + 1)).as_deref(), Some("inner"));
    }

    #[test]
    fn an_id_is_searched_in_as_many_envelopes_as_a_message_may_have() {
        let detail = |inner: Value, _| serde_json::json!({ "detail": inner });
        let message = |inner: Value, _| serde_json::json!({"Message": inner.to_string()});
        let wrap: [fn(Value, usize) -> Value; 2] = [detail, message];
        for wrap in wrap {
            let wrapped = |count: usize| (0..count).fold(serde_json::json!({"incident_id": 7}), wrap).to_string();
            assert_eq!(peek_incident_id(&wrapped(ENVELOPES)).as_deref(), Some("7"));
            assert_eq!(peek_incident_id(&wrapped(ENVELOPES + 1)), None);
        }
    }
}
