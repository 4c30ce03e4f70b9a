//! The orchestrator down, hanging, failing, and losing its answer.

use futures_util::future::join_all;
use heal_restart_workflow::{COOLDOWN_MS, NAME};
use heal_runtime::AttemptOutcome;
use heal_sandbox::orchestrator::WorkflowState;
use heal_sandbox::{Fault, FaultKind, Service};
use serde_json::json;
use tokio::time::Instant;

use crate::rig::{Rig, attempt, failed, no_op, of_run, output, short, unavailable, unknown};
use crate::{logs, of, worker};

fn status(code: &str) -> FaultKind {
    FaultKind::GrpcStatus { code: code.to_owned(), message: "told so".to_owned() }
}

#[tokio::test]
async fn an_orchestrator_out_of_reach_is_skipped_with_what_a_person_has_to_do() {
    for (operation, fault) in [
        (None, FaultKind::Refuse),
        (Some("GetWorkflowStatus"), FaultKind::Hang),
        (Some("GetWorkflowStatus"), status("UNAVAILABLE")),
        (Some("ResumeWorkflow"), status("UNAVAILABLE")),
        (Some("ResumeWorkflow"), status("RESOURCE_EXHAUSTED")),
        (Some("ResumeWorkflow"), FaultKind::Status { code: 503, retry_after_seconds: None }),
        (None, FaultKind::Drip { interval_ms: 3_000 }),
    ] {
        logs::collect();
        let rig = Rig::new();
        let fault = Fault { operation: operation.map(str::to_owned), ..Fault::new(Service::Orchestrator, fault) };
        rig.platform.set_fault(fault.clone()).unwrap();
        let started = Instant::now();
        let result = rig.perform(&worker(&rig), &short(&rig, of(&rig, "wf-1"))).await;
        assert!(started.elapsed() < crate::rig::SHORTLY, "{fault:?}");
        assert_eq!(unavailable(&result).0, "orchestrator");
        assert!(result.follow_up.len() == 1 && result.follow_up[0].contains("\"wf-1\""), "{:?}", result.follow_up);
        let lines = logs::of("orchestrator_client_unavailable");
        assert_eq!(lines.len(), 1, "{fault:?}");
        logs::assert_common_fields(&lines[0], "restart_workflow");
        assert_eq!(lines[0]["follow_up"], result.follow_up[0]);
        assert_eq!(rig.platform.workflow("wf-1").unwrap().state, WorkflowState::Paused);
    }
}

#[tokio::test]
async fn an_abort_after_the_effect_is_one_resume() {
    for code in ["UNKNOWN", "UNAVAILABLE", "ABORTED", "INTERNAL"] {
        let rig = Rig::new();
        let abort = FaultKind::AbortAfterEffect { code: code.to_owned(), message: String::new() };
        rig.fault(Service::Orchestrator, "ResumeWorkflow", abort);
        let result = rig.perform(&worker(&rig), &of(&rig, "wf-1")).await;
        assert_eq!((result.outcome, result.warnings.len()), (AttemptOutcome::Succeeded, 1), "{code}");
        assert_eq!(rig.calls_of("ResumeWorkflow").len(), 1, "{code}");
    }
}

#[tokio::test]
async fn a_resume_that_may_still_come_is_unknown_and_a_person_has_to_check() {
    logs::collect();
    let rig = Rig::new();
    rig.fault(Service::Orchestrator, "ResumeWorkflow", FaultKind::Hang);
    let result = rig.perform(&worker(&rig), &short(&rig, of(&rig, "wf-1"))).await;
    assert!(unknown(&result).contains("restart_workflow of \"wf-1\""), "{result:?}");
    let check = "check whether workflow \"wf-1\" is still PAUSED, and resume it by hand";
    assert!(result.follow_up[0].starts_with(check), "{:?}", result.follow_up);
    assert_eq!(logs::of("orchestrator_client_unavailable").len(), 1);
}

#[tokio::test]
async fn a_refusal_is_a_failure() {
    for (code, expected) in [
        ("FAILED_PRECONDITION", "precondition_failed"),
        ("PERMISSION_DENIED", "forbidden"),
        ("INVALID_ARGUMENT", "bad_request"),
    ] {
        let rig = Rig::new();
        rig.fault(Service::Orchestrator, "ResumeWorkflow", status(code));
        let result = rig.perform(&worker(&rig), &of(&rig, "wf-1")).await;
        assert_eq!(failed(&result).0, expected);
    }
}

#[tokio::test]
async fn of_many_restarts_at_once_one_resumes_and_the_others_find_nothing_to_do() {
    let rig = Rig::new().without_cooldown(NAME);
    let worker = worker(&rig);
    let commands: Vec<_> = (0..20).map(|number| of_run(&of(&rig, "wf-1"), &format!("run-{number}"))).collect();
    let results = join_all(commands.iter().map(|command| rig.perform(&worker, command))).await;
    let resumed = results.iter().filter(|result| result.outcome == AttemptOutcome::Succeeded).count();
    let needless = results.iter().filter(|result| matches!(result.outcome, AttemptOutcome::NoOp { .. })).count();
    assert_eq!((resumed, needless), (1, 19), "{results:?}");
    assert!(rig.calls_of("ResumeWorkflow").len() > 1, "several saw it paused");
    assert_eq!(rig.platform.effects().len(), 1);
}

#[tokio::test]
async fn of_many_restarts_at_once_one_is_asked_for_and_the_others_leave_the_workflow_alone() {
    let rig = Rig::new();
    let worker = worker(&rig);
    let commands: Vec<_> = (0..20).map(|number| of_run(&of(&rig, "wf-1"), &format!("run-{number}"))).collect();
    let results = join_all(commands.iter().map(|command| rig.perform(&worker, command))).await;
    assert_eq!(results.iter().filter(|result| result.outcome == AttemptOutcome::Succeeded).count(), 1, "{results:?}");
    assert_eq!(rig.calls_of("ResumeWorkflow").len(), 1);
    rig.clock.advance_ms(COOLDOWN_MS);
    no_op(&rig.perform(&worker, &of_run(&of(&rig, "wf-1"), "later")).await);
}

#[tokio::test]
async fn a_dropped_answer_is_one_effect() {
    let rig = Rig::new();
    rig.fault(Service::Orchestrator, "ResumeWorkflow", FaultKind::DropAnswer);
    let result = rig.perform(&worker(&rig), &of(&rig, "wf-1")).await;
    assert_eq!(result.outcome, AttemptOutcome::Succeeded);
    let resumed_at = rig.platform.workflow("wf-1").unwrap().updated_at;
    let expected =
        json!({"resumed": true, "state": "RUNNING", "pause_duration_seconds": null, "resumed_at": resumed_at});
    assert_eq!(result.output, output(expected));
    assert_eq!(result.warnings.len(), 1);
    assert_eq!(rig.platform.effects().len(), 1);
}

#[tokio::test]
async fn the_attempt_after_an_answer_that_came_too_late_finds_what_the_earlier_one_did() {
    let rig = Rig::new();
    rig.fault(Service::Orchestrator, "ResumeWorkflow", FaultKind::Slow { by_ms: 60_000 });
    let command = short(&rig, of(&rig, "wf-1"));
    let worker = worker(&rig);
    let first = rig.perform(&worker, &command).await;
    assert_eq!(first.outcome, AttemptOutcome::Succeeded, "the state tells");
    let again = rig.perform(&worker, &attempt(&command, 2)).await;
    assert_eq!(again.outcome, AttemptOutcome::Succeeded, "{again:?}");
    assert_eq!(rig.platform.effects().len(), 1);
}
