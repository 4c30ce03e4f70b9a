//! The JSON Schema for editors.

use std::collections::BTreeSet;

use heal_language::playbook::schema;
use jsonschema::Validator;
use serde_json::Value;

use super::read;
use crate::catalog::catalog;
use crate::{shipped_playbooks, texts};

fn validator() -> Validator {
    jsonschema::draft202012::new(&schema(&catalog())).expect("a JSON Schema")
}

fn json(text: &str) -> Value {
    let options = serde_saphyr::options! { strict_booleans: true };
    serde_saphyr::from_str_with_options(text, options).expect("YAML")
}

#[test]
fn the_schema_is_a_json_schema() {
    jsonschema::draft202012::meta::validate(&schema(&catalog())).expect("valid against the meta-schema");
}

#[test]
fn playbooks_that_are_read_without_a_warning_are_valid() {
    let validator = validator();
    let good = texts("playbooks/good").into_iter().filter(|(name, _)| name != "older");
    for (name, text) in good.chain(shipped_playbooks()) {
        let value = json(text.trim_start_matches('\u{feff}'));
        let errors: Vec<String> =
            validator.iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{name}: {errors:#?}");
    }
}

#[test]
fn faults_that_an_editor_can_detect_are_refused() {
    let validator = validator();
    let texts = texts("playbooks/broken");
    for name in [
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
    ] {
        let (_, text) = texts.iter().find(|(stem, _)| stem == name).expect(name);
        assert!(!validator.is_valid(&json(text)), "{name} is valid");
    }
}

#[test]
fn each_fault_that_an_editor_can_detect_is_refused_alone() {
    let validator = validator();
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

fn keys(schema: &Value, pointer: &str) -> BTreeSet<String> {
    let properties = schema.pointer(pointer).and_then(Value::as_object).unwrap_or_else(|| panic!("{pointer}"));
    properties.keys().cloned().collect()
}

/// The keys that reading lists when it reports an unknown one.
fn read_keys(text: &str) -> BTreeSet<String> {
    let diagnostics = read("test", text).diagnostics;
    let help = diagnostics.iter().find(|one| one.code == "unknown-key").and_then(|one| one.help.as_deref());
    let (_, list) = help.expect("help").split_once(" has the keys ").expect("a list of keys");
    list.split(", ").map(ToOwned::to_owned).collect()
}

#[test]
fn the_schema_and_the_reading_have_the_same_keys() {
    let schema = schema(&catalog());
    for (pointer, text) in [
        ("/properties", "xyzxyz: 1\n"),
        ("/$defs/action/properties", "actions:\n  - xyzxyz: 1\n"),
        ("/$defs/verify/properties", "verify:\n  - xyzxyz: 1\n"),
        ("/$defs/retry/properties", "actions:\n  - retry: {xyzxyz: 1}\n"),
        ("/properties/triggers/items/properties", "triggers:\n  - xyzxyz: 1\n"),
    ] {
        assert_eq!(keys(&schema, pointer), read_keys(text), "{pointer}");
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
