//! Runs of the shipped playbooks about workflows.

use heal_engine::event::RunOutcome;
use heal_engine::message::{ActionCommand, AttemptOutcome, AttemptResult, Violation};
use heal_engine::{Map, Timestamp};
use serde_json::json;

use super::{gave, out_of_reach, run, shipped};

#[test]
fn a_paused_workflow_is_resumed_and_verified() {
    let resumed = json!({"resumed": true, "state": "RUNNING", "pause_duration_seconds": 7, "resumed_at": 1_000});
    let needless = json!({"resumed": false, "state": "RUNNING", "pause_duration_seconds": null, "resumed_at": null});
    for (restart, updated_at, outcome) in [
        (&resumed, 1_000, RunOutcome::Healed),
        (&resumed, 999, RunOutcome::NotHealed),
        (&needless, 1, RunOutcome::Healed),
    ] {
        let answer = |command: &ActionCommand, _: usize| match &*command.action {
            "restart_workflow" => gave(restart.clone()),
            _ => gave(json!({"state": "RUNNING", "updated_at": updated_at})),
        };
        let run = run(&shipped("workflow_restart"), json!({"workflow_id": "wf"}), answer);
        assert_eq!(run.outcome, outcome, "{restart} {updated_at}");
        assert_eq!(run.actions()[..2], ["restart_workflow", "get_workflow_status"]);
        assert_eq!(run.parameters("restart_workflow")["reason"], "workflow stuck, incident i-1");
    }
}

#[test]
fn an_ended_workflow_is_not_resumed() {
    let refused = Violation {
        policy: "playbook_validation".into(),
        rule: "restart_workflow_terminal_state".into(),
        msg: "it is COMPLETED".into(),
        severity: "high".into(),
    };
    let run = run(&shipped("workflow_restart"), json!({"workflow_id": "wf"}), |_, _| {
        AttemptResult::new(AttemptOutcome::Denied { violations: vec![refused.clone()] })
    });
    assert_eq!((run.outcome, run.actions()), (RunOutcome::Denied, vec!["restart_workflow"]));
}

/// When the scripted orchestrator triggers a replanning, in epoch milliseconds.
const TRIGGERED_AT: u64 = 1_000;

/// The status of a workflow: state, time of its last change, and failed, completed and pending tickets.
fn status(state: &str, updated_at: u64, [failed, completed, pending]: [u32; 3]) -> AttemptResult {
    gave(json!({
        "state": state, "plan_id": "plan-of-the-orchestrator", "progress_percent": 40.0, "current_priority": 5,
        "is_terminal": matches!(state, "COMPLETED" | "FAILED" | "CANCELLED"), "is_paused": state == "PAUSED",
        "tickets_total": failed + completed + pending, "tickets_completed": completed, "tickets_pending": pending,
        "tickets_running": 0, "tickets_failed": failed, "sla_remaining_seconds": null,
        "started_at": 1, "updated_at": updated_at,
    }))
}

fn replanned() -> AttemptResult {
    gave(json!({"replanning_id": "r", "triggered_at": TRIGGERED_AT, "estimated_completion_seconds": null}))
}

#[test]
fn the_remedy_of_an_sla_violation_depends_on_its_cause() {
    let (before, since) = (TRIGGERED_AT - 1, TRIGGERED_AT);
    for (state, tickets, remedy, (after, updated_at), outcome) in [
        ("RUNNING", [3, 2, 5], Some("pause_workflow"), ("PAUSED", since), RunOutcome::Healed),
        ("RUNNING", [3, 2, 5], Some("pause_workflow"), ("RUNNING", since), RunOutcome::NotHealed),
        ("RUNNING", [0, 2, 5], Some("trigger_replanning"), ("REPLANNING", since), RunOutcome::Healed),
        ("RUNNING", [1, 2, 5], Some("trigger_replanning"), ("RUNNING", since), RunOutcome::Healed),
        ("RUNNING", [1, 2, 5], Some("trigger_replanning"), ("RUNNING", before), RunOutcome::NotHealed),
        ("RUNNING", [1, 2, 5], Some("trigger_replanning"), ("FAILED", since), RunOutcome::NotHealed),
        // Left alone: the run claims nothing, and does not hide a workflow that is not well.
        ("RUNNING", [0, 9, 0], None, ("COMPLETED", since), RunOutcome::Completed),
        ("PAUSED", [3, 2, 5], None, ("PAUSED", before), RunOutcome::Completed),
        ("FAILED", [3, 2, 5], None, ("FAILED", before), RunOutcome::NotHealed),
    ] {
        let plan = shipped("sla_violation_mitigation");
        let mut looks = 0;
        let run = run(&plan, json!({"workflow_id": "wf"}), |command, _| match &*command.action {
            "get_workflow_status" if looks == 0 => {
                looks += 1;
                status(state, before, tickets)
            }
            "get_workflow_status" => status(after, updated_at, tickets),
            "pause_workflow" => gave(json!({"paused": true, "scheduled_resume_at": 1})),
            _ => replanned(),
        });
        let remedies: Vec<&str> = run.actions().into_iter().filter(|action| *action != "get_workflow_status").collect();
        assert_eq!(remedies, remedy.into_iter().collect::<Vec<_>>(), "{state} {tickets:?}");
        assert_eq!(run.outcome, outcome, "{state} {tickets:?} {after} {updated_at}");
    }
}

#[test]
fn an_unreachable_orchestrator_causes_neither_pause_nor_replanning() {
    let plan = shipped("sla_violation_mitigation");
    let run = run(&plan, json!({"workflow_id": "wf"}), |_, _| out_of_reach("orchestrator"));
    assert!(run.actions().iter().all(|action| *action == "get_workflow_status"), "{:?}", run.actions());
    assert_eq!(run.outcome, RunOutcome::Degraded);
}

#[test]
fn a_workflow_is_replanned_with_its_current_plan() {
    let incident = json!({"workflow_id": "wf", "plan_id": "plan-of-the-incident"});
    let run = run(&shipped("workflow_replanning"), incident, |command, before| match &*command.action {
        "get_workflow_status" => status("RUNNING", if before == 0 { 1 } else { TRIGGERED_AT }, [0, 1, 1]),
        _ => replanned(),
    });
    assert_eq!(run.outcome, RunOutcome::Healed);
    let parameters = run.parameters("trigger_replanning");
    assert_eq!(parameters["plan_id"], "plan-of-the-orchestrator");
    assert_eq!((&parameters["priority"], &parameters["preserve_progress"]), (&json!(7), &json!(true)));
}

#[test]
fn a_workflow_that_runs_as_before_is_no_evidence_of_a_replanning() {
    let plan = shipped("workflow_replanning");
    let run = run(&plan, json!({"workflow_id": "wf"}), |command, _| match &*command.action {
        "get_workflow_status" => status("RUNNING", TRIGGERED_AT - 1, [0, 1, 1]),
        _ => replanned(),
    });
    assert_eq!(run.outcome, RunOutcome::NotHealed);
}

#[test]
fn a_run_that_replans_nothing_claims_no_healing() {
    let plan = shipped("workflow_replanning");
    let running = || status("RUNNING", TRIGGERED_AT, [0, 1, 1]);
    let being_replanned = run(&plan, json!({"workflow_id": "wf"}), |_, _| status("REPLANNING", 1, [0, 1, 1]));
    assert_eq!((being_replanned.outcome, being_replanned.actions().len()), (RunOutcome::Completed, 2));
    let cooling = run(&plan, json!({"workflow_id": "wf"}), |command, _| match &*command.action {
        "get_workflow_status" => running(),
        _ => AttemptResult::new(AttemptOutcome::CoolingDown {
            target: "wf".into(),
            until: Timestamp(300_000),
            rule: None,
        }),
    });
    assert_eq!(cooling.outcome, RunOutcome::Denied);
    let needless = run(&plan, json!({"workflow_id": "wf"}), |command, _| match &*command.action {
        "get_workflow_status" => running(),
        _ => AttemptResult::no_op("being replanned already", Map::new()),
    });
    assert_eq!(needless.outcome, RunOutcome::Completed);
    let skipped = run(&plan, json!({"workflow_id": "wf"}), |command, _| match &*command.action {
        "get_workflow_status" => running(),
        _ => out_of_reach("orchestrator"),
    });
    assert_eq!(skipped.outcome, RunOutcome::Degraded);
}
