//! The orchestrator down, hanging, failing, and losing its answer: a replanning that may have been triggered is never triggered again.

use heal_runtime::AttemptOutcome;
use heal_sandbox::{Fault, FaultKind, Service};
use serde_json::Value;
use tokio::time::Instant;

use crate::rig::{Rig, failed, short, unavailable, unknown};
use crate::{logs, of_plan, of_workflow, worker};

fn status(code: &str) -> FaultKind {
    FaultKind::GrpcStatus { code: code.to_owned(), message: "told so".to_owned() }
}

#[tokio::test]
async fn an_orchestrator_out_of_reach_is_skipped_with_what_a_person_has_to_do() {
    for (operation, fault) in [
        (None, FaultKind::Refuse),
        (Some("GetWorkflowStatus"), FaultKind::Hang),
        (Some("GetWorkflowStatus"), status("UNAVAILABLE")),
    ] {
        logs::collect();
        let rig = Rig::new();
        let fault = Fault { operation: operation.map(str::to_owned), ..Fault::new(Service::Orchestrator, fault) };
        rig.platform.set_fault(fault.clone()).unwrap();
        let started = Instant::now();
        let result = rig.perform(&worker(&rig), &short(&rig, of_workflow(&rig, "wf-running"))).await;
        assert!(started.elapsed() < crate::rig::SHORTLY, "{fault:?}");
        assert_eq!(unavailable(&result).0, "orchestrator");
        for part in ["\"wf-running\"", "drifted"] {
            assert!(result.follow_up[0].contains(part), "{:?}", result.follow_up);
        }
        assert_eq!(logs::of("orchestrator_client_unavailable").len(), 1, "{fault:?}");
        assert!(rig.platform.replannings().is_empty());
    }
}

#[tokio::test]
async fn a_refusal_is_a_failure() {
    for (code, expected) in [("FAILED_PRECONDITION", "precondition_failed"), ("PERMISSION_DENIED", "forbidden")] {
        let rig = Rig::new();
        rig.fault(Service::Orchestrator, "TriggerReplanning", status(code));
        assert_eq!(failed(&rig.perform(&worker(&rig), &of_plan(&rig, "plan-1")).await).0, expected);
    }
}

/// An error that may have come after the effect, whoever answered it.
#[tokio::test]
async fn an_error_of_a_call_that_was_sent_is_unknown_and_is_not_sent_again() {
    let abort = FaultKind::AbortAfterEffect { code: "UNKNOWN".to_owned(), message: "aborted".to_owned() };
    for fault in [
        abort,
        status("UNKNOWN"),
        status("UNAVAILABLE"),
        status("ABORTED"),
        status("INTERNAL"),
        status("DEADLINE_EXCEEDED"),
        FaultKind::Status { code: 503, retry_after_seconds: None },
        FaultKind::DropAnswer,
    ] {
        logs::collect();
        let rig = Rig::new();
        rig.fault(Service::Orchestrator, "TriggerReplanning", fault.clone());
        let result = rig.perform(&worker(&rig), &of_plan(&rig, "plan-1")).await;
        assert!(unknown(&result).contains("trigger_replanning of \"plan-1\""), "{fault:?}: {result:?}");
        assert!(result.follow_up[0].starts_with("check whether plan \"plan-1\""), "{:?}", result.follow_up);
        assert_eq!(rig.calls_of("TriggerReplanning").len(), 1, "{fault:?}");
        assert_eq!(logs::of("orchestrator_client_unavailable").len(), 1, "{fault:?}");
        assert!(!rig.is_free("trigger_replanning", "plan/plan-1").await, "{fault:?}");
    }
}

/// The server turned the call away: the next attempt may trigger it, and nothing cools down meanwhile.
#[tokio::test]
async fn a_call_turned_away_for_load_is_not_applied_and_may_be_repeated() {
    for fault in [status("RESOURCE_EXHAUSTED"), FaultKind::Status { code: 429, retry_after_seconds: None }] {
        let rig = Rig::new();
        rig.fault_times(Service::Orchestrator, "TriggerReplanning", fault.clone(), 1);
        let command = of_plan(&rig, "plan-1");
        let result = rig.perform(&worker(&rig), &command).await;
        assert_eq!(unavailable(&result).0, "orchestrator", "{fault:?}");
        assert!(result.not_applied && rig.is_free("trigger_replanning", "plan/plan-1").await, "{fault:?}");
        let again = rig.perform(&worker(&rig), &crate::rig::attempt(&command, 2)).await;
        assert_eq!(again.outcome, AttemptOutcome::Succeeded, "{fault:?}");
        assert_eq!(rig.platform.replannings().len(), 1, "{fault:?}");
    }
}

#[tokio::test]
async fn after_a_lost_answer_the_workflow_tells_that_it_was_triggered() {
    let rig = Rig::new();
    rig.fault(Service::Orchestrator, "TriggerReplanning", FaultKind::DropAnswer);
    let result = rig.perform(&worker(&rig), &of_workflow(&rig, "wf-running")).await;
    assert_eq!(result.outcome, AttemptOutcome::Succeeded);
    assert_eq!((&result.output["replanning_id"], result.warnings.len()), (&Value::Null, 1));
    assert_eq!(result.output["triggered_at"], rig.platform.workflow("wf-running").unwrap().updated_at);
    assert_eq!(rig.platform.replannings().len(), 1);
}

#[tokio::test]
async fn an_effect_whose_answer_is_too_late_is_read_from_the_workflow() {
    let rig = Rig::new();
    rig.fault(Service::Orchestrator, "TriggerReplanning", FaultKind::Slow { by_ms: 60_000 });
    let started = Instant::now();
    let result = rig.perform(&worker(&rig), &short(&rig, of_workflow(&rig, "wf-running"))).await;
    assert!(started.elapsed() < crate::rig::SHORTLY);
    assert_eq!((result.outcome, result.warnings.len()), (AttemptOutcome::Succeeded, 1));
}

#[tokio::test]
async fn after_a_lost_answer_without_proof_a_person_has_to_check() {
    let rig = Rig::new();
    rig.fault(Service::Orchestrator, "TriggerReplanning", FaultKind::DropAnswer);
    let result = rig.perform(&worker(&rig), &of_plan(&rig, "plan-1")).await;
    unknown(&result);
    assert!(
        result.follow_up[0].starts_with("check whether plan \"plan-1\" is being replanned"),
        "{:?}",
        result.follow_up
    );
    assert_eq!(rig.platform.replannings().len(), 1);

    // "Not replanning yet" proves nothing: it may start later.
    let rig = Rig::new();
    rig.fault(Service::Orchestrator, "TriggerReplanning", FaultKind::Hang);
    let result = rig.perform(&worker(&rig), &short(&rig, of_workflow(&rig, "wf-running"))).await;
    assert_eq!(rig.calls_of("GetWorkflowStatus").len(), 3, "before the policy, before the effect, after it");
    unknown(&result);
    assert!(result.follow_up[0].starts_with("check whether workflow \"wf-running\""), "{:?}", result.follow_up);
}
