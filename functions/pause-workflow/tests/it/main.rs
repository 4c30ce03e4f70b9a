//! `pause_workflow` over real sockets, through the attempt that every action goes through.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    missing_debug_implementations
)]

use heal_pause_workflow::{MAX_PAUSE_SECONDS, PauseWorkflow, spec};
use heal_rig::rig::{Rig, TRACEPARENT, denied, failed, of_run, output, short, unavailable, unknown};
use heal_rig::{logs, rig};
use heal_runtime::action::CallMetric;
use heal_runtime::attempt::Worker;
use heal_runtime::observe::Prevented;
use heal_runtime::{ActionCommand, AttemptOutcome};
use heal_sandbox::orchestrator::{OrchestratorConfig, UnknownWorkflow, WorkflowState};
use heal_sandbox::{Fault, FaultKind, PlatformConfig, Service};
use serde_json::{Value, json};
use tokio::time::Instant;

fn worker(rig: &Rig) -> Worker {
    rig.worker(PauseWorkflow::new(rig.orchestrator(), rig.clock()))
}

fn of(rig: &Rig, workflow_id: &str) -> ActionCommand {
    rig.command(&spec(), json!({"workflow_id": workflow_id, "reason": "tickets fail"}))
}

fn status(code: &str) -> FaultKind {
    FaultKind::GrpcStatus { code: code.to_owned(), message: "told so".to_owned() }
}

#[tokio::test]
async fn a_running_workflow_is_paused_until_it_is_resumed() {
    logs::collect();
    let rig = Rig::new();
    let result = rig.perform(&worker(&rig), &of(&rig, "wf-running")).await;
    assert_eq!(result.outcome, AttemptOutcome::Succeeded);
    assert_eq!(result.output, output(json!({"paused": true, "scheduled_resume_at": null})));
    assert_eq!(rig.platform.workflow("wf-running").unwrap().state, WorkflowState::Paused);
    assert_eq!(rig.operations(), ["GetWorkflowStatus", "PauseWorkflow"]);
    let pause = &rig.calls_of("PauseWorkflow")[0];
    assert_eq!((pause.key.as_deref(), pause.traceparent.as_deref()), (Some("run-1/heal/1"), Some(TRACEPARENT)));
    let lines = logs::of("workflow_paused");
    assert_eq!(lines.len(), 1);
    logs::assert_common_fields(&lines[0], "pause_workflow");
}

#[tokio::test]
async fn a_pause_with_an_end_says_when_that_is() {
    let rig = Rig::new();
    #[expect(clippy::disallowed_methods, reason = "the stand-in platform has the wall clock")]
    let before = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    let parameters = json!({"workflow_id": "wf-running", "duration_seconds": 900});
    let result = rig.perform(&worker(&rig), &rig.command(&spec(), parameters)).await;
    let resume_at = u128::from(result.output["scheduled_resume_at"].as_u64().unwrap());
    assert!((before + 900_000..before + 960_000).contains(&resume_at), "{resume_at}");
    let history = rig.platform.workflow("wf-running").unwrap().history;
    assert!(history.last().unwrap().description.contains("INC-1"), "without a reason it is the incident: {history:?}");
}

#[tokio::test]
async fn a_paused_workflow_stays_paused() {
    let rig = Rig::new();
    let result = rig.perform(&worker(&rig), &of(&rig, "wf-1")).await;
    assert_eq!(result.outcome, AttemptOutcome::Succeeded);
    assert_eq!(result.output["paused"], true);
    assert!(rig.platform.effects().is_empty());
}

#[tokio::test]
async fn a_workflow_in_a_terminal_state_cannot_be_paused() {
    for id in ["wf-completed", "wf-failed", "wf-cancelled"] {
        logs::collect();
        let rig = Rig::new();
        let result = rig.perform(&worker(&rig), &of(&rig, id)).await;
        let (code, message) = failed(&result);
        assert!(code == "terminal_state" && message.contains("terminal state"), "{message}");
        assert_eq!(logs::of("pause_workflow_failed").len(), 1);
    }
}

#[tokio::test]
async fn an_unknown_workflow_is_a_failure_and_leaves_no_record() {
    for unknown_workflow in [UnknownWorkflow::NotFound, UnknownWorkflow::Unspecified, UnknownWorkflow::Pending] {
        let orchestrator = OrchestratorConfig { unknown_workflow, ..OrchestratorConfig::default() };
        let rig = Rig::with(PlatformConfig { orchestrator, ..PlatformConfig::default() });
        assert_eq!(failed(&rig.perform(&worker(&rig), &of(&rig, "wf-9")).await).0, "not_found");
        assert!(rig.calls_of("PauseWorkflow").is_empty(), "{unknown_workflow:?}");
        assert_eq!(rig.platform.workflow("wf-9"), None);
    }
}

#[tokio::test]
async fn a_call_with_bad_parameters_touches_nothing() {
    let rig = Rig::new();
    for (parameters, named) in [
        (json!({"reason": "r"}), "workflow_id"),
        (json!({"workflow_id": "wf-running", "duration_seconds": -1}), "parameters/duration_seconds"),
        (
            json!({"workflow_id": "wf-running", "duration_seconds": MAX_PAUSE_SECONDS + 1}),
            "parameters/duration_seconds",
        ),
        (json!({"workflow_id": "wf-running", "duration_seconds": "900"}), "parameters/duration_seconds"),
    ] {
        let command = of_run(&rig.command(&spec(), parameters.clone()), &parameters.to_string());
        let result = rig.perform(&worker(&rig), &command).await;
        let (code, message) = failed(&result);
        assert!(code == "bad_parameters" && message.contains(named), "{message}");
    }
    assert!(rig.platform.calls().is_empty());
    let longest = json!({"workflow_id": "wf-running", "duration_seconds": MAX_PAUSE_SECONDS});
    assert_eq!(rig.perform(&worker(&rig), &rig.command(&spec(), longest)).await.outcome, AttemptOutcome::Succeeded);
}

#[tokio::test]
async fn a_site_may_ask_its_policy_about_it() {
    let rig = Rig::new();
    rig.policy.decide_by(|input| {
        if input.context.workflow_state == "RUNNING" { rig::deny("let_it_run") } else { rig::allow() }
    });
    let result = rig.perform(&worker(&rig), &of(&rig, "wf-running")).await;
    assert_eq!(denied(&result), ["let_it_run"]);
    let metric = CallMetric::OrchestratorCall { operation: "pause_workflow" };
    assert_eq!(rig.recorder.prevented(), [(metric, Prevented::Denied)]);
    assert!(rig.platform.effects().is_empty());
}

#[tokio::test]
async fn the_shipped_policy_is_not_asked() {
    let rig = Rig::new();
    let worker = rig.worker_under(PauseWorkflow::new(rig.orchestrator(), rig.clock()), rig.shipped_policy());
    assert_eq!(rig.perform(&worker, &of(&rig, "wf-running")).await.outcome, AttemptOutcome::Succeeded);
    assert!(rig.calls_of("evaluate").is_empty());
}

#[tokio::test]
async fn an_orchestrator_out_of_reach_is_skipped_with_what_a_person_has_to_do() {
    for (operation, fault) in [
        (None, FaultKind::Refuse),
        (Some("GetWorkflowStatus"), FaultKind::Hang),
        (Some("GetWorkflowStatus"), status("UNAVAILABLE")),
        (Some("PauseWorkflow"), status("INTERNAL")),
        (Some("PauseWorkflow"), FaultKind::Status { code: 502, retry_after_seconds: None }),
    ] {
        logs::collect();
        let rig = Rig::new();
        let fault = Fault { operation: operation.map(str::to_owned), ..Fault::new(Service::Orchestrator, fault) };
        rig.platform.set_fault(fault.clone()).unwrap();
        let started = Instant::now();
        let result = rig.perform(&worker(&rig), &short(&rig, of(&rig, "wf-running"))).await;
        assert!(started.elapsed() < rig::SHORTLY, "{fault:?}");
        assert_eq!(unavailable(&result).0, "orchestrator");
        assert!(
            result.follow_up.len() == 1 && result.follow_up[0].contains("\"wf-running\""),
            "{:?}",
            result.follow_up
        );
        assert_eq!(logs::of("orchestrator_client_unavailable").len(), 1, "{fault:?}");
        assert_eq!(rig.platform.workflow("wf-running").unwrap().state, WorkflowState::Running);
    }
}

#[tokio::test]
async fn an_abort_after_the_effect_is_one_pause() {
    for code in ["UNKNOWN", "UNAVAILABLE", "ABORTED", "INTERNAL"] {
        let rig = Rig::new();
        let abort = FaultKind::AbortAfterEffect { code: code.to_owned(), message: String::new() };
        rig.fault(Service::Orchestrator, "PauseWorkflow", abort);
        let result = rig.perform(&worker(&rig), &of(&rig, "wf-running")).await;
        assert_eq!((result.outcome, result.warnings.len()), (AttemptOutcome::Succeeded, 1), "{code}");
        assert_eq!(rig.calls_of("PauseWorkflow").len(), 1, "{code}");
    }
}

#[tokio::test]
async fn a_pause_that_may_still_come_is_unknown_and_a_person_has_to_check() {
    for (fault, state_too) in [(FaultKind::Hang, false), (FaultKind::DropAnswer, true), (status("INTERNAL"), true)] {
        let rig = Rig::new();
        // The state is read once before the pause, and cannot be read after it.
        let policy_reads = rig.platform.clone();
        rig.fault(Service::Orchestrator, "PauseWorkflow", fault.clone());
        rig.policy.decide_by(move |_| {
            if state_too {
                let away = Fault::new(Service::Orchestrator, status("UNAVAILABLE")).on("GetWorkflowStatus");
                policy_reads.set_fault(away).unwrap();
            }
            rig::allow()
        });
        let result = rig.perform(&worker(&rig), &short(&rig, of(&rig, "wf-running"))).await;
        assert!(unknown(&result).contains("pause_workflow of \"wf-running\""), "{fault:?}: {result:?}");
        let check = "check whether workflow \"wf-running\" is PAUSED; if it is not, pause workflow";
        assert!(result.follow_up[0].starts_with(check), "{:?}", result.follow_up);
    }
}

#[tokio::test]
async fn a_refusal_is_a_failure() {
    for (code, expected) in [("FAILED_PRECONDITION", "precondition_failed"), ("PERMISSION_DENIED", "forbidden")] {
        let rig = Rig::new();
        rig.fault(Service::Orchestrator, "PauseWorkflow", status(code));
        assert_eq!(failed(&rig.perform(&worker(&rig), &of(&rig, "wf-running")).await).0, expected);
    }
}

#[tokio::test]
async fn a_dropped_answer_is_one_effect() {
    let rig = Rig::new();
    rig.fault(Service::Orchestrator, "PauseWorkflow", FaultKind::DropAnswer);
    let result = rig.perform(&worker(&rig), &of(&rig, "wf-running")).await;
    assert_eq!(result.outcome, AttemptOutcome::Succeeded);
    assert_eq!((result.output["paused"].clone(), result.warnings.len()), (Value::Bool(true), 1));
    assert_eq!(rig.platform.effects().len(), 1);
}

#[tokio::test]
async fn after_a_lost_worker_it_is_paused_under_the_same_key() {
    let rig = Rig::new();
    let (worker, command) = (worker(&rig), of(&rig, "wf-running"));
    rig.lose_worker_after(&worker, &command).await;
    let result = rig.perform(&worker, &command).await;
    assert_eq!(result.outcome, AttemptOutcome::Succeeded);
    let calls = rig.calls_of("PauseWorkflow");
    assert_eq!(calls.len(), 2);
    assert!(calls.iter().all(|call| call.key.as_deref() == Some("run-1/heal/1")));
    assert_eq!(rig.platform.effects().len(), 1);
}

#[tokio::test]
async fn odd_text_arrives_verbatim() {
    let odd = "{{ 7*7 }} ../ %2e%2e \r\n\u{202e}";
    let rig = Rig::new();
    let command = rig.command(&spec(), json!({"workflow_id": "wf-running", "reason": odd}));
    rig.perform(&worker(&rig), &command).await;
    assert_eq!(rig.platform.workflow("wf-running").unwrap().history.last().unwrap().description, odd);
}
