//! The incidents of the matrix: one for each thing that a shipped playbook does.

use heal_sandbox::orchestrator::{Workflow, WorkflowState};
use heal_sandbox::seed::WORKER_LABEL;
use heal_sandbox::tickets::{Ticket, TicketStatus};
use heal_sandbox::{Platform, Seed, Service};
use serde_json::{Value, json};

use crate::settings::NAMESPACE;

/// Which platform the stand-in behaves like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Like {
    /// The services as they are deployed.
    Deployed,
    /// The services as the integration guide describes them.
    Guide,
}

/// One incident, the playbook that it starts, and its target.
#[derive(Clone, Copy)]
pub struct Scenario {
    /// The playbook's name.
    pub playbook: &'static str,
    /// What is wrong, and what the playbook does about it.
    pub story: &'static str,
    /// The services that the run calls, in the order of [`Service::ALL`].
    pub services: &'static [Service],
    /// What a run without a fault changes on the platform as it is deployed, sorted.
    effects: &'static [&'static str],
    /// The same on the guide's platform, whose ticket service has a call of its own for a reallocation; `None` if it is the same.
    guide_effects: Option<&'static [&'static str]>,
    /// The operations that change something, one per service.
    pub(crate) changes: &'static [(Service, &'static str)],
    pub(crate) incident: fn() -> Value,
    pub(crate) is_well: fn(&Platform) -> bool,
}

impl Scenario {
    /// Every scenario, in the order of the page.
    pub const ALL: [Self; 6] =
        [TICKET_TIMEOUT, WORKER_FAILURE, FAILING_WORKFLOW, WAITING_WORKFLOW, DRIFTED_WORKFLOW, STUCK_WORKFLOW];

    /// What a run without a fault changes, sorted.
    pub fn effects(&self, like: Like) -> &'static [&'static str] {
        match like {
            Like::Deployed => self.effects,
            Like::Guide => self.guide_effects.unwrap_or(self.effects),
        }
    }

    /// The operation of `service` by which this scenario's playbook changes something, or asks whether it may.
    pub(crate) fn change(&self, service: Service, like: Like) -> Option<&'static str> {
        match (service, like) {
            (Service::Opa, _) => Some("evaluate"),
            // The guide's dialect has a call of its own for what the deployed service does by a change of status.
            (Service::Tickets, Like::Guide) if !self.changes.iter().any(|(of, _)| *of == service) => None,
            (Service::Tickets, Like::Guide) => Some("reallocate_ticket"),
            (Service::Tickets | Service::Orchestrator | Service::Kubernetes, _) => {
                self.changes.iter().find(|(of, _)| *of == service).map(|(_, operation)| *operation)
            }
        }
    }

    /// The incident as the queue carries it.
    pub fn incident(&self) -> Value {
        (self.incident)()
    }

    /// Whether the target is as the playbook wants it.
    pub fn is_well(&self, platform: &Platform) -> bool {
        (self.is_well)(platform)
    }
}

const TICKET_TIMEOUT: Scenario = Scenario {
    playbook: "ticket_timeout_recovery",
    story: "`ticket-1` is RUNNING on `worker-1`, whose pod is in a crash loop. Well: a ready pod has replaced it, and the ticket is \
            PENDING without a worker.",
    services: &[Service::Tickets, Service::Kubernetes, Service::Opa],
    effects: &["pod of worker-1 deleted", "ticket-1 PENDING"],
    guide_effects: Some(&["pod of worker-1 deleted", "ticket-1 PENDING", "ticket-1 reallocated"]),
    changes: &[(Service::Tickets, "update_ticket_status"), (Service::Kubernetes, "delete_pod")],
    incident: || {
        json!({"incident_id": "matrix", "incident_type": "TICKET_TIMEOUT", "severity": "HIGH", "workflow_id": "wf-1",
            "ticket_id": "ticket-1", "worker_id": "worker-1", "namespace": NAMESPACE})
    },
    is_well: |platform| has_new_pod(platform) && is_free(platform, "ticket-1"),
};

const WORKER_FAILURE: Scenario = Scenario {
    playbook: "worker_failure_recovery",
    story: "The pod of `worker-1` is in a crash loop, and `ticket-1` and `ticket-2` are RUNNING on it. Well: a ready pod has replaced it, \
            and both tickets are PENDING without a worker.",
    services: &[Service::Tickets, Service::Kubernetes, Service::Opa],
    effects: &["pod of worker-1 deleted", "ticket-1 PENDING", "ticket-2 PENDING"],
    guide_effects: Some(&["pod of worker-1 deleted", "ticket-1 reallocated", "ticket-2 reallocated"]),
    changes: &[(Service::Tickets, "update_ticket_status"), (Service::Kubernetes, "delete_pod")],
    incident: || {
        json!({"incident_id": "matrix", "incident_type": "WORKER_FAILURE", "severity": "CRITICAL", "workflow_id": "wf-1",
            "worker_id": "worker-1", "namespace": NAMESPACE, "affected_tickets": ["ticket-1", "ticket-2"]})
    },
    is_well: |platform| has_new_pod(platform) && is_free(platform, "ticket-1") && is_free(platform, "ticket-2"),
};

const FAILING_WORKFLOW: Scenario = Scenario {
    playbook: "sla_violation_mitigation",
    story: "`wf-failing` is late, and two of its three tickets have failed. Well: it is PAUSED.",
    services: &[Service::Orchestrator],
    effects: &["wf-failing paused"],
    guide_effects: None,
    changes: &[(Service::Orchestrator, "PauseWorkflow")],
    incident: || workflow_incident("SLA_VIOLATION", "wf-failing"),
    is_well: |platform| has_state(platform, "wf-failing", WorkflowState::Paused),
};

const WAITING_WORKFLOW: Scenario = Scenario {
    playbook: "sla_violation_mitigation",
    story: "`wf-waiting` is late, and two of its tickets wait. Well: a replanning of its plan was triggered.",
    services: &[Service::Orchestrator, Service::Opa],
    effects: &["plan-waiting replanned"],
    guide_effects: None,
    changes: &[(Service::Orchestrator, "TriggerReplanning")],
    incident: || workflow_incident("SLA_VIOLATION", "wf-waiting"),
    is_well: |platform| is_replanned(platform, "plan-waiting"),
};

const DRIFTED_WORKFLOW: Scenario = Scenario {
    playbook: "workflow_replanning",
    story: "`wf-drifted` does something else than its plan says. Well: a replanning of its plan was triggered.",
    services: &[Service::Orchestrator, Service::Opa],
    effects: &["plan-drifted replanned"],
    guide_effects: None,
    changes: &[(Service::Orchestrator, "TriggerReplanning")],
    incident: || workflow_incident("PLAN_DRIFT", "wf-drifted"),
    is_well: |platform| is_replanned(platform, "plan-drifted"),
};

const STUCK_WORKFLOW: Scenario = Scenario {
    playbook: "workflow_restart",
    story: "`wf-1` is PAUSED, and nobody means it to. Well: it is RUNNING.",
    services: &[Service::Orchestrator, Service::Opa],
    effects: &["wf-1 resumed"],
    guide_effects: None,
    changes: &[(Service::Orchestrator, "ResumeWorkflow")],
    incident: || workflow_incident("WORKFLOW_STUCK", "wf-1"),
    is_well: |platform| has_state(platform, "wf-1", WorkflowState::Running),
};

/// The targets of every scenario.
pub fn seed(like: Like) -> Seed {
    let mut seed = match like {
        Like::Deployed => Seed::unhealthy_worker().with_deployed_workers(),
        Like::Guide => Seed::unhealthy_worker(),
    };
    let states = [("failing", TicketStatus::Failed), ("waiting", TicketStatus::Pending)];
    for (name, status) in states {
        for number in 1..=2 {
            seed.tickets.push(Ticket {
                workflow_id: format!("wf-{name}"),
                ..Ticket::new(&format!("ticket-{name}-{number}"), status)
            });
        }
    }
    let completed = Ticket::new("ticket-failing-3", TicketStatus::Completed);
    seed.tickets.push(Ticket { workflow_id: "wf-failing".to_owned(), ..completed });
    for name in ["failing", "waiting", "drifted"] {
        seed.workflows.push(Workflow::new(&format!("wf-{name}"), &format!("plan-{name}"), WorkflowState::Running));
    }
    seed
}

fn workflow_incident(kind: &str, workflow_id: &str) -> Value {
    json!({"incident_id": "matrix", "incident_type": kind, "severity": "MEDIUM", "workflow_id": workflow_id})
}

/// Whether a ready pod of `worker-1` is there. The seed's pod of this worker is never ready.
fn has_new_pod(platform: &Platform) -> bool {
    let of_worker = |labels: &std::collections::BTreeMap<String, String>| {
        labels.get(WORKER_LABEL).is_some_and(|worker| worker == "worker-1")
    };
    platform.pods().iter().any(|pod| (of_worker(&pod.labels) || pod.name == "worker-1") && pod.ready)
}

fn is_free(platform: &Platform, ticket_id: &str) -> bool {
    platform
        .ticket(ticket_id)
        .is_some_and(|ticket| ticket.status == TicketStatus::Pending && ticket.assigned_worker.is_none())
}

fn has_state(platform: &Platform, workflow_id: &str, state: WorkflowState) -> bool {
    platform.workflow(workflow_id).is_some_and(|workflow| workflow.state == state)
}

fn is_replanned(platform: &Platform, plan_id: &str) -> bool {
    platform.replannings().iter().any(|replanning| replanning.plan_id == plan_id)
}
