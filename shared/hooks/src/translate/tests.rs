use super::*;
use crate::read::{Headers, read};
use crate::source::Source;

const FILE: &str = r#"{"rules": [
    {"name": "down", "sources": ["alertmanager"], "match": {"alertname": ["WorkerDown", "WorkerGone"]},
     "condition": "{{ labels.env != 'test' }}",
     "incident": {"incident_type": "WORKER_FAILURE", "severity": "{{ labels.severity | upper }}", "worker_id": "{{ labels.worker }}"}},
    {"name": "ticket", "sources": ["generic"], "fingerprint": "{{ payload.ticket }}", "resolved": "{{ payload.state == 'ok' }}",
     "incident": {"incident_type": "TICKET_TIMEOUT", "ticket_id": "{{ payload.ticket }}"}}
]}"#;

fn hooks() -> Hooks {
    Hooks::new(HooksFile::from_json(FILE).unwrap()).unwrap()
}

fn alertmanager(status: &str, labels: &Value) -> Alert {
    let body = json!({"alerts": [
        {"status": status, "labels": labels, "startsAt": "2026-11-28T10:00:00Z", "fingerprint": "f1"}
    ]});
    read(Source::Alertmanager, &Headers::default(), body.to_string().as_bytes()).unwrap().remove(0)
}

fn generic(payload: &Value) -> Alert {
    read(Source::Generic, &Headers::default(), payload.to_string().as_bytes()).unwrap().remove(0)
}

fn raised(translation: Translation) -> (Message, Value) {
    let Translation::Raise(message) = translation else { panic!("{translation:?}") };
    let body = serde_json::from_str(&message.body).unwrap();
    (message, body)
}

#[test]
fn a_firing_alert_raises_and_the_same_resolved_one_withdraws_by_the_same_id() {
    let labels = json!({"alertname": "WorkerDown", "worker": "worker-1", "severity": "high", "env": "live"});
    let (message, body) = raised(hooks().translate(&alertmanager("firing", &labels)));
    assert_eq!(
        body,
        json!({"incident_id": "alertmanager:f1@2026-11-28T10:00:00Z", "incident_type": "WORKER_FAILURE", "severity": "HIGH",
            "worker_id": "worker-1", "created_at": 1_795_860_000_000_u64})
    );
    assert_eq!((message.rule.as_str(), message.faults.len()), ("down", 0));
    let Translation::Withdraw(over) = hooks().translate(&alertmanager("resolved", &labels)) else { panic!() };
    assert_eq!(over.incident_id, message.incident_id);
    let IntakeError::NotAnIncident { resolution: Some(_), .. } = incident::read(&over.body).unwrap_err() else {
        panic!("{}", over.body)
    };
}

#[test]
fn what_no_rule_is_for_is_ignored() {
    for labels in [
        json!({"alertname": "Other", "env": "live"}),
        json!({"alertname": "WorkerDown", "env": "test"}),
        json!({"alertname": "WorkerDown"}),
    ] {
        assert_eq!(hooks().translate(&alertmanager("firing", &labels)), Translation::Ignored, "{labels}");
    }
}

#[test]
fn a_field_that_cannot_be_rendered_does_not_lose_the_alert_and_runs_nothing_alone() {
    let labels = json!({"alertname": "WorkerGone", "severity": "high", "env": "live"});
    let (message, body) = raised(hooks().translate(&alertmanager("firing", &labels)));
    assert_eq!(message.faults.len(), 1);
    assert!(message.faults[0].starts_with("incident.worker_id: "), "{:?}", message.faults);
    assert_eq!(body["auto_remediation_enabled"], false);
    assert_eq!(body["alert"]["labels"]["alertname"], "WorkerGone");
    let intake = incident::read(&message.body).unwrap();
    assert!(intake.approval);
    assert_eq!(intake.incident_type.as_deref(), Some("WORKER_FAILURE"));
}

#[test]
fn a_rule_says_for_other_sources_which_alerts_are_one_and_when_it_is_over() {
    let (message, body) = raised(hooks().translate(&generic(&json!({"ticket": "7F3A-AA", "state": "late"}))));
    assert_eq!((message.incident_id.as_str(), &body["ticket_id"]), ("generic:7F3A-AA", &json!("7F3A-AA")));
    let over = hooks().translate(&generic(&json!({"ticket": "7F3A-AA", "state": "ok"})));
    assert!(matches!(over, Translation::Withdraw(over) if over.incident_id == "generic:7F3A-AA"));
    // Whether it is over cannot be said: it is raised, and a person decides.
    let (message, _) = raised(hooks().translate(&generic(&json!({"ticket": "7F3A-AA"}))));
    assert!(message.faults[0].starts_with("resolved: "), "{:?}", message.faults);
}

#[test]
fn an_alert_that_cannot_be_identified_is_raised_once_by_its_own_text() {
    for payload in
        [json!({"state": "ok"}), json!({"ticket": " ", "state": "ok"}), json!({"ticket": ["a"], "state": "late"})]
    {
        let (message, _) = raised(hooks().translate(&generic(&payload)));
        assert!(message.faults[0].starts_with("fingerprint: "), "{:?}", message.faults);
        assert_eq!(raised(hooks().translate(&generic(&payload))).0.incident_id, message.incident_id);
        assert!(incident::read(&message.body).unwrap().approval);
    }
}

#[test]
fn an_id_is_bounded_and_still_tells_long_fingerprints_apart() {
    let long = |end: &str| format!("{}{end}", "x".repeat(300));
    let id =
        |end: &str| raised(hooks().translate(&generic(&json!({"ticket": long(end), "state": "late"})))).0.incident_id;
    assert!(id("a").chars().count() <= NAME_CHARACTERS);
    assert_ne!(id("a"), id("b"));
}

#[test]
fn a_field_that_the_engine_would_not_read_waits_for_a_person() {
    let file = r#"{"rules": [{"name": "r", "fingerprint": "1", "incident": {"incident_type": "T", "playbook_name": "{{ payload.p }}"}}]}"#;
    let hooks = Hooks::new(HooksFile::from_json(file).unwrap()).unwrap();
    let (message, body) = raised(hooks.translate(&generic(&json!({"p": "workflow_restart"}))));
    assert_eq!(message.faults, ["with these fields the engine does not read the message as an incident"]);
    assert!(body.get("playbook_name").is_none());
    assert!(incident::read(&message.body).unwrap().approval);
}
