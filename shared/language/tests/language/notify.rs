//! Notifications: what is read, what is refused, and where.

use heal_engine::event::RunOutcome;
use heal_engine::notice::{ChannelKind, Rules, limit};
use heal_language::notify::{Reading, schema};
use serde_json::Value;

use crate::expectation::differences;
use crate::guardrails::{PLAYBOOKS, actions};
use crate::texts;

fn read(text: &str) -> Reading {
    heal_language::notify::read("notify", text, &actions(), Some(&PLAYBOOKS))
}

#[test]
fn every_fault_is_found_at_its_place_and_nothing_else() {
    let texts = texts("notify/broken");
    assert_eq!(texts.len(), 3);
    let mut found = Vec::new();
    for (stem, text) in &texts {
        let reading = read(text);
        assert_eq!(reading.rules, None, "{stem}");
        found.extend(differences(stem, text, &reading.diagnostics));
        assert!(!format!("{:?}", reading.diagnostics).contains("services/T0"), "a fault repeats a secret");
    }
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn good_files_are_read_and_go_through_the_compiled_text() {
    for (stem, text) in texts("notify/good") {
        let reading = read(&text);
        assert_eq!(reading.diagnostics, [], "{stem}");
        let rules = reading.rules.unwrap();
        assert_eq!(Rules::from_json(&rules.to_json()).unwrap(), rules, "{stem}");
    }
}

#[test]
fn each_key_of_the_file_is_in_the_rules() {
    let (_, text) = texts("notify/good").into_iter().find(|(stem, _)| stem == "everything").unwrap();
    let rules = read(&text).rules.unwrap();
    assert!(ChannelKind::ALL.iter().all(|kind| rules.channels.values().any(|channel| channel.kind == *kind)));
    assert_eq!(rules.channels["mail"].setting("password"), Some("env:SMTP_PASSWORD"));
    assert_eq!(rules.routes[0].to, ["audit"]);
    assert_eq!(rules.routes[2].outcomes, [RunOutcome::Degraded, RunOutcome::NotHealed, RunOutcome::Failed]);
    assert_eq!(rules.routes[2].actions, ["check_worker_health", "restart_pod"]);
    assert_eq!(rules.routes[3].digest.as_ref().unwrap().at, ["08:00", "16:00"]);
}

#[test]
fn files_over_a_limit_are_refused() {
    let channels = (0..=limit::CHANNELS)
        .map(|number| format!("  c{number}: {{type: slack, url: \"env:X\"}}\n"))
        .collect::<Vec<_>>()
        .concat();
    let routes = "  - {to: a}\n".repeat(limit::ROUTES + 1);
    let names = vec!["a"; limit::NAMES + 1].join(", ");
    let long = "x".repeat(limit::SETTING_BYTES + 1);
    for text in [
        format!("channels:\n{channels}"),
        format!("routes:\n{routes}"),
        format!("routes: [{{to: [{names}]}}]\n"),
        format!("channels: {{a: {{type: sns, topic: \"{long}\"}}}}\n"),
    ] {
        let reading = read(&text);
        assert!(reading.diagnostics.iter().any(|fault| fault.code == "budget-exceeded"), "{:?}", reading.diagnostics);
    }
}

#[test]
fn the_schema_admits_the_good_files_and_no_secret() {
    let schema = jsonschema::validator_for(&schema(&actions())).unwrap();
    let (_, text) = texts("notify/good").into_iter().find(|(stem, _)| stem == "everything").unwrap();
    let rules = read(&text).rules.unwrap();
    let mut value: Value = serde_json::to_value(&rules).unwrap();
    for route in value["routes"].as_array_mut().unwrap() {
        route.as_object_mut().unwrap().remove("actions");
    }
    assert!(
        schema.is_valid(&value),
        "{:?}",
        schema.iter_errors(&value).map(|error| error.to_string()).collect::<Vec<_>>()
    );
    value["channels"]["chat"]["url"] = "https://hooks.slack.com/services/T0/B0/xyz".into();
    assert!(!schema.is_valid(&value));
}
