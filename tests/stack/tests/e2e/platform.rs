//! The platform's own incidents (`tests/events/platform`), with services that behave as the deployed ones.

use std::sync::OnceLock;

use heal_runtime::RunOutcome;
use heal_runtime::message::Inbound;
use heal_runtime::port::RunHead;
use heal_sandbox::kubernetes::Pod;
use heal_sandbox::orchestrator::{Workflow, WorkflowState};
use heal_sandbox::tickets::{Ticket, TicketStatus};
use heal_sandbox::{Fault, FaultKind, PlatformConfig, Seed, Service, opa::OpaConfig};
use heal_stack::Deployment;
use serde_json::Value;
use tokio::sync::RwLock;

use crate::rig::{PARAMETERS, Rig, Turn, until};

static PLATFORM: RwLock<()> = RwLock::const_new(());

/// Each test works on tickets, workflows and agents of its own: the names in the shipped files, with the test's before them.
const TESTS: [&str; 9] = ["timeout", "failure", "sla", "drift", "nobody", "agent", "missing", "ended", "lost"];
const AGENT: &str = "5f1c7d9e-3b2a-4c8d-9e6f-7a8b9c0d1e2f";

fn seed() -> Seed {
    let mut seed = Seed::unhealthy_worker();
    let crashing = seed.pods.iter().find(|pod| pod.name == "worker-1").unwrap().clone();
    for test in TESTS {
        let status = if test == "ended" { TicketStatus::Completed } else { TicketStatus::Running };
        seed.tickets.extend((1..=3).map(|number| Ticket::new(&format!("{test}-ticket-{number}"), status)));
        let workflow = |id: &str, state| Workflow::new(&format!("{test}-{id}"), &format!("{test}-plan"), state);
        seed.workflows
            .extend([workflow("wf-1", WorkflowState::Paused), workflow("wf-running", WorkflowState::Running)]);
        if test != "missing" {
            seed.pods.push(Pod { name: format!("{test}-{AGENT}"), ..crashing.clone() });
        }
    }
    seed.with_deployed_workers()
}

fn deployment() -> &'static Deployment {
    static DEPLOYED: OnceLock<Deployment> = OnceLock::new();
    let config = || {
        let base = PlatformConfig::like_deployed();
        let opa = OpaConfig { policy: Some(heal_clients::policy::BUNDLED_POLICY.to_owned()), ..base.opa };
        PlatformConfig { seed: seed(), opa, ..base }
    };
    DEPLOYED.get_or_init(|| Deployment::start(config(), &PARAMETERS, &[]))
}

/// One shipped file, sent for one test.
struct Sent {
    rig: Rig,
    incident_id: String,
}

impl Sent {
    async fn new(test: &str, file: &str) -> Self {
        let rig = Self::rig(Turn::Shared(PLATFORM.read().await)).await;
        Self::on(rig, test, file).await
    }

    async fn rig(turn: Turn) -> Rig {
        Rig::on(tokio::task::spawn_blocking(deployment).await.unwrap(), turn).await
    }

    async fn on(rig: Rig, test: &str, file: &str) -> Self {
        let path = heal_stack::root().join("tests/events/platform").join(format!("{file}.json"));
        let mut text = std::fs::read_to_string(path).unwrap();
        for name in ["ticket-1", "ticket-2", "ticket-3", "wf-1", "wf-running", AGENT] {
            text = text.replace(&format!("\"{name}\""), &format!("\"{test}-{name}\""));
        }
        let message: Value = serde_json::from_str(&text).unwrap();
        let incident_id = format!("{test}-{}", message["incident_id"].as_str().unwrap());
        let text = text.replace(message["incident_id"].as_str().unwrap(), &incident_id);
        rig.send([text]).await;
        Self { rig, incident_id }
    }

    /// The only run of the incident, with this outcome.
    async fn ends(&self, outcome: RunOutcome) -> RunHead {
        let head = self.rig.ended(&self.incident_id).await;
        let report = self.rig.report(&head).await;
        assert_eq!(head.outcome, Some(outcome), "{report:#?}");
        head
    }

    /// The outcomes of the incident's `count` runs.
    async fn all_end(&self, count: usize) -> Vec<Option<RunOutcome>> {
        until("every ticket's run has ended", || async {
            let runs = self.rig.runs_of(&self.incident_id).await;
            runs.len() == count && runs.iter().all(|head| head.status.is_terminal())
        })
        .await;
        self.rig.runs_of(&self.incident_id).await.into_iter().map(|head| head.outcome).collect()
    }

    /// How often a ticket was changed.
    fn changes(&self, ticket: &str) -> usize {
        self.rig.effects(ticket).len()
    }

    /// The worker's pod.
    fn pod(&self, worker: &str) -> Option<Pod> {
        let label = heal_sandbox::seed::WORKER_LABEL;
        self.rig.platform().pods().into_iter().find(|pod| pod.labels.get(label).is_some_and(|id| id == worker))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_ticket_of_a_timeout_from_the_queue_has_a_run_of_its_own() {
    let sent = Sent::new("timeout", "queue_ticket_timeout").await;
    assert_eq!(sent.all_end(2).await, [Some(RunOutcome::Completed); 2]);
    assert_eq!((sent.changes("timeout-ticket-1"), sent.changes("timeout-ticket-2")), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tickets_of_a_worker_that_has_no_name_are_reallocated_in_one_run() {
    let sent = Sent::new("failure", "queue_worker_failure").await;
    sent.ends(RunOutcome::Completed).await;
    assert_eq!((sent.changes("failure-ticket-1"), sent.changes("failure-ticket-3")), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ticket_of_a_violation_that_recommends_so_is_reallocated() {
    let sent = Sent::new("sla", "queue_sla_violation").await;
    let head = sent.ends(RunOutcome::Completed).await;
    assert_eq!((head.playbook.as_deref(), sent.changes("sla-ticket-2")), (Some("ticket_timeout_recovery"), 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workflow_that_drifted_is_replanned_once() {
    let sent = Sent::new("drift", "queue_inconsistency").await;
    sent.ends(RunOutcome::Healed).await;
    let replannings = sent.rig.platform().replannings();
    assert_eq!(replannings.iter().filter(|one| one.plan_id == "drift-plan").count(), 1, "{replannings:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_worker_is_left_to_a_person_and_its_ticket_is_reallocated() {
    let sent = Sent::new("nobody", "http_timeout_unknown_worker").await;
    let head = sent.ends(RunOutcome::Degraded).await;
    let report = sent.rig.report(&head).await;
    assert!(report.follow_up.iter().any(|entry| entry.contains("unknown-worker")), "{report:#?}");
    assert_eq!(sent.changes("nobody-ticket-1"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_deployments_pod_of_an_agent_is_replaced_and_its_replacement_seen() {
    let worker = format!("agent-{AGENT}");
    let sent = Sent::new("agent", "http_timeout_agent").await;
    sent.ends(RunOutcome::Healed).await;
    let pod = sent.pod(&worker).unwrap();
    assert!(pod.ready, "{pod:#?}");
    let effects = sent.rig.platform().effects();
    let deleted: Vec<_> =
        effects.iter().filter(|call| call.service == Service::Kubernetes && call.target.contains(&worker)).collect();
    assert_eq!((deleted.len(), sent.changes("agent-ticket-3")), (1, 1), "{deleted:#?}");
    assert!(!deleted[0].target.ends_with(&pod.name), "the replacement has another name: {pod:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_that_is_missing_is_not_called_healthy() {
    let sent = Sent::new("missing", "http_timeout_agent").await;
    let head = sent.ends(RunOutcome::Degraded).await;
    let report = sent.rig.report(&head).await;
    assert!(report.follow_up.iter().any(|entry| entry.contains(AGENT)), "{report:#?}");
    assert_eq!(sent.changes("missing-ticket-3"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_completed_ticket_is_not_opened_again() {
    let sent = Sent::new("ended", "queue_ticket_timeout").await;
    assert_eq!(sent.all_end(2).await, [Some(RunOutcome::Completed); 2]);
    for ticket in ["ended-ticket-1", "ended-ticket-2"] {
        assert_eq!(sent.changes(ticket), 0);
        assert_eq!(sent.rig.platform().ticket(ticket).unwrap().status, TicketStatus::Completed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_makes_no_second_reallocation() {
    let rig = Sent::rig(Turn::Alone(PLATFORM.write().await)).await;
    let lost = Fault::new(Service::Tickets, FaultKind::DropAnswer).on("update_ticket_status").times(1);
    rig.platform().set_fault(lost).unwrap();
    let sent = Sent::on(rig, "lost", "queue_sla_violation").await;
    sent.ends(RunOutcome::Completed).await;
    sent.rig.platform().clear_faults();
    assert_eq!(sent.changes("lost-ticket-2"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_by_playbook_id_waits_for_approval_and_resumes_the_workflow() {
    let sent = Sent::new("sla", "request_by_playbook_id").await;
    let awaiting = |head: &RunHead| head.status == heal_runtime::RunStatus::AwaitingApproval;
    let head = sent.rig.wait(&sent.incident_id, awaiting).await;
    assert_eq!((head.run_id.as_str(), sent.changes("sla-wf-1")), ("rem-c51ce410", 0));
    sent.rig.tell(Inbound::Approve { run_id: head.run_id, by: "the test".to_owned() }).await;
    sent.ends(RunOutcome::Healed).await;
    assert_eq!(sent.changes("sla-wf-1"), 1);
}
