//! The runs whose logs are golden: live ones at every kind of wait, and ended ones.

use std::fs;

use heal_engine::autonomy::{Autonomy, AutonomyLevel, RunMode};
use heal_engine::event::{Commit, Event};
use heal_engine::incident::{Alert, Resolution};
use heal_engine::message::{AttemptOutcome, AttemptResult, Violation};
use heal_engine::state::Approver;
use heal_engine::state::follow_up::ESCALATION;
use heal_engine::turn::{ApprovalAnswer, Input};
use heal_engine::{Map, Plan, RunId, StepRef, Timestamp};
use serde_json::{Value, json};

use crate::fixture::{PlaybookCase, Run, Started};
use crate::log::Log;
use crate::{folder, plan};

const START: Timestamp = Timestamp(1_700_000_000_000);

/// Writes the logs that are not there yet.
pub fn write_missing() {
    fs::create_dir_all(folder("runs")).unwrap();
    for (name, plan, commits) in runs() {
        let path = folder("runs").join(format!("{name}.log"));
        if !path.exists() {
            fs::write(path, Log::text(plan, &commits)).unwrap();
        }
    }
}

fn object(value: Value) -> Map {
    serde_json::from_value(value).unwrap()
}

fn start(plan: Plan, variables: Value, approval: bool) -> Run {
    Run::start(plan, object(variables), approval, START, 7)
}

/// Answers a step's attempt 100 ms after the last commit.
fn answer(run: &mut Run, step: &str, item: Option<u32>, attempt: u32, result: AttemptResult) {
    let step = StepRef { step: run.plan.find(step).unwrap(), item };
    let input = run.result(step, attempt, result);
    after(run, 100, input);
}

fn after(run: &mut Run, milliseconds: u64, input: Input) {
    let at = run.commits.last().unwrap().at.plus_ms(milliseconds);
    run.take(input, at).unwrap();
}

fn gave(output: Value) -> AttemptResult {
    AttemptResult::succeeded(object(output))
}

/// Every run with the name of its plan.
fn runs() -> Vec<(&'static str, &'static str, Vec<Commit>)> {
    let incident = || json!({"incident_id": "incident-1", "ticket_id": "t-1", "worker_id": "w-1", "pod_name": "p-1", "namespace": "n", "created_at": 1_699_999_990_000_u64});
    let ticket = || start(plan("ticket_timeout_recovery"), incident(), false);
    let sick = || {
        gave(
            json!({"healthy": false, "worker_unhealthy": true, "phase": "Failed", "reason": "OOMKilled", "restarts": 3}),
        )
    };

    let mut acting = ticket();
    answer(&mut acting, "check_worker_health", None, 1, sick());

    let mut verifying = ticket();
    answer(&mut verifying, "check_worker_health", None, 1, sick());
    answer(
        &mut verifying,
        "restart_pod",
        None,
        1,
        gave(json!({"replaced_by": "p-2"})).warn("the pod had 2 containers"),
    );
    let reallocated = json!({"reallocated": ["t-1"], "denied": [], "status": "PENDING", "previous_worker": "w-1"});
    answer(&mut verifying, "reallocate_ticket", None, 1, gave(reallocated));
    let done = AttemptResult::no_op("the ticket is PENDING already", object(json!({"status": "PENDING"})));
    answer(&mut verifying, "update_ticket_status", None, 1, done);
    answer(&mut verifying, "worker_is_back", None, 1, sick());

    let mut awaiting = start(
        plan("worker_failure_recovery"),
        json!({"incident_id": "incident-1", "worker_id": "w-1", "affected_tickets": ["t-1"]}),
        true,
    );
    after(&mut awaiting, 50, Input::Joined { incident_id: "incident-2".to_owned() });

    let mut cancelled =
        start(plan("workflow_restart"), json!({"workflow_id": "wf-1", "incident_id": "incident-1"}), true);
    after(&mut cancelled, 50, Input::Approval(Box::new(ApprovalAnswer::of_run(Approver::new("ann")))));
    after(&mut cancelled, 50, Input::CancelRequested { by: "bob".to_owned() });
    answer(&mut cancelled, "restart_workflow", None, 1, gave(json!({"resumed": true, "state": "RUNNING"})));

    let mut denied =
        start(plan("workflow_restart"), json!({"workflow_id": "wf-1", "incident_id": "incident-1"}), false);
    let violation = Violation {
        policy: "playbook_validation".to_owned(),
        rule: "restart_workflow_terminal_state".to_owned(),
        msg: "it is COMPLETED".to_owned(),
        severity: "high".to_owned(),
    };
    answer(
        &mut denied,
        "restart_workflow",
        None,
        1,
        AttemptResult::new(AttemptOutcome::Denied { violations: vec![violation] }),
    );

    let mut skipped = ticket();
    let outage = AttemptOutcome::Unavailable {
        service: "kubernetes".to_owned(),
        message: "no answer".to_owned(),
        retry_after_ms: Some(1_000),
    };
    answer(
        &mut skipped,
        "check_worker_health",
        None,
        1,
        AttemptResult::new(outage).follow_up("look at the pod by hand"),
    );

    let mut fanned_out = start(fan_out_plan(), json!({"tickets": ["a", "b", "c"], "flag": false}), false);
    let broken =
        |retryable| AttemptOutcome::Failed { code: "http_500".to_owned(), message: "it broke".to_owned(), retryable };
    answer(&mut fanned_out, "each", Some(0), 1, AttemptResult::new(broken(true)));
    answer(&mut fanned_out, "each", Some(1), 1, gave(json!({"n": 1})));

    let mut waiting = start(wait_plan(), json!({}), false);
    answer(&mut waiting, "ask", None, 1, AttemptResult::new(broken(true)));

    let mut reminded = start(
        plan("workflow_restart"),
        json!({"workflow_id": "wf-1", "incident_id": "incident-1", "severity": "HIGH", "escalation_required": true}),
        true,
    );
    after(&mut reminded, 43_200_000, Input::Wake);

    let mut withdrawn = ticket();
    answer(&mut withdrawn, "check_worker_health", None, 1, sick());
    let resolution = Resolution {
        alert: Alert::Incident { id: "incident-1".to_owned() },
        reason: "the incident \"incident-1\" was resolved".to_owned(),
    };
    after(&mut withdrawn, 50, Input::Resolved(Box::new(resolution)));

    let mut followed_up =
        start(plan("workflow_restart"), json!({"workflow_id": "wf-1", "incident_id": "incident-1"}), false);
    answer(
        &mut followed_up,
        "restart_workflow",
        None,
        1,
        AttemptResult::failed("gone", "it is gone").follow_up("make a new one"),
    );
    let id = followed_up.state.follow_up.entries()[0].id.clone();
    after(&mut followed_up, 50, Input::FollowUpDone { id, by: "ann".to_owned(), note: Some("made wf-2".to_owned()) });

    let reason = "third worker_failure_recovery of worker:w-1 within 3600 s: run a ended HEALED, run b ended HEALED";
    let mut escalated = Run::escalated(
        plan("worker_failure_recovery"),
        object(json!({"incident_id": "incident-1", "worker_id": "w-1", "affected_tickets": ["t-1"]})),
        reason,
        START,
    );
    after(&mut escalated, 50, Input::Joined { incident_id: "incident-2".to_owned() });
    let acknowledged = Input::FollowUpDone {
        id: ESCALATION.to_owned(),
        by: "local:ann".to_owned(),
        note: Some("new disk".to_owned()),
    };
    after(&mut escalated, 50, acknowledged);
    let (level, by, reason) = (AutonomyLevel::Shadow, "local:ann".to_owned(), "we watch it".to_owned());
    let how = Started { mode: RunMode::Shadow, autonomy: Some(Autonomy { level, by, reason }), ..Started::default() };
    let variables = object(json!({"workflow_id": "wf-1", "incident_id": "incident-1"}));
    let mut shadowed = Run::start_as(plan("workflow_restart"), variables, false, how, START, 7);
    let would = AttemptOutcome::Shadowed {
        would: "would resume workflow \"wf-1\"".to_owned(),
        targets: vec!["wf-1".to_owned()],
    };
    answer(&mut shadowed, "restart_workflow", None, 1, AttemptResult::new(would));

    let rejected = Event::IncidentRejected {
        incident_id: "incident-1".to_owned(),
        reason: "incident_type is missing".to_owned(),
        message: r#"{"incident_id":"incident-1"}"#.to_owned(),
    };
    let rejected = Commit {
        run_id: RunId::new("run-1"),
        first_seq: 1,
        cause_id: "m-1".to_owned(),
        at: START,
        events: vec![rejected],
        chain: None,
    };

    vec![
        ("acting", "ticket_timeout_recovery", acting.commits),
        ("verifying", "ticket_timeout_recovery", verifying.commits),
        ("awaiting_approval", "worker_failure_recovery", awaiting.commits),
        ("cancelled", "workflow_restart", cancelled.commits),
        ("denied", "workflow_restart", denied.commits),
        ("skipped", "ticket_timeout_recovery", skipped.commits),
        ("fanned_out", "case_fan_out", fanned_out.commits),
        ("waiting", "case_wait", waiting.commits),
        ("reminded", "workflow_restart", reminded.commits),
        ("withdrawn", "ticket_timeout_recovery", withdrawn.commits),
        ("followed_up", "workflow_restart", followed_up.commits),
        ("escalated", "worker_failure_recovery", escalated.commits),
        ("shadowed", "workflow_restart", shadowed.commits),
        ("rejected", "-", vec![rejected]),
    ]
}

/// The plan of a case, which becomes a golden one where it is not yet.
fn case(name: &str, playbook: Value) -> Plan {
    let case: PlaybookCase = serde_json::from_value(playbook).unwrap();
    let path = folder("plans").join(format!("{name}.json"));
    if !path.exists() {
        fs::write(path, case.into_plan().to_json()).unwrap();
    }
    plan(name)
}

fn fan_out_plan() -> Plan {
    case(
        "case_fan_out",
        json!({"actions": [
            {"name": "never", "condition": "{{ flag }}"},
            {"name": "each", "for_each": "{{ tickets }}", "max_attempts": 2, "parameters": {"ticket_id": "{{ item }}"}},
            {"name": "count", "on_failure": "continue", "on_unavailable": "fail", "parameters": {"count": "{{ steps.each.succeeded }}"}},
        ]}),
    )
}

fn wait_plan() -> Plan {
    case(
        "case_wait",
        json!({"actions": [
            {"name": "pause", "type": "wait", "needs": [], "parameters": {"seconds": 2.5}},
            {"name": "ask", "needs": [], "max_attempts": 3, "on_unavailable": "retry", "safety": "probe"},
        ]}),
    )
}
