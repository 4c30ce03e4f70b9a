//! Bad input: the message names the fault and its position, the exit code is 2, and nothing is stored.

use crate::support::{heal, heal_with_input, path, playbooks};

/// The message on standard error for an incident that is refused.
fn refused(incident: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state.db");
    let args = ["run", "-", "--sandbox", "--state", path(&state)];
    let ran = heal_with_input(&args, incident.as_bytes()).exits(2);
    assert_eq!(ran.stdout, "");
    assert!(!state.exists(), "something was stored for {incident}");
    ran.stderr
}

#[test]
fn a_malformed_incident_is_refused_with_the_position() {
    let cases = [
        ("{\"incident_id\": \"i\",\n  \"severity\": }", &["standard input", "not JSON", "line 2"][..]),
        ("", &["not JSON", "line 1"]),
        ("[]", &["an object is needed"]),
        ("{}", &["no known shape", "incident_id"]),
        (
            r#"{"incident_id": 7, "affected_tickets": ["a", 2], "incident_type": "TICKET_TIMEOUT"}"#,
            &["incident_id", "the number 7", "affected_tickets[1]"],
        ),
        (r#"{"incident_id": "i", "incident_id": "j"}"#, &["`incident_id` is given twice"]),
        (
            r#"{"incident_id": "i", "incident_type": "TICKET_TIMEOUT", "worker_id": "w"}"#,
            &["ticket_timeout_recovery", "ticket_id"],
        ),
        (
            r#"{"incident_id": "i", "incident_type": "WORKER_FAILURE", "worker_id": null}"#,
            &["worker_failure_recovery", "none of the alternatives fits", "worker_id", "affected_tickets"],
        ),
        (
            r#"{"incident_id": "i", "remediation_id": "r", "playbook_id": "ticket_timeout_recovery", "parameters": {"affected_tickets": ["a", "b"]}}"#,
            &[
                "ticket_timeout_recovery works on one ticket",
                "the request `r` names 2",
                "send one request for each ticket",
            ],
        ),
        (
            r#"{"incident_id": "i", "incident_type": "TICKET_TIMOUT"}"#,
            &["no playbook has a trigger", "TICKET_TIMOUT", "TICKET_TIMEOUT"],
        ),
        (r#"{"incident_id": "i"}"#, &["neither an incident_type nor the name of a playbook"]),
        (
            r#"{"incident_id": "i", "playbook_name": "workflow_restrat", "parameters": {}}"#,
            &["no playbook `workflow_restrat`", "did you mean `workflow_restart`?"],
        ),
    ];
    for (incident, named) in cases {
        let said = refused(incident);
        for part in named {
            assert!(said.contains(part), "no {part:?} in {said:?} for {incident:?}");
        }
    }
}

#[test]
fn a_payload_of_ten_megabytes_is_refused_by_its_size() {
    let payload = format!(r#"{{"incident_id": "{}"}}"#, "x".repeat(10 * 1024 * 1024));
    let said = refused(&payload);
    assert!(said.contains("the limit is 262144 bytes"), "{said}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("incident.json");
    std::fs::write(&file, payload).unwrap();
    heal(&["run", path(&file), "--sandbox"]).exits(2).complains(&["incident.json: has 10485779 bytes"]);
}

#[test]
fn a_file_that_is_not_text_is_refused_with_the_offset() {
    let ran = heal_with_input(&["run", "-", "--sandbox"], b"{\"incident_id\": \"\xff\"}").exits(2);
    ran.complains(&["not UTF-8", "offset 17"]);
}

#[test]
fn a_nested_payload_is_refused_at_its_depth() {
    let deep = format!(r#"{{"incident_id": "i", "x": {}1{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    let said = refused(&deep);
    assert!(said.contains("nested too deep") && said.contains("x[0]"), "{said:.300}");
}

#[test]
fn a_name_with_control_characters_is_neutralised_in_the_message() {
    let said = refused("{\"incident_id\": \"i\", \"playbook_name\": \"\\u001b[2J\\u202e\", \"parameters\": {}}");
    assert!(!said.trim_end().contains(heal_telemetry::text::is_risky), "{said:?}");
}

#[test]
fn bad_usage_exits_with_2() {
    heal(&["run"]).exits(2).complains(&["INCIDENT.json"]);
    heal(&["run", "a.json", "--nonsense"]).exits(2).complains(&["--nonsense"]);
    heal(&["run", "no-such-file.json"]).exits(2).complains(&["no-such-file.json", "No such file"]);
    heal(&["run", "tests/events/ticket_timeout.json", "--playbooks", "nowhere"])
        .exits(2)
        .complains(&["nowhere", "--playbooks DIR"]);
    heal(&["run", "tests/events/ticket_timeout.json", "--healthy"]).exits(2).complains(&["--sandbox"]);
    heal(&["run", "tests/events/ticket_timeout.json", "--playbook", "ticket_timeout_recovry"])
        .exits(2)
        .complains(&["did you mean `ticket_timeout_recovery`?"]);
}

#[test]
fn every_error_of_every_playbook_is_printed_before_anything_runs() {
    let folder = playbooks(&[
        (
            "cycle.yaml",
            "actions:\n  - {type: wait, name: a, needs: [b], parameters: {seconds: 1}}\n  - {type: wait, name: b, needs: [a], parameters: {seconds: 1}}\n",
        ),
        (
            "template.yaml",
            "actions:\n  - type: restart_workflow\n    parameters: {workflow_id: \"{{ workflow_id | }}\"}\n",
        ),
    ]);
    let ran =
        heal(&["run", "tests/events/ticket_timeout.json", "--sandbox", "--playbooks", path(folder.path())]).exits(2);
    ran.complains(&[
        "cycle.yaml:2",
        "needs-cycle",
        "template.yaml:3",
        "template-syntax",
        "2 of 2 playbooks cannot be used",
    ]);
}

#[test]
fn a_template_error_in_a_run_fails_the_step_and_names_it() {
    let folder = playbooks(&[(
        "late.yaml",
        "actions:\n  - type: restart_workflow\n    parameters: {workflow_id: \"{{ missing_name }}\"}\n",
    )]);
    let args = ["run", "-", "--sandbox", "--json", "--playbook", "late", "--playbooks", path(folder.path())];
    let report = heal_with_input(&args, br#"{"incident_id": "i"}"#).exits(1).report();
    assert_eq!(report["outcome"], "FAILED");
    let error = report["steps"][0]["error"].as_str().unwrap();
    assert!(error.contains("workflow_id") && error.contains("`missing_name` is not defined"), "{error}");
}

#[test]
fn a_wrong_variable_of_the_environment_is_named() {
    let mut command = crate::support::command(&["run", "tests/events/ticket_timeout.json"]);
    command.env("OPA_PORT", "many").env("EXECUTION_TICKET_SERVICE_TIMEOUT", "0");
    crate::support::finish(&mut command)
        .exits(2)
        .complains(&["OPA_PORT is \"many\"", "EXECUTION_TICKET_SERVICE_TIMEOUT is \"0\""]);
    let mut command = crate::support::command(&["run", "tests/events/ticket_timeout.json"]);
    crate::support::finish(command.env("RUST_LOG", "a=b=c")).exits(2).complains(&["RUST_LOG"]);
}

#[test]
fn a_file_that_is_not_a_state_file_is_left_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("letter.txt");
    std::fs::write(&file, "Dear Sir or Madam, ".repeat(100)).unwrap();
    let args = ["run", "tests/events/ticket_timeout.json", "--sandbox", "--state", path(&file)];
    heal(&args).exits(2).complains(&["letter.txt"]);
    assert!(std::fs::read_to_string(&file).unwrap().starts_with("Dear Sir"));
    heal(&["runs", "list", "--state", "nowhere.db"]).exits(2).complains(&["nowhere.db", "no such state file"]);
}
