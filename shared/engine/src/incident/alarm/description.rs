//! The fields that the author of an alarm wrote into its description.

use crate::Map;
use crate::incident::error::FieldFaults;
use crate::incident::{IntakeError, field, json};

/// The fields of a description that is a JSON object, or the `name=value` words of one that is a sentence.
///
/// # Errors
/// Fields of the wrong type; a JSON object with a key twice or nested too deep.
pub(super) fn fields(description: &str, path: &str) -> Result<Map, IntakeError> {
    let object = if description.trim_start().starts_with('{') {
        json::object(description, path)
    } else {
        Ok(words(description))
    };
    let fields = match object {
        // A sentence may start with a brace.
        Err(IntakeError::NotJson { .. }) => words(description),
        other => other?,
    };
    let mut faults = FieldFaults::default();
    field::check(&fields, &field::COMMON, path, &mut faults);
    field::check(&fields, &field::DESCRIPTION, path, &mut faults);
    faults.into_result()?;
    Ok(fields)
}

/// The `name=value` words of a sentence; the first word of a name wins.
fn words(sentence: &str) -> Map {
    let mut fields = Map::new();
    for (name, word) in sentence.split_whitespace().filter_map(|word| word.split_once('=')) {
        let word = word.trim_end_matches([',', ';', '.']);
        if is_name(name) && !word.is_empty() {
            fields.entry(name).or_insert_with(|| field::parse_word(name, word));
        }
    }
    fields
}

fn is_name(text: &str) -> bool {
    let first = text.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
    first && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::{Value, json};

    use super::*;

    fn read(description: &str) -> Value {
        Value::Object(fields(description, "d").unwrap())
    }

    #[test]
    fn words_of_a_sentence_get_the_type_of_their_field() {
        let expected = json!({
            "incident_type": "WORKER_FAILURE", "affected_tickets": ["t-1", "t-2"], "auto_remediation_enabled": false,
            "created_at": 5, "worker_id": "w=1",
        });
        let sentence = "Stuck, 2 = two: incident_type=WORKER_FAILURE; affected_tickets=t-1,t-2 auto_remediation_enabled=false \
                        created_at=5 worker_id=w=1. incident_type=LATER Upper=no empty=";
        assert_eq!(read(sentence), expected);
    }

    #[test]
    fn a_sentence_may_begin_with_a_brace() {
        assert_eq!(read("{prod} incident_type=X"), json!({"incident_type": "X"}));
    }

    #[test]
    fn a_word_that_does_not_fit_its_field_is_named() {
        let error = fields("escalation_required=maybe", "detail.configuration.description").unwrap_err();
        let expected =
            "`detail.configuration.description.escalation_required` is the text \"maybe\", true or false is needed";
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn a_name_in_a_sentence_has_small_letters_digits_and_underscores() {
        assert_eq!(read("_pod=a pod_2=b Pod=c 2pod=d po-d=e =f"), json!({"_pod": "a", "pod_2": "b"}));
    }
}
