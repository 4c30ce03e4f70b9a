//! The JSON Schema for editors.

use heal_language::playbook::schema;
use serde_json::Value;

use super::read;
use crate::catalog::catalog;
use crate::schema::{assert_refused, assert_valid, json, keys, listed_keys, validator};
use crate::{shipped_playbooks, texts};

#[test]
fn playbooks_that_are_read_without_a_warning_are_valid() {
    let good = texts("playbooks/good").into_iter().filter(|(name, _)| name != "older");
    assert_valid(&schema(&catalog()), good.chain(shipped_playbooks()));
}

#[test]
fn faults_that_an_editor_can_detect_are_refused() {
    let names = [
        "budgets",
        "conditions",
        "no_actions",
        "no_actions_key",
        "not_an_object",
        "parameters",
        "triggers",
        "unknown_actions",
        "unknown_keys",
        "verify",
        "waits",
        "words",
        "wrong_types",
        "names",
        "for_each",
    ];
    assert_refused(&schema(&catalog()), "playbooks/broken", &names);
}

#[test]
fn each_fault_that_an_editor_can_detect_is_refused_alone() {
    let validator = validator(&schema(&catalog()));
    let step = |lines: &str| json(&format!("actions:\n  - {}\n", lines.replace('\n', "\n    ")));
    for good in [
        "type: restart_pod\nparameters: {pod_name: p}",
        "type: restart_pod\nparameters: {pod_name: \"{{ pod_name }}\"}",
        "type: pause_workflow\nparameters: {workflow_id: w, duration_seconds: \"{{ 60 * 5 }}\"}",
        "type: reallocate_ticket\nparameters: {affected_tickets: [\"{{ ticket_id }}\", t], reason: r}",
        "type: wait\nparameters: {seconds: \"{{ delay_ms / 1000 }}\"}",
        "type: get_workflow_status",
    ] {
        assert!(validator.is_valid(&step(good)), "{good}");
    }
    for wrong in [
        "type: restart_pod",
        "type: restart_pods\nparameters: {pod_name: p}",
        "type: restart_pod\nparameters: {pod_name: 7}",
        "type: restart_pod\nparameters: {pod_name: p, pod: q}",
        "type: pause_workflow\nparameters: {workflow_id: w, duration_seconds: soon}",
        "type: reallocate_ticket\nparameters: {reason: r}",
        "type: reallocate_ticket\nparameters: {affected_tickets: [7], reason: r}",
        "type: trigger_replanning\nparameters: {plan_id: p, reason: r, priority: 11}",
        "type: wait\nparameters: {seconds: 0}",
        "type: wait\nfor_each: [1]\nparameters: {seconds: 1}",
        "type: check_worker_health\ncondition: \"false\"\nparameters: {worker_id: w}",
        "type: check_worker_health\nuntil: true\nparameters: {worker_id: w}",
    ] {
        assert!(!validator.is_valid(&step(wrong)), "{wrong}");
    }
}

#[test]
fn the_schema_and_the_reading_have_the_same_keys() {
    let schema = schema(&catalog());
    for (pointer, text) in [
        ("", "xyzxyz: 1\n"),
        ("/$defs/action", "actions:\n  - xyzxyz: 1\n"),
        ("/$defs/verify", "verify:\n  - xyzxyz: 1\n"),
        ("/$defs/retry", "actions:\n  - retry: {xyzxyz: 1}\n"),
        ("/properties/triggers/items", "triggers:\n  - xyzxyz: 1\n"),
    ] {
        let part = schema.pointer(pointer).unwrap_or_else(|| panic!("the schema has no {pointer}"));
        assert_eq!(keys(part), listed_keys(&read("test", text).diagnostics), "{pointer}");
    }
}

#[test]
fn every_key_has_a_description() {
    let schema = schema(&catalog());
    for pointer in ["/properties", "/$defs/action/properties", "/$defs/verify/properties", "/$defs/retry/properties"] {
        for (key, value) in schema.pointer(pointer).and_then(Value::as_object).unwrap() {
            let described = match value.get("$ref").and_then(Value::as_str) {
                Some(reference) if value.get("description").is_none() => schema.pointer(&reference[1..]).unwrap(),
                _ => value,
            };
            assert!(described.get("description").is_some(), "{pointer}/{key}");
        }
    }
}
