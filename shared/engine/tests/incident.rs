//! Messages as data: `incidents/*.json`, each case one claim, one message, and the expected intake or error.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};

use heal_engine::incident::{self, DEPTH_LEVELS, ENVELOPES, FAULTS, IntakeError, NAME_CHARACTERS, peek_incident_id};
use heal_engine::{Map, limit};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    claim: String,
    message: Option<Value>,
    text: Option<String>,
    /// A file of `tests/events`.
    event: Option<PathBuf>,
    /// The differences to [`plain`].
    intake: Option<Map>,
    error: Option<Refusal>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Refusal {
    variant: String,
    text: String,
}

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn events() -> PathBuf {
    here("../../tests/events")
}

/// The intake of a minimal incident.
fn plain() -> Value {
    json!({
        "incident_type": null, "playbook": null, "run_id": null, "approval": false, "reserved": [], "traceparent": null,
        "shape": "incident", "via": "direct",
    })
}

impl Case {
    fn text(&self) -> String {
        match (&self.message, &self.text, &self.event) {
            (Some(message), None, None) => message.to_string(),
            (None, Some(text), None) => text.clone(),
            (None, None, Some(file)) => fs::read_to_string(events().join(file)).unwrap(),
            _ => panic!("one of `message`, `text` and `event` is needed: {}", self.claim),
        }
    }

    fn check(&self) -> Result<(), String> {
        let text = self.text();
        match (&self.intake, &self.error, incident::read(&text)) {
            (Some(differences), None, Ok(observed)) => {
                let mut expected = plain();
                expected.as_object_mut().unwrap().extend(differences.clone());
                let peeked = peek_incident_id(&text);
                if peeked.as_ref() != Some(&observed.incident_id) {
                    return Err(format!("peeked {peeked:?}"));
                }
                let observed = serde_json::to_value(observed).unwrap();
                if observed == expected { Ok(()) } else { Err(format!("observed {observed:#}\nexpected {expected:#}")) }
            }
            (None, Some(expected), Err(observed)) => {
                let (variant, words) = (format!("{observed:?}"), observed.to_string());
                let same = variant.split_once(' ').unwrap().0 == expected.variant && words == expected.text;
                if same { Ok(()) } else { Err(format!("observed {variant}\n{words}")) }
            }
            (_, _, observed) => Err(format!("observed {observed:#?}")),
        }
    }
}

#[test]
fn every_case_holds() {
    let mut files: Vec<_> = fs::read_dir(here("tests/incidents")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut failures = Vec::new();
    let mut cases = 0;
    for file in files {
        let read: Vec<Case> = serde_json::from_str(&fs::read_to_string(&file).unwrap())
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        cases += read.len();
        let failed =
            read.iter().filter_map(|case| Some(format!("{}: {}\n{}", file.display(), case.claim, case.check().err()?)));
        failures.extend(failed);
    }
    assert!(cases >= 60, "only {cases} cases were found");
    assert!(failures.is_empty(), "{} of {cases} cases do not hold\n\n{}", failures.len(), failures.join("\n\n"));
}

#[test]
fn every_shipped_event_has_a_case() {
    let cases =
        ["event", "platform"].map(|name| fs::read_to_string(here(&format!("tests/incidents/{name}.json"))).unwrap());
    for folder in ["", "platform/"] {
        let entries = fs::read_dir(events().join(folder)).unwrap().map(Result::unwrap);
        for file in entries.filter(|entry| entry.file_type().unwrap().is_file()) {
            let name = format!("{folder}{}", file.file_name().into_string().unwrap());
            assert!(cases.concat().contains(&format!("\"event\": \"{name}\"")), "{name} has no case");
        }
    }
}

fn sns(message: &str) -> String {
    json!({"Type": "Notification", "Message": message}).to_string()
}

#[test]
fn a_message_may_have_as_many_bytes_as_the_limit_says() {
    let of_bytes = |bytes: usize| {
        let frame = r#"{"incident_id":"i","note":""}"#;
        frame.replace("\"\"", &format!("\"{}\"", "x".repeat(bytes - frame.len())))
    };
    assert!(incident::read(&of_bytes(limit::MESSAGE_BYTES)).is_ok());
    let error = incident::read(&of_bytes(limit::MESSAGE_BYTES + 1)).unwrap_err();
    assert_eq!(error, IntakeError::TooLarge { observed_bytes: 262_145 });
    assert_eq!(error.to_string(), "the message has 262145 bytes, the limit is 262144 bytes");
}

#[test]
fn a_message_may_nest_as_deep_as_the_limit_says() {
    let of_levels = |levels: usize| {
        let (open, close) = ("[".repeat(levels - 1), "]".repeat(levels - 1));
        format!(r#"{{"incident_id":"i","x":{open}{close}}}"#)
    };
    assert!(incident::read(&of_levels(DEPTH_LEVELS)).is_ok());
    let error = incident::read(&of_levels(DEPTH_LEVELS + 1)).unwrap_err();
    let path = format!("x{}", "[0]".repeat(DEPTH_LEVELS - 1));
    let expected = format!("`{path}` is nested too deep at line 1, column 48 of the message, the limit is 24 levels");
    assert_eq!(error.to_string(), expected);
    assert!(incident::read(&of_levels(100_000)).is_err());
}

#[test]
fn a_message_may_have_as_many_envelopes_as_the_limit_says() {
    let in_envelopes =
        |envelopes: usize| (0..envelopes).fold(r#"{"incident_id":"i"}"#.to_owned(), |message, _| sns(&message));
    assert_eq!(incident::read(&in_envelopes(ENVELOPES)).unwrap().incident_id, "i");
    let error = incident::read(&in_envelopes(ENVELOPES + 1)).unwrap_err();
    assert_eq!(error.to_string(), "`Message.Message.Message.Message` is inside more than the limit of 3 envelopes");
}

#[test]
fn a_name_may_have_as_many_characters_as_the_limit_says() {
    let named = |characters: usize| json!({"incident_id": "ü".repeat(characters)}).to_string();
    assert!(incident::read(&named(NAME_CHARACTERS)).is_ok());
    let error = incident::read(&named(NAME_CHARACTERS + 1)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`incident_id` is a text of 257 characters, a string of 1 to 256 characters is needed"
    );
    assert!(incident::read(&named(0)).is_err());
}

#[test]
fn an_alarm_with_a_long_name_keeps_the_time_in_its_id() {
    let name = "n".repeat(255);
    let alarm = json!({"AlarmName": name, "NewStateValue": "ALARM", "StateChangeTime": "2026-11-23T20:21:00.123+0000"});
    let intake = incident::read(&alarm.to_string()).unwrap();
    assert_eq!(intake.incident_id.chars().count(), NAME_CHARACTERS);
    assert!(intake.incident_id.ends_with("n@2026-11-23T20:21:00.123+0000"));
}

#[test]
fn an_error_names_as_many_wrong_fields_as_the_limit_says_and_counts_the_rest() {
    let tickets = vec![0; FAULTS + 5];
    let error = incident::read(&json!({"incident_id": "i", "affected_tickets": tickets}).to_string()).unwrap_err();
    let IntakeError::Fields { faults, observed } = &error else { panic!("{error:?}") };
    assert_eq!((faults.len(), *observed), (FAULTS, FAULTS + 5));
    assert!(
        error
            .to_string()
            .ends_with("`affected_tickets[19]` is the number 0, a string is needed; and 5 more wrong fields"),
        "{error}"
    );
}

#[test]
fn an_error_stays_short_whatever_the_message_holds() {
    let (key, value) = ("k\n".repeat(20_000), "v".repeat(40_000));
    let unknown = incident::read(&json!({ &key: value }).to_string()).unwrap_err();
    let twice = incident::read(&format!("{{{0}:1,{0}:2}}", json!(key))).unwrap_err();
    let wrong = incident::read(&json!({"incident_id": "i", "affected_tickets": value}).to_string()).unwrap_err();
    for error in [unknown, twice, wrong] {
        let text = error.to_string();
        assert!(text.len() < 1_000 && !text.contains('\n'), "{text}");
    }
}
