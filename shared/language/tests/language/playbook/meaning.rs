//! The model that reading gives: defaults, names, order.

use heal_engine::catalog::Safety;
use heal_engine::playbook::{Condition, OnFailure, OnUnavailable, Retry, Step, Trigger};
use serde_json::json;

use super::{codes, good, read};
use crate::texts;

fn playbook(stem: &str) -> heal_engine::playbook::Playbook {
    let (_, text) = texts("playbooks/good").into_iter().find(|(name, _)| name == stem).expect(stem);
    read(stem, &text).playbook.expect(stem)
}

fn names(steps: &[Step]) -> Vec<&str> {
    steps.iter().map(|step| step.name.as_str()).collect()
}

#[test]
fn the_example_of_the_guide_runs_its_steps_in_sequence() {
    let playbook = playbook("ticket_timeout_recovery");
    assert_eq!(playbook.timeout_seconds, 120);
    assert_eq!(
        names(&playbook.actions),
        ["check_worker_health", "restart_pod", "reallocate_ticket", "update_ticket_status"]
    );
    let needs: Vec<String> = playbook.actions.iter().map(|step| step.needs.join(" ")).collect();
    assert_eq!(needs, ["", "check_worker_health", "restart_pod", "reallocate_ticket"]);
    assert_eq!(playbook.actions[1].condition, Some(Condition::Expression("{{ worker_unhealthy }}".into())));
    assert_eq!(playbook.actions[3].parameters["status"], "pending");
    assert!(playbook.verify.is_empty());
}

#[test]
fn the_three_playbooks_of_the_default_routing_have_default_triggers() {
    for (name, incident_type) in [
        ("ticket_timeout_recovery", "TICKET_TIMEOUT"),
        ("worker_failure_recovery", "WORKER_FAILURE"),
        ("sla_violation_mitigation", "SLA_VIOLATION"),
    ] {
        let text = "actions:\n  - type: wait\n    parameters: {seconds: 1}\n";
        let playbook = read(name, text).playbook.expect(name);
        assert_eq!(playbook.triggers, [Trigger { incident_type: incident_type.into(), condition: None }]);
        let silent = read(name, &format!("triggers: []\n{text}")).playbook.expect(name);
        assert_eq!(silent.triggers, [], "an empty list is a word");
    }
    assert_eq!(good("actions:\n  - type: wait\n    parameters: {seconds: 1}\n").triggers, []);
}

#[test]
fn a_step_has_the_defaults_of_the_language_and_of_its_action() {
    let playbook = good("actions:\n  - type: restart_pod\n    parameters: {pod_name: p}\n");
    assert_eq!((playbook.name.as_str(), playbook.description.as_str(), playbook.timeout_seconds), ("test", "", 300));
    let step = &playbook.actions[0];
    assert_eq!(step.name, "restart_pod");
    assert_eq!(step.retry, Retry { max_attempts: 1, backoff_seconds: 2, max_backoff_seconds: 60 });
    assert_eq!(step.timeout_seconds, 90, "the catalogue's");
    assert_eq!((step.on_failure, step.on_unavailable), (OnFailure::Stop, OnUnavailable::Skip));
    assert_eq!(step.safety, Safety::Probe);
    assert_eq!(step.inherits, ["namespace"]);
    assert_eq!((&step.condition, &step.for_each, &step.until), (&None, &None, &None));
    let check = &good("actions:\n  - type: check_worker_health\n    parameters: {worker_id: w}\n").actions[0];
    assert_eq!(
        check.outputs,
        ["healthy", "worker_unhealthy", "found", "pod_name", "pod_uid", "phase", "reason", "restarts"]
    );
}

#[test]
fn a_default_timeout_never_exceeds_the_runs() {
    let playbook = good("timeout_seconds: 10\nactions:\n  - type: restart_pod\n    parameters: {pod_name: p}\n");
    assert_eq!(playbook.actions[0].timeout_seconds, 10);
}

#[test]
fn repeated_types_are_numbered_and_avoid_explicit_names() {
    assert_eq!(
        names(&playbook("plain").actions),
        [
            "check_worker_health",
            "check_worker_health_2",
            "check_worker_health_3",
            "check_worker_health_4",
            "get_workflow_status"
        ]
    );
}

#[test]
fn every_key_is_read() {
    let playbook = playbook("everything");
    assert_eq!(playbook.triggers.len(), 2);
    assert_eq!(playbook.concurrency_key.as_deref(), Some("ticket:{{ ticket_id }}"));
    let [check, fan, wait, update, last] = playbook.actions.as_slice() else { panic!("five actions") };
    assert_eq!(check.retry, Retry { max_attempts: 4, backoff_seconds: 3, max_backoff_seconds: 40 });
    assert_eq!((check.timeout_seconds, check.on_failure), (20, OnFailure::Continue));
    assert_eq!(check.on_unavailable, OnUnavailable::Retry);
    assert_eq!(fan.retry, check.retry, "an alias is the value that it stands for");
    assert_eq!(
        fan.for_each.as_ref().map(|each| (&each.items, each.max_parallel)),
        Some((&json!("{{ affected_tickets }}"), 3))
    );
    assert_eq!(wait.parameters["seconds"], 0.5);
    assert_eq!((&update.condition, update.on_unavailable), (&Some(Condition::Fixed(true)), OnUnavailable::Fail));
    assert_eq!(
        (last.name.as_str(), last.needs.as_slice()),
        ("reallocate_ticket_2", &["check".to_owned(), "wait".into()][..])
    );
    assert_eq!(last.for_each.as_ref().map(|each| each.max_parallel), Some(10));
    let [first, second] = playbook.verify.as_slice() else { panic!("two entries") };
    assert_eq!((first.name.as_str(), first.needs.as_slice()), ("check_worker_health", &[][..]));
    assert_eq!(second.needs, ["check_worker_health"]);
    let until = second.until.as_ref().expect("until");
    assert_eq!((until.within_seconds, until.every_seconds), (3, 3), "the default rhythm is no longer than the hope");
}

#[test]
fn words_that_yaml_1_1_reads_as_booleans_are_texts() {
    let playbook = playbook("everything");
    assert_eq!(playbook.actions[1].parameters["reason"], "no");
    assert_eq!(playbook.actions[4].parameters["reason"], "yes");
    let schema = playbook.parameters_schema.expect("a schema");
    assert_eq!(schema["properties"]["country"], json!({"enum": ["no", "se"]}));
    let numbers = "actions:\n  - type: update_ticket_status\n    parameters: {ticket_id: 007, status: failed, result: [1_000, on, 0x10]}\n";
    let parameters = &good(numbers).actions[0].parameters;
    assert_eq!((&parameters["ticket_id"], &parameters["result"]), (&json!("007"), &json!(["1_000", "on", 16])));
}

#[test]
fn old_keys_are_read_as_the_new_ones() {
    let playbook = playbook("older");
    assert_eq!((playbook.name.as_str(), playbook.timeout_seconds), ("older", 90));
    assert_eq!(names(&playbook.actions), ["check_worker_health", "restart_pod"]);
    assert_eq!(playbook.actions[0].timeout_seconds, 10);
    assert_eq!(playbook.actions[0].retry.max_attempts, 2, "one retry is two attempts");
    assert_eq!(playbook.actions[1].retry.max_attempts, 5, "a step's own word goes before the playbook's");
    assert_eq!(playbook.actions[1].parameters["pod_name"], "{{ pod_name }}");
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_have_no_effect() {
    assert_eq!(playbook("windows").actions[0].parameters["seconds"], "{{ 1 + 1 }}");
    let reading = read("test", "\u{feff}actions:\r\n  - type: wat\r\n");
    assert_eq!((reading.diagnostics[0].line, reading.diagnostics[0].column), (2, 11));
    let first = read("test", "\u{feff}action:\r\n");
    assert_eq!((first.diagnostics[0].line, first.diagnostics[0].column), (1, 1));
}

#[test]
fn verification_can_read_the_outputs_of_every_action() {
    let text = "actions:\n  - type: check_worker_health\n    name: a\n    parameters: {worker_id: w}\n  \
                - type: get_workflow_status\n    name: b\n    needs: []\n    parameters: {workflow_id: w}\n\
                verify:\n  - type: check_worker_health\n    until: \"{{ healthy and steps.b.is_terminal }}\"\n    \
                within_seconds: 5\n    parameters: {worker_id: \"{{ steps.a.phase ~ state }}\"}\n";
    good(text);
}

#[test]
fn an_unknown_name_is_accepted_unless_a_schema_lists_the_variables() {
    let actions = "actions:\n  - type: wait\n    condition: \"{{ disk_is_full }}\"\n    parameters: {seconds: 1}\n";
    good(actions);
    let closed = format!("parameters_schema: {{properties: {{ticket_id: {{}}}}}}\n{actions}");
    assert_eq!(codes(&closed), ["unknown-variable"]);
    let listed = format!("parameters_schema: {{required: [disk_is_full]}}\n{actions}");
    good(&listed);
    let empty = format!("parameters_schema: {{type: object, properties: {{}}}}\n{actions}");
    good(&empty);
}

#[test]
fn a_required_parameter_may_be_inherited_from_the_variable_of_its_name() {
    let status = "actions:\n  - type: get_workflow_status\n    for_each: [a]\n";
    good(status);
    let missing = "actions:\n  - type: check_worker_health\n";
    assert_eq!(codes(missing), ["missing-parameter"], "only what the action says it inherits");
}

#[test]
fn the_type_of_a_condition_is_refused_only_if_it_is_certain() {
    for condition in [
        "{{ not a }}",
        "{{ a and b }}",
        "{{ a or b }}",
        "{{ a if b else c }}",
        "{{ a }}",
        "{{ a.b }}",
        "{{ a[0] }}",
        "{{ a | length > 2 }}",
        "{{ a in b }}",
        "{{ a is defined }}",
        "{{ (a + 1) == 2 }}",
        "{{- a -}}",
        "{{ a | first }}",
        "{{ a | default(false) }}",
        "{{ a | bool }}",
        "{{ (a | split(','))[0] }}",
        "{{ severity == 'HIGH' }}",
        "{{ true }}",
        "{{ escalation_required }}",
        "{{ range(3) }}",
        "{{ [a][0] }}",
    ] {
        let text = format!("actions:\n  - type: wait\n    condition: {condition:?}\n    parameters: {{seconds: 1}}\n");
        assert!(codes(&text).is_empty(), "{condition}: {:?}", read("test", &text).diagnostics);
    }
    for condition in [
        "{{ a | length }}",
        "{{ a ~ b }}",
        "{{ a * 2 }}",
        "{{ severity }}",
        "{{ incident_id | upper }}",
        "{{ 'x' }}",
        "{{ affected_tickets }}",
        "{{ a | join(', ') }}",
        "{{ 7 }}",
        "{{ none }}",
        "{{ a }}{{ b }}",
        "yes",
        "{{ created_at }}",
    ] {
        let text = format!("actions:\n  - type: wait\n    condition: {condition:?}\n    parameters: {{seconds: 1}}\n");
        assert_eq!(codes(&text), ["not-boolean"], "{condition}");
    }
}
