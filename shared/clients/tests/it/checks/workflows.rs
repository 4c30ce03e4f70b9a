//! Probe for stuck workflows.

use std::time::Duration;

use heal_clients::checks::CONCURRENT;
use heal_runtime::checks::{Observation, Probe, StuckWorkflows};
use heal_sandbox::orchestrator::{Workflow, WorkflowState};
use heal_sandbox::tickets::{Ticket, TicketStatus};
use heal_sandbox::{Fault, FaultKind, Seed, Service};
use tokio::time::Instant;

use super::{ago, failing, observe, outages, sighting, start, unknown};

fn probe() -> StuckWorkflows {
    StuckWorkflows {
        workflow_ids: Vec::new(),
        state: "PAUSED".to_owned(),
        stuck_seconds: 600,
        limit: 100,
        timeout_seconds: 1,
    }
}

fn workflow(id: &str, state: WorkflowState, unchanged_seconds: i64) -> Workflow {
    Workflow { updated_at: ago(unchanged_seconds), ..Workflow::new(id, "plan-1", state) }
}

fn ticket(id: &str, workflow_id: &str, status: TicketStatus) -> Ticket {
    Ticket { workflow_id: workflow_id.to_owned(), ..Ticket::new(id, status) }
}

fn seed() -> Seed {
    let running = TicketStatus::Running;
    Seed {
        workflows: vec![
            workflow("long-paused", WorkflowState::Paused, 900),
            workflow("just-paused", WorkflowState::Paused, 60),
            workflow("running", WorkflowState::Running, 900),
            workflow("idle", WorkflowState::Paused, 900),
        ],
        tickets: vec![
            ticket("t-1", "long-paused", running),
            ticket("t-2", "just-paused", running),
            ticket("t-3", "running", running),
            ticket("t-4", "gone", running),
            ticket("t-5", "", running),
            ticket("t-6", "idle", TicketStatus::Completed),
            ticket("t-7", "long-paused", running),
        ],
        ..Seed::default()
    }
}

fn ids(observation: Observation) -> Vec<String> {
    sighting(observation).failing.into_iter().map(|failing| failing.id).collect()
}

#[tokio::test]
async fn a_stuck_workflow_of_running_tickets_is_a_target_with_its_fields() {
    let (platform, prober) = start(seed());
    let probe = Probe::StuckWorkflows(probe());
    let found = failing(&probe, observe(&prober, &probe).await);
    assert_eq!(found.id, "long-paused");
    assert_eq!((&found.fields["state"], &found.fields["plan_id"]), (&"PAUSED".into(), &"plan-1".into()));
    let stuck = found.fields["stuck_seconds"].as_u64().unwrap();
    assert!((900..910).contains(&stuck), "{stuck}");
    let mut asked: Vec<String> = platform
        .calls()
        .into_iter()
        .filter(|call| call.operation == "GetWorkflowStatus")
        .map(|call| call.target)
        .collect();
    asked.sort();
    assert_eq!(asked, ["gone", "just-paused", "long-paused", "running"], "each once");
    assert!(platform.effects().is_empty());
}

#[tokio::test]
async fn named_workflows_are_probed_without_reading_tickets() {
    let (platform, prober) = start(seed());
    let named = StuckWorkflows { workflow_ids: vec!["idle".to_owned(), "running".to_owned()], ..probe() };
    assert_eq!(ids(observe(&prober, &Probe::StuckWorkflows(named.clone())).await), ["idle"]);
    let running = StuckWorkflows { state: "RUNNING".to_owned(), ..named };
    assert_eq!(ids(observe(&prober, &Probe::StuckWorkflows(running)).await), ["running"]);
    assert!(platform.calls().iter().all(|call| call.service == Service::Orchestrator));
}

#[tokio::test]
async fn a_workflow_whose_status_call_fails_is_unknown_and_the_others_are_observed() {
    let (platform, prober) = start(seed());
    let unavailable = FaultKind::GrpcStatus { code: "UNAVAILABLE".to_owned(), message: String::new() };
    let named = StuckWorkflows { workflow_ids: vec!["idle".to_owned(), "long-paused".to_owned()], ..probe() };
    platform.set_fault(Fault::new(Service::Orchestrator, unavailable).on("GetWorkflowStatus").times(1)).unwrap();
    let seen = sighting(observe(&prober, &Probe::StuckWorkflows(named)).await);
    assert_eq!((seen.failing.len(), seen.unknown.len()), (1, 1), "{seen:?}");
    assert_ne!(seen.failing[0].id, seen.unknown[0]);
}

#[tokio::test]
async fn more_workflows_than_the_limit_are_a_partial_view() {
    let (_platform, prober) = start(seed());
    let narrow = StuckWorkflows { limit: 3, ..probe() };
    let seen = sighting(observe(&prober, &Probe::StuckWorkflows(narrow)).await);
    assert!(seen.is_partial);
    let enough = StuckWorkflows { limit: 4, ..probe() };
    assert!(!sighting(observe(&prober, &Probe::StuckWorkflows(enough)).await).is_partial);
}

#[tokio::test]
async fn status_calls_run_concurrently_up_to_the_limit() {
    let rounds = 3;
    let ids: Vec<String> = (0..CONCURRENT * rounds).map(|number| format!("wf-{number}")).collect();
    let workflows = ids.iter().map(|id| workflow(id, WorkflowState::Paused, 900)).collect();
    let (platform, prober) = start(Seed { workflows, ..Seed::default() });
    platform.set_fault(Fault::new(Service::Orchestrator, FaultKind::Slow { by_ms: 200 })).unwrap();
    let all = Probe::StuckWorkflows(StuckWorkflows { workflow_ids: ids.clone(), timeout_seconds: 5, ..probe() });
    let started = Instant::now();
    assert_eq!(self::ids(observe(&prober, &all).await).len(), ids.len());
    let took = started.elapsed();
    // In sequence the calls would take six seconds, all at once 0.2 seconds.
    assert!(took >= Duration::from_millis(600) && took < Duration::from_secs(4), "{took:?}");
}

#[tokio::test]
async fn an_outage_is_unknown() {
    for service in [Service::Tickets, Service::Orchestrator] {
        for fault in outages() {
            let (platform, prober) = start(seed());
            platform.set_fault(Fault::new(service, fault.clone())).unwrap();
            let reason = unknown(observe(&prober, &Probe::StuckWorkflows(probe())).await);
            assert!(!reason.is_empty(), "{service:?} {fault:?}");
        }
    }
}

#[tokio::test]
async fn without_workflows_nothing_is_stuck() {
    let (_platform, prober) = start(Seed::default());
    assert_eq!(observe(&prober, &Probe::StuckWorkflows(probe())).await, Observation::well());
}
