//! A message that an alert is over: it withdraws the runs of the alert, and starts none.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::pedantic)]

use std::sync::{Arc, Mutex};

use heal_engine::event::RunOutcome;
use heal_engine::report;
use heal_engine::turn::Input;
use heal_runtime::RunStatus;
use heal_runtime::dispatcher::{self, Dispatcher, IntakeOutcome};
use heal_runtime::library::Library;
use heal_runtime::observe::{ApprovalStage, Observer};
use heal_runtime::port::{DueRuns as _, OsEntropy, RunFilter, RunHead, RunReader as _};
use heal_testkit::memory::{Faults, ManualClock, Queues, Runs};
use serde_json::{Value, json};

/// Records what the dispatcher reports of approvals and of unfinished work.
#[derive(Debug, Default)]
struct Reports(Mutex<Vec<String>>);

impl Observer for Reports {
    fn approval(&self, stage: ApprovalStage, severity: Option<&str>) {
        self.0.lock().unwrap().push(format!("{stage:?} {}", severity.unwrap_or("-")));
    }

    fn run_left_work(&self, severity: Option<&str>, escalated: bool) {
        self.0.lock().unwrap().push(format!("left work {} {escalated}", severity.unwrap_or("-")));
    }
}

struct Rig {
    dispatcher: Dispatcher,
    runs: Arc<Runs>,
    clock: Arc<ManualClock>,
    reports: Arc<Reports>,
}

impl Rig {
    fn new() -> Self {
        let step = json!({
            "name": "act", "type": "act", "needs": [], "timeout_seconds": 60, "on_failure": "stop", "on_unavailable": "skip",
            "retry": {"max_attempts": 3, "backoff_seconds": 2, "max_backoff_seconds": 60}, "safety": "idempotent", "parameters": {},
        });
        let triggers = json!([{"incident_type": "ONE"}, {"incident_type": "CLOUDWATCH_ALARM"}]);
        let playbook = json!({
            "name": "one_step", "description": "", "timeout_seconds": 3_600, "triggers": triggers, "actions": [step], "verify": [],
        });
        let library = Library::new([serde_json::from_value(playbook).unwrap()]).unwrap();
        let clock = Arc::new(ManualClock::default());
        let runs = Arc::new(Runs::new(Faults::default()));
        let sender = Arc::new(Queues::new(clock.clone(), Faults::default()));
        let ports = dispatcher::Ports {
            runs: runs.clone(),
            sender,
            clock: clock.clone(),
            entropy: Arc::new(OsEntropy),
            guardrails: Arc::default(),
        };
        let reports = Arc::new(Reports::default());
        let dispatcher = Dispatcher::new(ports, Arc::new(library)).observed_by(reports.clone());
        Self { dispatcher, runs, clock, reports }
    }

    async fn accept(&self, message: &Value) -> IntakeOutcome {
        self.dispatcher.accept(&message.to_string(), &format!("message of {message}"), None).await.unwrap()
    }

    async fn heads(&self) -> Vec<RunHead> {
        self.runs.list(&RunFilter::default(), 100, None).await.unwrap().runs
    }

    fn reports(&self) -> Vec<String> {
        self.reports.0.lock().unwrap().clone()
    }
}

fn incident(id: &str) -> Value {
    json!({"incident_id": id, "incident_type": "ONE", "severity": "HIGH", "auto_remediation_enabled": false, "escalation_required": true})
}

fn alarm(state: &str, at: &str) -> Value {
    json!({"AlarmName": "cpu", "NewStateValue": state, "StateChangeTime": at})
}

#[tokio::test]
async fn a_resolved_incident_withdraws_its_run_and_no_other() {
    let rig = Rig::new();
    rig.accept(&incident("inc-1")).await;
    rig.accept(&incident("inc-10")).await;
    let resolved = json!({"incident_id": "inc-1", "status": "RESOLVED"});
    let IntakeOutcome::Withdrawn { runs } = rig.accept(&resolved).await else { panic!("nothing was withdrawn") };
    let heads = rig.heads().await;
    let head = |id: &str| heads.iter().find(|head| head.incident_id == id).unwrap();
    assert_eq!(runs, [head("inc-1").run_id.clone()]);
    assert_eq!(head("inc-1").outcome, Some(RunOutcome::Cancelled));
    assert_eq!(head("inc-1").reason.as_deref().unwrap(), "no longer needed: the incident \"inc-1\" was resolved");
    assert_eq!(head("inc-10").status, RunStatus::AwaitingApproval);
    assert_eq!(rig.reports(), ["Requested HIGH", "Requested HIGH"], "a withdrawn run leaves no work");
}

#[tokio::test]
async fn the_end_of_an_alert_without_a_live_run_starts_none() {
    let rig = Rig::new();
    for message in [
        json!({"incident_id": "inc-1", "incident_type": "ONE", "status": "resolved"}),
        alarm("OK", "2026-11-28T10:00:00.000+0000"),
    ] {
        let IntakeOutcome::Ignored { reason } = rig.accept(&message).await else { panic!("{message}") };
        assert!(reason.ends_with("no live run is for it alone"), "{reason}");
    }
    assert_eq!(rig.heads().await, []);
}

#[tokio::test]
async fn an_alarm_that_is_ok_withdraws_its_runs_but_not_those_of_its_next_change() {
    let rig = Rig::new();
    rig.accept(&alarm("ALARM", "2026-11-28T10:00:00.000+0000")).await;
    rig.accept(&alarm("ALARM", "2026-11-28T10:20:00.000+0000")).await;
    let ok = alarm("OK", "2026-11-28T10:10:00.000+0000");
    let IntakeOutcome::Withdrawn { runs } = rig.accept(&ok).await else { panic!("nothing was withdrawn") };
    assert_eq!(runs.len(), 1);
    assert!(matches!(rig.accept(&ok).await, IntakeOutcome::Ignored { .. }), "the second delivery changes nothing");
    // Its only change was started already, so it goes on to the end of that.
    let heads = rig.heads().await;
    assert!(heads.iter().all(|head| head.status == RunStatus::Running), "{heads:?}");
}

#[tokio::test]
async fn a_run_that_nobody_approves_is_reported_three_times_and_escalated() {
    let rig = Rig::new();
    rig.accept(&incident("inc-1")).await;
    for _ in 0..3 {
        let wake_at = rig.runs.next_due().await.unwrap().unwrap();
        rig.clock.set(wake_at);
        assert_eq!(rig.dispatcher.sweep(&*rig.runs, 10).await.unwrap(), 1);
    }
    assert_eq!(rig.heads().await[0].outcome, Some(RunOutcome::Cancelled));
    assert_eq!(
        rig.reports(),
        ["Requested HIGH", "Expiring HIGH", "Expiring HIGH", "Lapsed HIGH", "left work HIGH true"]
    );
}

#[tokio::test]
async fn the_follow_up_of_a_rejected_message_is_done_once() {
    let rig = Rig::new();
    let IntakeOutcome::Rejected { run_id, .. } = rig.accept(&json!({"incident_id": "odd", "incident_type": "X"})).await
    else {
        panic!("accepted")
    };
    let follow_ups = async || {
        let (plan, commits) = rig.dispatcher.read(&run_id).await.unwrap();
        report::report(plan.as_deref(), &run_id, &commits).unwrap().follow_ups
    };
    let [open] = &follow_ups().await[..] else { panic!("one follow-up is expected") };
    let id = open.id.rsplit_once('.').unwrap().1.to_owned();
    let done = |id: &str| Input::FollowUpDone { id: id.to_owned(), by: "ann".to_owned(), note: None };
    assert_eq!(rig.dispatcher.take(&run_id, "c0", &[done("other")]).await.unwrap().events, 0);
    assert_eq!(rig.dispatcher.take(&run_id, "c1", &[done(&id)]).await.unwrap().events, 1);
    assert_eq!(rig.dispatcher.take(&run_id, "c2", &[done(&id)]).await.unwrap().events, 0);
    assert_eq!(follow_ups().await[0].done_by.as_deref(), Some("ann"));
    assert_eq!(rig.heads().await[0].status, RunStatus::Failed);
    assert!(rig.dispatcher.take(&run_id, "c3", &[Input::Wake]).await.is_err(), "the record of a message is not a run");
}
