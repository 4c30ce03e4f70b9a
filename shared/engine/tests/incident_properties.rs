//! Properties of parsing any message.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use heal_engine::incident::{self, Intake, RESERVED, Via, peek_incident_id};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Field names that parsing knows, so that random messages match its rules.
const NAMES: &str = "incident_id incident_type severity affected_tickets details trace_id traceparent created_at recommended_playbook \
    auto_remediation_enabled remediation_id playbook_name parameters execution_mode action_id playbook context detail-type detail Type \
    Message source alarmData alarmName state value timestamp AlarmName NewStateValue StateChangeTime AlarmDescription Trigger steps run_id";

/// Texts that parsing treats specially.
const TEXTS: [&str; 14] = [
    "Notification",
    "SubscriptionConfirmation",
    "aws.cloudwatch",
    "CloudWatch Alarm State Change",
    "ALARM",
    "OK",
    "AUTOMATIC",
    "MANUAL_APPROVAL",
    "{\"incident_id\":\"i\"}",
    "{\"a\":1,\"a\":2}",
    "incident_type=X affected_tickets=a,b",
    "{{ 7*7 }}",
    "4bf92f3577b34da6a3ce929d0e0e4736",
    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
];

fn name() -> impl Strategy<Value = String> {
    let known: Vec<_> = NAMES.split_whitespace().map(str::to_owned).collect();
    prop_oneof![8 => prop::sample::select(known), 1 => ".{0,8}"]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![2 => prop::sample::select(&TEXTS[..]).prop_map(str::to_owned), 1 => "\\PC{0,12}", 1 => any::<String>()]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text().prop_map(Value::String),
    ];
    leaf.prop_recursive(5, 40, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
            prop::collection::btree_map(name(), inner, 0..8)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// An object that is not an envelope, often a valid message.
fn message() -> impl Strategy<Value = Value> {
    let further = prop::collection::btree_map("[a-z_]{1,12}", value(), 0..5);
    let shapes = prop::sample::select(vec![
        json!({"incident_id": "i", "incident_type": "T", "recommended_playbook": "p"}),
        json!({"incident_id": "i", "affected_tickets": ["a"], "auto_remediation_enabled": false}),
        json!({"remediation_id": "r", "incident_id": "i", "playbook_name": "p", "parameters": {"steps": 1, "a": "b"}}),
        json!({"action_id": "a", "playbook": "p", "context": {"incident_id": "i", "ticket_id": "t"}}),
        json!({"incident_id": 5, "severity": 7}),
        json!({"nothing": "known"}),
        json!({"AlarmName": "a", "NewStateValue": "ALARM", "StateChangeTime": "t", "AlarmDescription": "incident_type=X"}),
        json!({"AlarmName": "a", "NewStateValue": "OK"}),
    ]);
    (shapes, further).prop_map(|(mut shape, further)| {
        let fields = shape.as_object_mut().unwrap();
        for (name, value) in further {
            fields.entry(name).or_insert(value);
        }
        shape
    })
}

fn event_bridge(message: &Value) -> String {
    json!({"version": "0", "id": "e", "detail-type": "Incident", "source": "hive", "detail": message}).to_string()
}

fn sns(message: &str) -> String {
    json!({"Type": "Notification", "MessageId": "m", "TopicArn": "t", "Message": message}).to_string()
}

fn same_but_for_the_envelope(inner: &Intake, outer: &Intake, via: Via) {
    let expected = if inner.via == Via::CloudWatchAlarm { inner.clone() } else { Intake { via, ..inner.clone() } };
    assert_eq!(&expected, outer);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let text = String::from_utf8_lossy(&bytes);
        let _ = incident::read(&text);
        let _ = peek_incident_id(&text);
    }

    #[test]
    fn no_text_around_an_id_makes_it_panic(before in "[{\"\\\\:, ]{0,6}", after in "[}\"\\\\:, a1é]{0,12}") {
        let text = format!("{before}incident_id{after}");
        let _ = incident::read(&text);
        let _ = peek_incident_id(&text);
    }

    #[test]
    fn what_is_read_is_whole(value in value()) {
        let text = value.to_string();
        let peeked = peek_incident_id(&text);
        if let Ok(intake) = incident::read(&text) {
            prop_assert!((1..=256).contains(&intake.incident_id.chars().count()));
            prop_assert_eq!(intake.variables.get("incident_id").and_then(Value::as_str), Some(intake.incident_id.as_str()));
            prop_assert!(RESERVED.iter().all(|name| !intake.variables.contains_key(*name)));
            prop_assert_eq!(peeked, Some(intake.incident_id));
        } else if let Some(id) = peeked {
            prop_assert!((1..=256).contains(&id.chars().count()));
        }
    }

    #[test]
    fn an_envelope_changes_nothing_but_the_way(message in message()) {
        let text = message.to_string();
        match incident::read(&text) {
            Ok(inner) => {
                same_but_for_the_envelope(&inner, &incident::read(&event_bridge(&message)).unwrap(), Via::EventBridge);
                same_but_for_the_envelope(&inner, &incident::read(&sns(&text)).unwrap(), Via::Sns);
                same_but_for_the_envelope(&inner, &incident::read(&sns(&event_bridge(&message))).unwrap(), Via::EventBridge);
            }
            Err(inner) => {
                for wrapped in [event_bridge(&message), sns(&text), sns(&event_bridge(&message))] {
                    let outer = incident::read(&wrapped).unwrap_err();
                    prop_assert_eq!(std::mem::discriminant(&inner), std::mem::discriminant(&outer), "{} / {}", inner, outer);
                }
            }
        }
    }

    #[test]
    fn an_incident_keeps_every_field(further in prop::collection::btree_map("[a-z]{3,12}x", value(), 0..6)) {
        let mut message = json!({"incident_id": "i"});
        message.as_object_mut().unwrap().extend(further);
        // Compared with the written text, since a float may lose its last digit when written and read.
        let text = message.to_string();
        let written: Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(Value::Object(incident::read(&text).unwrap().variables), written);
    }
}
