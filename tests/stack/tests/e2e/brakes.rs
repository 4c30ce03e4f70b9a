//! What stops the engine: a halt, people, a remedy that does not last, and a denial that is known beforehand.

use std::sync::Arc;
use std::time::Duration;

use heal_guard::{Halt, HaltScope};
use heal_runtime::dispatcher::{self, Dispatcher, IntakeOutcome};
use heal_runtime::library::Library;
use heal_runtime::message::Inbound;
use heal_runtime::port::{Clock as _, OsEntropy, RunHead, Switches as _, SystemClock};
use heal_runtime::{Digest, RunId, RunOutcome, RunStatus};
use serde_json::json;

use crate::rig::{Rig, incident, until};

/// More than the halts' cache, and than the wait before the step that is halted.
const HALTED: Duration = Duration::from_secs(10);
const REQUESTER: &str = "iam:AROAEXAMPLE:ann";

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_halted_in_mid_work_goes_on_after_the_resumption() {
    let rig = Rig::alone().await;
    rig.send([incident("inc-halts", "WAIT_AND_PAUSE", json!({"workflow_id": "wf-halts", "seconds": 6}))]).await;
    rig.wait("inc-halts", |head| head.status == RunStatus::Running).await;
    let now = SystemClock.now();
    // A test that fails leaves a halt that ends by itself.
    let halt = Halt {
        id: "halt-e2e".to_owned(),
        scope: HaltScope::All,
        since: now,
        until: now.plus_ms(120_000),
        reason: "a deployment".to_owned(),
        by: "local:ann".to_owned(),
        storm: None,
    };
    rig.tell(Inbound::Halt(Box::new(halt))).await;
    until("the halt is stored", async || !rig.store.halts().await.unwrap().is_empty()).await;
    let held = rig.wait("inc-halts", |head| head.held_by.is_some()).await;
    assert_eq!(held.held_by.as_deref(), Some("halt-e2e"));
    tokio::time::sleep(HALTED).await;
    assert!(rig.effects("wf-halts").is_empty());
    rig.tell(Inbound::Resume { id: "halt-e2e".to_owned(), by: "local:ann".to_owned() }).await;
    // The sweep of each minute releases it.
    until("the run goes on", async || {
        rig.tick().await;
        rig.runs_of("inc-halts").await.iter().all(|head| head.status.is_terminal())
    })
    .await;
    let head = rig.completed("inc-halts").await;
    assert_eq!((head.outcome, rig.effects("wf-halts").len()), (Some(RunOutcome::Completed), 1));
}

/// A dispatcher in this process, over the deployed table and queues: the local AWS attests nobody's identity.
fn dispatcher(rig: &Rig) -> Dispatcher {
    let step = json!({
        "name": "pause", "type": "pause_workflow", "needs": [], "timeout_seconds": 60, "on_failure": "stop",
        "retry": {"max_attempts": 1, "backoff_seconds": 2, "max_backoff_seconds": 60}, "on_unavailable": "fail",
        "safety": "idempotent", "parameters": {"workflow_id": "{{ workflow_id }}", "reason": "tried"},
        "approval": {"min": 1, "expires_seconds": 600},
    });
    let playbook = json!({
        "name": "ask_first", "description": "", "timeout_seconds": 300, "triggers": [{"incident_type": "ASK_FIRST"}],
        "actions": [step], "verify": [],
    });
    let library = Library::new(vec![serde_json::from_value(playbook).unwrap()]).unwrap();
    let ports = dispatcher::Ports {
        runs: Arc::new(rig.store.clone()),
        halts: Arc::new(heal_runtime::halts::HaltCache::new(Arc::new(rig.store.clone()))),
        sender: Arc::new(rig.queues.clone()),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(OsEntropy),
        guardrails: Arc::default(),
    };
    Dispatcher::new(ports, Arc::new(library))
}

fn approval(run_id: &RunId, digest: &Digest, by: &str) -> Inbound {
    let (step, by) = (Some("pause".to_owned()), by.to_owned());
    Inbound::ApprovalAnswer { run_id: run_id.clone(), step, item: None, digest: digest.clone(), by, rejection: None }
}

/// The events of this kind in the run's log, as JSON.
async fn events(rig: &Rig, head: &RunHead, kind: &str) -> Vec<serde_json::Value> {
    let events = rig.log(head).await.into_iter().flat_map(|commit| commit.events);
    let events = events.map(|event| serde_json::to_value(event).unwrap());
    events.filter(|event| event["event"] == kind).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_of_the_requester_is_refused_and_that_of_another_counts_once() {
    let rig = Rig::shared().await;
    let dispatcher = dispatcher(&rig);
    let message = incident("inc-asks", "ASK_FIRST", json!({"workflow_id": "wf-asks"}));
    let IntakeOutcome::Started { run_id, .. } =
        dispatcher.accept_from(&message, "message-asks", None, Some(REQUESTER)).await.unwrap()
    else {
        panic!("the incident started no run")
    };
    let head = rig.wait("inc-asks", |head| head.status == RunStatus::AwaitingApproval).await;
    let asked = rig.report(&head).await.approvals.remove(0);
    assert_eq!(asked.requested_by.as_deref(), Some(REQUESTER));

    // As the deployed dispatcher's reader would: it says why it refuses.
    let refused = dispatcher.receive(&run_id, "by-requester", vec![approval(&run_id, &asked.digest, REQUESTER)]).await;
    let refused = refused.unwrap();
    assert_eq!(refused.events, 0);
    assert!(refused.refused.unwrap().contains("started this run"));
    rig.tell(approval(&run_id, &asked.digest, REQUESTER)).await;
    rig.tell(approval(&run_id, &Digest::of(b"other"), "iam:AROAEXAMPLE:bob")).await;

    let other = || approval(&run_id, &asked.digest, "iam:AROAEXAMPLE:bob");
    tokio::join!(rig.tell(other()), rig.tell(other()));
    let head = rig.completed("inc-asks").await;
    let approved = events(&rig, &head, "step_approved").await;
    assert_eq!(approved.len(), 1, "{:#?}", rig.log(&head).await);
    assert_eq!(approved[0]["by"], "iam:AROAEXAMPLE:bob");
    assert_eq!(rig.effects("wf-asks").len(), 1);
}

fn changes(incident_id: &str, ticket: u32, third: u32) -> String {
    let ids = json!({"ticket_id": format!("brake-{ticket}"), "second_id": format!("brake-{}", ticket + 1),
        "third_id": format!("brake-{third}")});
    incident(incident_id, "THREE_CHANGES", ids)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denial_of_the_third_step_leaves_the_first_undone() {
    let rig = Rig::shared().await;
    // The ticket was given back a moment ago, which the policy denies to do again.
    rig.send([incident("inc-brake-before", "GIVE_BACK", json!({"ticket_id": "brake-9"}))]).await;
    rig.completed("inc-brake-before").await;
    rig.send([changes("inc-brake-denied", 0, 9)]).await;
    let head = rig.ended("inc-brake-denied").await;
    let report = rig.report(&head).await;
    assert_eq!(head.outcome, Some(RunOutcome::Denied), "{report:#?}");
    let reason = report.reason.clone().unwrap_or_default();
    assert!(reason.contains("nothing was done") && reason.contains("brake-9"), "{reason}");
    assert!(report.steps.iter().all(|step| step.attempts == 0), "{report:#?}");
    assert!(rig.effects("brake-0").is_empty() && rig.effects("brake-1").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_third_run_for_one_target_is_escalated_and_the_fourth_joins_it() {
    let rig = Rig::shared().await;
    let mut outcomes = Vec::new();
    for number in 1..=3 {
        let id = format!("inc-again-{number}");
        rig.send([changes(&id, 20, 30 + number)]).await;
        outcomes.push(rig.ended(&id).await);
    }
    assert_eq!(outcomes[0].outcome, Some(RunOutcome::Completed), "{outcomes:#?}");
    assert_eq!(outcomes[2].outcome, Some(RunOutcome::Escalated), "{outcomes:#?}");
    let report = rig.report(&outcomes[2]).await;
    assert!(report.steps.iter().all(|step| step.attempts == 0), "{report:#?}");
    assert!(rig.effects("brake-33").is_empty());
    rig.send([changes("inc-again-4", 20, 34)]).await;
    until("the incident joins the escalated run", async || {
        !events(&rig, &outcomes[2], "incident_joined").await.is_empty()
    })
    .await;
    assert!(rig.runs_of("inc-again-4").await.is_empty());
    assert!(rig.effects("brake-34").is_empty());
}
