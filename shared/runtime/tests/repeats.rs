//! The same fix again: runs for one target are counted, and the one over the bound is escalated.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    clippy::pedantic
)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use heal_engine::event::RunOutcome;
use heal_engine::state::follow_up::ESCALATION;
use heal_engine::turn::Input;
use heal_engine::{Event, limit};
use heal_guard::{Guardrails, Repeats};
use heal_runtime::dispatcher::{self, Dispatcher, IntakeOutcome};
use heal_runtime::library::Library;
use heal_runtime::observe::{ApprovalStage, Observer};
use heal_runtime::port::{OsEntropy, RunFilter, RunHead, RunReader as _};
use heal_runtime::{RunId, RunStatus};
use heal_testkit::memory::{Faults, ManualClock, Queues, Runs, When};
use serde_json::{Value, json};

const MINUTE_MS: u64 = 60_000;

/// How often runs ended with which outcome, and how often a person was asked for something.
#[derive(Debug, Default)]
struct Reports(Mutex<BTreeMap<String, u32>>);

impl Reports {
    fn count(&self, what: impl Into<String>) {
        *self.0.lock().unwrap().entry(what.into()).or_default() += 1;
    }
}

impl Observer for Reports {
    fn run_ended(&self, _: &str, outcome: RunOutcome, _: std::time::Duration, commands: u64) {
        self.count(format!("{} after {commands} commands", outcome.as_str()));
    }

    fn run_left_work(&self, _: Option<&str>, _: bool) {
        self.count("left work");
    }

    fn approval(&self, stage: ApprovalStage, _: Option<&str>) {
        self.count(format!("approval {stage:?}"));
    }
}

struct Rig {
    dispatcher: Dispatcher,
    runs: Arc<Runs>,
    faults: Faults,
    clock: Arc<ManualClock>,
    reports: Arc<Reports>,
}

/// `KEYED` has a concurrency key, `PLAIN` has none; both end at once, since their only step has nothing to do.
fn library() -> Library {
    let playbook = |name: &str, key: Value| {
        let step = json!({
            "name": "act", "type": "act", "needs": [], "timeout_seconds": 60, "on_failure": "stop", "on_unavailable": "skip",
            "retry": {"max_attempts": 1, "backoff_seconds": 2, "max_backoff_seconds": 60}, "safety": "idempotent", "parameters": {},
            "condition": "{{ incident.live | default(false) }}",
        });
        let playbook = json!({
            "name": name, "description": "", "timeout_seconds": 36_000, "triggers": [{"incident_type": name.to_uppercase()}],
            "concurrency_key": key, "actions": [step], "verify": [],
        });
        serde_json::from_value(playbook).unwrap()
    };
    Library::new([playbook("keyed", json!("worker:{{ worker_id }}")), playbook("plain", Value::Null)]).unwrap()
}

impl Rig {
    fn new() -> Self {
        Self::with(Repeats::default())
    }

    fn with(repeats: Repeats) -> Self {
        let clock = Arc::new(ManualClock::default());
        let faults = Faults::default();
        let runs = Arc::new(Runs::new(faults.clone()));
        let ports = dispatcher::Ports {
            runs: runs.clone(),
            halts: heal_testkit::memory::no_halts(),
            sender: Arc::new(Queues::new(clock.clone(), Faults::default())),
            clock: clock.clone(),
            entropy: Arc::new(OsEntropy),
            guardrails: Arc::new(Guardrails { repeats, ..Guardrails::default() }),
        };
        let reports = Arc::new(Reports::default());
        let dispatcher = Dispatcher::new(ports, Arc::new(library())).observed_by(reports.clone());
        Self { dispatcher, runs, faults, clock, reports }
    }

    /// Takes an incident in, a minute after the last one.
    async fn accept(&self, message: &Value) -> IntakeOutcome {
        self.clock.advance_ms(MINUTE_MS);
        let id = message["incident_id"].as_str().unwrap();
        self.dispatcher.accept(&message.to_string(), &format!("message of {id}"), None).await.unwrap()
    }

    async fn heads(&self) -> Vec<RunHead> {
        self.runs.list(&RunFilter::default(), 100, None).await.unwrap().runs
    }

    /// The outcomes of all runs, the oldest first.
    async fn outcomes(&self) -> Vec<&'static str> {
        self.heads().await.iter().rev().map(|head| head.outcome.map_or("-", RunOutcome::as_str)).collect()
    }

    async fn joined(&self, run_id: &RunId) -> Vec<String> {
        let commits = self.runs.load(run_id, 0).await.unwrap();
        let joined = |event: &Event| match event {
            Event::IncidentJoined { incident_id } => Some(incident_id.clone()),
            _ => None,
        };
        commits.iter().flat_map(|commit| &commit.events).filter_map(joined).collect()
    }

    async fn acknowledge(&self, run_id: &RunId) -> usize {
        let done = Input::FollowUpDone { id: ESCALATION.to_owned(), by: "local:ann".to_owned(), note: None };
        self.dispatcher.take(run_id, "ack", &[done]).await.unwrap().events
    }
}

fn sick(number: u32) -> Value {
    json!({"incident_id": format!("i-{number}"), "incident_type": "KEYED", "worker_id": "w-1"})
}

#[tokio::test]
async fn six_incidents_about_one_worker_are_two_runs_and_one_escalation() {
    let rig = Rig::new();
    for number in 1..=6 {
        rig.accept(&sick(number)).await;
        // Delivered again, each counts once.
        rig.accept(&sick(number)).await;
    }
    assert_eq!(rig.outcomes().await, ["COMPLETED", "COMPLETED", "ESCALATED"]);
    let heads = rig.heads().await;
    let [escalated, second, first] = &heads[..] else { panic!("{heads:?}") };
    let reason = format!(
        "third keyed of worker:w-1 within 3600 s: run {} ended COMPLETED, run {} ended COMPLETED",
        first.run_id, second.run_id
    );
    assert_eq!(escalated.reason.as_deref(), Some(reason.as_str()));
    assert_eq!((escalated.status, escalated.needs_attention()), (RunStatus::Failed, true));
    assert_eq!(rig.joined(&escalated.run_id).await, ["i-4", "i-5", "i-6"]);
    let reports = rig.reports.0.lock().unwrap().clone();
    let expected = [("COMPLETED after 0 commands", 2), ("ESCALATED after 0 commands", 1), ("left work", 1)];
    assert_eq!(reports, expected.map(|(what, times)| (what.to_owned(), times)).into());
}

#[tokio::test]
async fn an_acknowledged_target_starts_to_count_anew() {
    let rig = Rig::new();
    for number in 1..=4 {
        rig.accept(&sick(number)).await;
    }
    let escalated = rig.heads().await[0].run_id.clone();
    assert_eq!(rig.acknowledge(&escalated).await, 1);
    assert_eq!(rig.acknowledge(&escalated).await, 0, "once");
    assert!(!rig.heads().await[0].needs_attention());
    for number in 5..=8 {
        rig.accept(&sick(number)).await;
    }
    let expected = ["COMPLETED", "COMPLETED", "ESCALATED", "COMPLETED", "COMPLETED", "ESCALATED"];
    assert_eq!(rig.outcomes().await, expected);
    assert_eq!(rig.joined(&escalated).await, ["i-4"], "the first escalation takes no further incident");
    assert_eq!(rig.joined(&rig.heads().await[0].run_id).await, ["i-8"]);
}

#[tokio::test]
async fn an_escalation_waits_for_a_person_however_long_and_runs_apart_are_not_repeats() {
    let rig = Rig::new();
    for number in 1..=3 {
        rig.accept(&sick(number)).await;
        rig.clock.advance_ms(60 * MINUTE_MS);
    }
    assert_eq!(rig.outcomes().await, ["COMPLETED"; 3], "an hour apart");
    for number in 4..=6 {
        rig.accept(&sick(number)).await;
    }
    assert_eq!(rig.outcomes().await[3..], ["COMPLETED", "COMPLETED", "ESCALATED"]);
    rig.clock.advance_ms(100 * 24 * 60 * MINUTE_MS);
    rig.accept(&sick(7)).await;
    assert_eq!(rig.outcomes().await.len(), 6);
}

#[tokio::test]
async fn a_run_is_counted_by_its_key_else_its_worker_ticket_or_workflow_and_else_not() {
    let subjects = [
        (json!({"incident_type": "PLAIN", "worker_id": "a", "ticket_id": "t"}), true),
        (json!({"incident_type": "PLAIN", "ticket_id": "a"}), true),
        (json!({"incident_type": "PLAIN", "affected_tickets": ["a"]}), true),
        (json!({"incident_type": "PLAIN", "workflow_id": "a"}), true),
        (json!({"incident_type": "PLAIN", "affected_tickets": ["a", "b"]}), false),
        (json!({"incident_type": "PLAIN", "plan_id": "a"}), false),
    ];
    for (subject, is_counted) in subjects {
        let rig = Rig::new();
        for number in 0..3 {
            let mut message = subject.clone();
            message["incident_id"] = json!(format!("i-{number}"));
            rig.accept(&message).await;
        }
        let last = if is_counted { "ESCALATED" } else { "COMPLETED" };
        assert_eq!(rig.outcomes().await, ["COMPLETED", "COMPLETED", last], "{subject}");
    }
    // Another playbook is another remedy.
    let rig = Rig::new();
    for (number, kind) in ["KEYED", "PLAIN", "KEYED", "PLAIN", "PLAIN"].into_iter().enumerate() {
        rig.accept(&json!({"incident_id": format!("i-{number}"), "incident_type": kind, "worker_id": "w-1"})).await;
    }
    assert_eq!(rig.outcomes().await, ["COMPLETED", "COMPLETED", "COMPLETED", "COMPLETED", "ESCALATED"]);
}

#[tokio::test]
async fn an_incident_that_joins_a_live_run_is_not_counted() {
    let rig = Rig::new();
    for number in 1..=5 {
        let mut message = sick(number);
        message["live"] = json!(true);
        rig.accept(&message).await;
    }
    assert_eq!(rig.outcomes().await, ["-"]);
    let mut other = sick(6);
    other["worker_id"] = json!("w-2");
    rig.accept(&other).await;
    assert_eq!(rig.outcomes().await, ["-", "COMPLETED"]);
}

#[tokio::test]
async fn the_count_and_the_reason_are_bounded() {
    let rig = Rig::with(Repeats { escalate_at: u32::MAX, window_seconds: 36_000 });
    let name = "w".repeat(2 * limit::TARGET_BYTES);
    let allowed = usize::try_from(limit::REPEATED_RUNS).unwrap();
    for number in 0..=allowed {
        rig.accept(&json!({"incident_id": format!("i-{number}"), "incident_type": "PLAIN", "worker_id": name})).await;
    }
    let heads = rig.runs.list(&RunFilter::default(), 1_000, None).await.unwrap().runs;
    let escalated: Vec<_> = heads.iter().filter(|head| head.outcome == Some(RunOutcome::Escalated)).collect();
    assert_eq!((heads.len(), escalated.len()), (allowed + 1, 1));
    let reason = escalated[0].reason.as_deref().unwrap();
    assert!(
        reason.starts_with("no. 101 plain of worker:www") && reason.contains("w… (263 bytes cut) within"),
        "{reason}"
    );
    assert_eq!(reason.matches("ended COMPLETED").count(), limit::NAMED_STEPS);
}

#[tokio::test]
async fn an_escalated_run_awaits_no_approval_and_a_lost_answer_makes_no_second_one() {
    let rig = Rig::with(Repeats { escalate_at: 2, window_seconds: 600 });
    rig.accept(&sick(1)).await;
    let mut manual = sick(2);
    manual["auto_remediation_enabled"] = json!(false);
    rig.faults.fail_next_of("runs.create", 1, When::After);
    rig.dispatcher.accept(&manual.to_string(), "message of i-2", None).await.unwrap_err();
    rig.accept(&manual).await;
    rig.accept(&manual).await;
    assert_eq!(rig.outcomes().await, ["COMPLETED", "ESCALATED"]);
    let reason = rig.heads().await[0].reason.clone().unwrap();
    assert!(reason.starts_with("second keyed of worker:w-1 within 600 s: run "), "{reason}");
    assert!(!rig.reports.0.lock().unwrap().keys().any(|what| what.starts_with("approval")), "{:?}", rig.reports);
}
