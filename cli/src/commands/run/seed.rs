//! A seed of the stand-in services with everything that an incident names.

use heal_engine::Map;
use heal_runtime::dispatcher::Prepared;
use heal_sandbox::Seed;
use heal_sandbox::kubernetes::{Owner, Pod};
use heal_sandbox::orchestrator::{self, Workflow};
use heal_sandbox::seed::NAMESPACE;
use heal_sandbox::tickets::{Ticket, TicketStatus};
use serde_json::Value;

use super::args::{SandboxArgs, WorkflowState};
use crate::sandbox::Like;

/// Incident types of running workflows.
const OF_RUNNING_WORKFLOWS: [&str; 3] = ["SLA_VIOLATION", "INCONSISTENCY", "PLAN_DRIFT"];

/// The worker id that producers send if they do not know the worker. It has no pod.
const UNKNOWN_WORKER: &str = "unknown-worker";

/// The default seed, with the incident's tickets, worker and workflow in the state that the incident reports.
pub(super) fn for_incident(prepared: &Prepared, args: &SandboxArgs) -> Seed {
    let intake = prepared.intake();
    let variables = &intake.variables;
    let mut seed = if args.healthy { Seed::healthy_worker() } else { Seed::unhealthy_worker() };
    let is_running = intake.incident_type.as_deref().is_some_and(|kind| OF_RUNNING_WORKFLOWS.contains(&kind));
    pods(&mut seed, variables, args.healthy);
    // An incident that names its playbook has tickets that are at work.
    let is_waiting = is_running && intake.playbook.is_none();
    for ticket_id in prepared.tickets() {
        ticket(&mut seed, variables, ticket_id, is_waiting);
    }
    tickets(&mut seed, variables, is_waiting);
    workflow(&mut seed, variables, args.workflow_state.map(Into::into), is_running);
    match args.like {
        Like::Guide => seed,
        Like::Deployed => seed.with_deployed_workers(),
    }
}

fn pods(seed: &mut Seed, variables: &Map, healthy: bool) {
    let namespace = text(variables, "namespace").unwrap_or(NAMESPACE);
    let names = ["worker_id", "pod_name"].into_iter().filter_map(|name| text(variables, name));
    for name in names.filter(|name| *name != UNKNOWN_WORKER) {
        let known = |pod: &Pod| pod.name == name && pod.namespace == namespace;
        if !seed.pods.iter().any(known) {
            // A pod of a stateful set has the set's name and a number.
            let set = name.rsplit_once('-').map_or(name, |(set, _)| set);
            let owner = Some(Owner { kind: "StatefulSet".to_owned(), name: set.to_owned() });
            seed.pods.push(Pod { owner, ..Pod::new(namespace, name) });
        }
        for pod in seed.pods.iter_mut().filter(|pod| !healthy && known(pod)) {
            pod.ready = false;
            pod.restarts = 7;
            pod.waiting_reason = Some("CrashLoopBackOff".to_owned());
        }
    }
}

fn tickets(seed: &mut Seed, variables: &Map, waiting: bool) {
    let batch = variables.get("affected_tickets").and_then(Value::as_array);
    let batch = batch.into_iter().flatten().filter_map(Value::as_str).filter(|id| !id.is_empty());
    for id in text(variables, "ticket_id").into_iter().chain(batch) {
        ticket(seed, variables, id, waiting);
    }
}

fn ticket(seed: &mut Seed, variables: &Map, id: &str, waiting: bool) {
    if !seed.tickets.iter().any(|ticket| ticket.ticket_id == id) {
        seed.tickets.push(Ticket {
            assigned_worker: text(variables, "worker_id").map(ToOwned::to_owned),
            workflow_id: text(variables, "workflow_id").unwrap_or_default().to_owned(),
            plan_id: text(variables, "plan_id").unwrap_or_default().to_owned(),
            ..Ticket::new(id, TicketStatus::Running)
        });
    }
    for ticket in seed.tickets.iter_mut().filter(|ticket| waiting && ticket.ticket_id == id) {
        ticket.status = TicketStatus::Pending;
        ticket.assigned_worker = None;
    }
}

fn workflow(seed: &mut Seed, variables: &Map, requested: Option<orchestrator::WorkflowState>, is_running: bool) {
    let Some(id) = text(variables, "workflow_id") else { return };
    let default = if is_running { orchestrator::WorkflowState::Running } else { orchestrator::WorkflowState::Paused };
    let known = seed.workflows.iter().find(|workflow| workflow.workflow_id == id);
    // A workflow of the default seed in another state, such as `wf-completed`, keeps it unless an option sets it.
    let Some(state) = requested.or_else(|| (known.is_none() || is_running).then_some(default)) else { return };
    let plan_id = text(variables, "plan_id").or(known.map(|workflow| workflow.plan_id.as_str())).unwrap_or_default();
    let workflow = Workflow::new(id, plan_id, state);
    seed.workflows.retain(|workflow| workflow.workflow_id != id);
    seed.workflows.push(workflow);
}

fn text<'a>(variables: &'a Map, name: &str) -> Option<&'a str> {
    variables.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
}

impl From<WorkflowState> for orchestrator::WorkflowState {
    fn from(state: WorkflowState) -> Self {
        match state {
            WorkflowState::Pending => Self::Pending,
            WorkflowState::Running => Self::Running,
            WorkflowState::Paused => Self::Paused,
            WorkflowState::Completed => Self::Completed,
            WorkflowState::Failed => Self::Failed,
            WorkflowState::Cancelled => Self::Cancelled,
            WorkflowState::Replanning => Self::Replanning,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seed(message: &str, healthy: bool) -> Seed {
        let text = "triggers: [{incident_type: WORKER_FAILURE}, {incident_type: SLA_VIOLATION}]\nactions: [{type: wait, parameters: {seconds: 1}}]\n";
        let playbook = heal_language::playbook::read("any", text, &heal_engine::catalog::Catalog::default());
        let library = heal_runtime::library::Library::new(playbook.playbook).unwrap();
        let prepared = Prepared::new(&library, message, None).unwrap();
        let args = SandboxArgs { sandbox: true, like: Like::Guide, sandbox_seed: None, healthy, workflow_state: None };
        let seed = for_incident(&prepared, &args);
        seed.check().unwrap();
        seed
    }

    #[test]
    fn the_targets_of_an_incident_exist_and_are_faulty() {
        let message = r#"{"incident_id": "i", "incident_type": "WORKER_FAILURE", "worker_id": "w-9", "namespace": "n",
            "affected_tickets": ["t-9", "ticket-1"], "workflow_id": "wf-9", "plan_id": "p-9"}"#;
        let faulty = seed(message, false);
        let pod = faulty.pods.iter().find(|pod| pod.name == "w-9").unwrap();
        assert_eq!((pod.namespace.as_str(), pod.ready), ("n", false));
        let ticket = faulty.tickets.iter().find(|ticket| ticket.ticket_id == "t-9").unwrap();
        assert_eq!(ticket.assigned_worker.as_deref(), Some("w-9"));
        assert_eq!(faulty.tickets.iter().filter(|ticket| ticket.ticket_id == "ticket-1").count(), 1);
        assert!(faulty.workflows.iter().any(|workflow| workflow.workflow_id == "wf-9" && workflow.plan_id == "p-9"));
        assert!(seed(message, true).pods.iter().all(|pod| pod.ready));
    }

    #[test]
    fn a_late_workflow_is_running_and_its_tickets_wait() {
        let message = r#"{"incident_id": "i", "incident_type": "SLA_VIOLATION", "workflow_id": "wf-1", "affected_tickets": ["ticket-1"]}"#;
        let seed = seed(message, false);
        let workflow = seed.workflows.iter().find(|workflow| workflow.workflow_id == "wf-1").unwrap();
        assert_eq!(workflow.state, orchestrator::WorkflowState::Running);
        assert_eq!(seed.tickets[0].status, TicketStatus::Pending);
    }
}
