//! Runs of the shipped playbooks against scripted results.

use heal_engine::event::{RunOutcome, RunStarted};
use heal_engine::message::{ActionCommand, ActionResult, AttemptOutcome, AttemptResult};
use heal_engine::turn::{self, Input};
use heal_engine::{Command, Map, Plan, RunId, State, Timestamp};
use serde_json::{Value, json};

use super::read;
use crate::{shipped_playbooks, texts};

mod workflows;

/// Bound on the inputs of one run; these runs need far fewer.
const TURNS: usize = 200;

/// An ended run, and the attempts that it made.
struct Run {
    outcome: RunOutcome,
    asked: Vec<(String, Map)>,
}

impl Run {
    /// The actions of the attempts, in order.
    fn actions(&self) -> Vec<&str> {
        self.asked.iter().map(|(action, _)| action.as_str()).collect()
    }

    fn parameters(&self, action: &str) -> &Map {
        let found = self.asked.iter().find(|(asked, _)| asked == action);
        found.map_or_else(|| panic!("{action} was not asked for"), |(_, parameters)| parameters)
    }
}

fn shipped(name: &str) -> Plan {
    plan(shipped_playbooks(), name)
}

fn plan(texts: Vec<(String, String)>, name: &str) -> Plan {
    let (_, text) = texts.into_iter().find(|(stem, _)| stem == name).expect(name);
    Plan::compile(read(name, &text).playbook.expect(name)).expect(name)
}

fn object(value: Value) -> Map {
    match value {
        Value::Object(map) => map,
        other => panic!("{other} is not an object"),
    }
}

fn gave(output: Value) -> AttemptResult {
    AttemptResult::succeeded(object(output))
}

fn out_of_reach(service: &str) -> AttemptResult {
    AttemptResult::new(AttemptOutcome::Unavailable {
        service: service.into(),
        message: "no answer".into(),
        retry_after_ms: None,
    })
}

fn health(healthy: bool) -> AttemptResult {
    gave(json!({
        "healthy": healthy, "worker_unhealthy": !healthy, "found": true, "pod_name": "p-1", "pod_uid": "u-1",
        "phase": "Running", "reason": null, "restarts": 0,
    }))
}

/// No pod matches the worker.
fn not_found() -> AttemptResult {
    let output = json!({
        "healthy": false, "worker_unhealthy": false, "found": false, "pod_name": null, "pod_uid": null,
        "phase": "", "reason": null, "restarts": 0,
    });
    gave(output).follow_up("find the pod of worker w")
}

fn reallocated() -> AttemptResult {
    gave(json!({"reallocated": ["t"], "denied": [], "status": "PENDING", "previous_worker": null}))
}

/// Runs to the end. `answer` gives the result of every attempt, from its command and the number of attempts before it.
fn run(plan: &Plan, variables: Value, mut answer: impl FnMut(&ActionCommand, usize) -> AttemptResult) -> Run {
    let mut now = Timestamp(1_000);
    let mut variables = object(variables);
    variables.insert("incident_id".into(), "i-1".into());
    let started = RunStarted {
        incident_id: "i-1".into(),
        incident_type: None,
        playbook: plan.playbook.name.clone(),
        plan_digest: plan.digest.clone(),
        variables,
        approval: false,
        named: false,
        gate: None,
        mode: heal_engine::autonomy::RunMode::Live,
        autonomy: None,
        requested_by: None,
        concurrency_key: None,
        traceparent: None,
    };
    let (mut state, _) = turn::begin(plan, RunId::new("run-1"), started, now, 1).expect("a run begins");
    let mut asked = Vec::new();
    for _ in 0..TURNS {
        if let Some(outcome) = state.outcome() {
            return Run { outcome, asked };
        }
        let input = match next(plan, &state, now) {
            Command::Perform { command, .. } => {
                let result = answer(&command, asked.len());
                asked.push((command.action.clone(), command.parameters.clone()));
                now = now.plus_ms(10);
                Input::Result(Box::new(ActionResult {
                    run_id: command.run_id,
                    step: command.step,
                    item: command.item,
                    attempt: command.attempt,
                    token: command.token,
                    finished_at: now,
                    started_at: None,
                    result,
                }))
            }
            Command::Wake { at, .. } => {
                now = at;
                Input::Wake
            }
        };
        turn::take(plan, &mut state, input, now, 1).expect("the input is taken");
    }
    panic!("no end after {TURNS} inputs");
}

/// The next command: an attempt if there is one, else a wake-up.
fn next(plan: &Plan, state: &State, now: Timestamp) -> Command {
    let mut owed = heal_engine::decide::since(plan, state, now, 0);
    let perform = owed.iter().position(|command| matches!(command, Command::Perform { .. }));
    assert!(!owed.is_empty(), "a live run owes something");
    owed.remove(perform.unwrap_or(0))
}

#[test]
fn the_guides_example_leaves_a_healthy_worker_alone() {
    let plan = plan(texts("playbooks/good"), "ticket_timeout_recovery");
    let run = run(&plan, json!({"ticket_id": "t", "worker_id": "w"}), |_, _| health(true));
    assert_eq!(run.actions(), ["check_worker_health", "reallocate_ticket", "update_ticket_status"]);
    assert_eq!(run.outcome, RunOutcome::Completed);
}

#[test]
fn the_ticket_of_an_unhealthy_worker_is_reallocated_after_its_pod_is_replaced() {
    let incident = json!({"ticket_id": "t", "worker_id": "w", "pod_name": "p", "namespace": "n"});
    // The pod is back at the second probe.
    let run = run(&shipped("ticket_timeout_recovery"), incident, |_, before| health(before >= 5));
    assert_eq!(run.outcome, RunOutcome::Healed);
    assert_eq!(
        run.actions(),
        [
            "check_worker_health",
            "restart_pod",
            "reallocate_ticket",
            "update_ticket_status",
            "check_worker_health",
            "check_worker_health"
        ]
    );
    let found = json!({"pod_name": "p-1", "pod_uid": "u-1", "namespace": "n"});
    assert_eq!(run.parameters("restart_pod"), &object(found), "the pod that was found, not the one of the incident");
    assert_eq!(run.parameters("check_worker_health"), &object(json!({"worker_id": "w", "namespace": "n"})));
}

#[test]
fn a_ticket_whose_reallocation_was_skipped_keeps_its_status() {
    let incident = json!({"ticket_id": "t", "worker_id": "w"});
    let run = run(&shipped("ticket_timeout_recovery"), incident, |command, _| match &*command.action {
        "reallocate_ticket" => out_of_reach("execution-ticket-service"),
        _ => health(true),
    });
    assert_eq!(run.actions(), ["check_worker_health", "reallocate_ticket"]);
    assert_eq!(run.outcome, RunOutcome::Degraded);
}

#[test]
fn without_a_worker_the_ticket_is_reallocated_and_nothing_is_claimed_of_the_worker() {
    let (timeout, failure) = (shipped("ticket_timeout_recovery"), shipped("worker_failure_recovery"));
    let run_of_timeout = run(&timeout, json!({"ticket_id": "t", "worker_unhealthy": true}), |_, _| reallocated());
    assert_eq!(run_of_timeout.actions(), ["reallocate_ticket", "update_ticket_status"]);
    assert_eq!(run_of_timeout.outcome, RunOutcome::Completed);
    let run_of_failure = run(&failure, json!({"affected_tickets": ["t"]}), |_, _| reallocated());
    assert_eq!(run_of_failure.actions(), ["reallocate_ticket"]);
    assert_eq!(run_of_failure.outcome, RunOutcome::Completed);
}

#[test]
fn a_worker_that_no_pod_matches_is_left_alone_and_the_run_says_so() {
    let cases = [
        ("ticket_timeout_recovery", json!({"ticket_id": "t", "worker_id": "w"})),
        ("worker_failure_recovery", json!({"affected_tickets": ["t"], "worker_id": "w"})),
    ];
    for (name, incident) in cases {
        let run = run(&shipped(name), incident, |command, _| match &*command.action {
            "check_worker_health" => not_found(),
            _ => reallocated(),
        });
        assert!(run.actions().contains(&"reallocate_ticket"), "{name}: {:?}", run.actions());
        assert!(!run.actions().contains(&"restart_pod"), "{name}: {:?}", run.actions());
        assert_eq!(run.outcome, RunOutcome::Degraded, "{name}");
    }
}

#[test]
fn the_restart_is_of_the_pod_that_was_found_and_the_verification_follows_its_replacement() {
    let cases = [
        ("ticket_timeout_recovery", json!({"ticket_id": "t", "worker_id": "w", "pod_name": "old"})),
        ("worker_failure_recovery", json!({"affected_tickets": ["t"], "worker_id": "w", "pod_name": "old"})),
    ];
    for (name, incident) in cases {
        let run = run(&shipped(name), incident, |command, before| match &*command.action {
            "check_worker_health" => health(before > 0),
            "restart_pod" => gave(json!({"replaced_by": "p-2"})),
            _ => reallocated(),
        });
        assert_eq!(run.parameters("restart_pod"), &object(json!({"pod_name": "p-1", "pod_uid": "u-1"})), "{name}");
        let verified = run.asked.iter().rev().find(|(action, _)| action == "check_worker_health");
        assert_eq!(verified.unwrap().1, object(json!({"worker_id": "p-2"})), "{name}");
        assert_eq!(run.outcome, RunOutcome::Healed, "{name}");
    }
}

#[test]
fn the_ticket_does_not_wait_for_a_cluster_that_refuses() {
    let incident = json!({"ticket_id": "t", "worker_id": "w"});
    let refuses = |action: &'static str| {
        move |command: &ActionCommand, _: usize| match &*command.action {
            refused if refused == action => AttemptResult::new(AttemptOutcome::Failed {
                code: "forbidden".into(),
                message: "pods are forbidden".into(),
                retryable: false,
            }),
            "check_worker_health" => health(false),
            _ => reallocated(),
        }
    };
    for action in ["check_worker_health", "restart_pod"] {
        let run = run(&shipped("ticket_timeout_recovery"), incident.clone(), refuses(action));
        assert!(run.actions().contains(&"update_ticket_status"), "{action}: {:?}", run.actions());
        assert_eq!(run.outcome, RunOutcome::Degraded, "{action}");
    }
}

#[test]
fn a_ticket_that_has_ended_keeps_its_status() {
    let incident = json!({"ticket_id": "t"});
    let run = run(&shipped("ticket_timeout_recovery"), incident, |_, _| {
        AttemptResult::new(AttemptOutcome::NoOp { reason: "the ticket is COMPLETED".into() })
    });
    assert_eq!((run.actions(), run.outcome), (vec!["reallocate_ticket"], RunOutcome::Completed));
}

#[test]
fn a_worker_that_does_not_come_back_is_not_healed() {
    let incident = json!({"ticket_id": "t", "worker_id": "w", "pod_name": "p", "namespace": "n"});
    let run = run(&shipped("ticket_timeout_recovery"), incident, |_, _| health(false));
    assert_eq!(run.outcome, RunOutcome::NotHealed);
}

#[test]
fn tickets_of_a_failed_worker_are_reallocated_as_a_batch() {
    let incident = json!({"worker_id": "w", "affected_tickets": ["a", "b"]});
    let run = run(&shipped("worker_failure_recovery"), incident, |_, before| health(before >= 3));
    assert_eq!(run.outcome, RunOutcome::Healed);
    assert_eq!(run.parameters("restart_pod"), &object(json!({"pod_name": "p-1", "pod_uid": "u-1"})));
    let batch = json!({"affected_tickets": ["a", "b"], "reason": "worker_failure"});
    assert_eq!(run.parameters("reallocate_ticket"), &object(batch));
}

#[test]
fn a_worker_without_tickets_is_only_replaced() {
    for incident in [json!({"worker_id": "w"}), json!({"worker_id": "w", "affected_tickets": []})] {
        let run = run(&shipped("worker_failure_recovery"), incident, |_, before| health(before >= 2));
        assert_eq!(run.actions(), ["check_worker_health", "restart_pod", "check_worker_health"]);
    }
}

#[test]
fn tickets_are_reallocated_even_if_the_cluster_is_unreachable() {
    let incident = json!({"worker_id": "w", "affected_tickets": ["a"]});
    let run = run(&shipped("worker_failure_recovery"), incident, |command, _| match &*command.action {
        "reallocate_ticket" => gave(json!({"reallocated": ["a"], "denied": []})),
        _ => out_of_reach("kubernetes"),
    });
    assert!(run.actions().contains(&"reallocate_ticket"), "{:?}", run.actions());
    assert!(!run.actions().contains(&"restart_pod"), "nothing is known of the worker");
    assert_eq!(run.outcome, RunOutcome::Degraded);
}
