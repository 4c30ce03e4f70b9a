//! The stand-in platform of a soak, and its incidents: each has targets of its own, so that an effect says whose it is.

use heal_clients::policy::BUNDLED_POLICY;
use heal_sandbox::kubernetes::{Owner, Pod};
use heal_sandbox::opa::OpaConfig;
use heal_sandbox::orchestrator::{Workflow, WorkflowState};
use heal_sandbox::seed::NAMESPACE;
use heal_sandbox::tickets::{Ticket, TicketStatus};
use heal_sandbox::{PlatformConfig, Seed};
use serde_json::{Value, json};

use crate::random::Random;

/// Tickets of an incident that is about several.
const TICKETS: u64 = 3;
/// Services whose outages are reported. Few, so that incidents join the run of an earlier one.
const OUTAGES: u64 = 3;
/// The part of the seed that decides what an incident is about.
const KINDS: u64 = 1;

/// What an incident is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A ticket of a sick worker.
    TicketTimeout,
    /// A sick worker with several tickets: steps beside each other.
    WorkerFailure,
    /// A paused workflow.
    WorkflowStuck,
    /// The same, and people are asked first.
    WorkflowAsked,
    /// A workflow that is late.
    SlaViolation,
    /// A workflow whose plan no longer fits.
    PlanDrift,
    /// An outage, which waits for a person and takes up the incidents that follow.
    Outage,
    /// A step for each ticket, and one that asks people.
    FanOut,
    /// No playbook is for it: its run keeps it.
    NoPlaybook,
}

/// Of 20 incidents.
const MIX: [Kind; 20] = [
    Kind::TicketTimeout,
    Kind::TicketTimeout,
    Kind::TicketTimeout,
    Kind::TicketTimeout,
    Kind::WorkerFailure,
    Kind::WorkerFailure,
    Kind::WorkerFailure,
    Kind::WorkerFailure,
    Kind::WorkflowStuck,
    Kind::WorkflowStuck,
    Kind::WorkflowStuck,
    Kind::WorkflowAsked,
    Kind::SlaViolation,
    Kind::SlaViolation,
    Kind::PlanDrift,
    Kind::PlanDrift,
    Kind::Outage,
    Kind::FanOut,
    Kind::FanOut,
    Kind::NoPlaybook,
];

/// The incidents of a seed, by their number.
#[derive(Debug, Clone, Copy)]
pub(crate) struct World {
    pub seed: u64,
}

impl World {
    /// What incident `number` is about.
    pub(crate) fn kind(self, number: u64) -> Kind {
        let mut random = Random::of(self.seed.wrapping_add(number.wrapping_mul(0x9e37_79b9)), KINDS);
        random.choose(&MIX).copied().unwrap_or(Kind::TicketTimeout)
    }

    /// The message of incident `number`.
    pub(crate) fn incident(self, number: u64) -> Value {
        let (id, worker, workflow) = (id_of(number), worker(number), workflow(number));
        match self.kind(number) {
            Kind::TicketTimeout => json!({"incident_id": id, "incident_type": "TICKET_TIMEOUT", "severity": "HIGH",
                "ticket_id": ticket(number, 0), "worker_id": worker}),
            Kind::WorkerFailure => json!({"incident_id": id, "incident_type": "WORKER_FAILURE", "severity": "CRITICAL",
                "worker_id": worker, "affected_tickets": tickets(number)}),
            Kind::WorkflowStuck => {
                json!({"incident_id": id, "incident_type": "WORKFLOW_STUCK", "workflow_id": workflow})
            }
            Kind::WorkflowAsked => {
                json!({"incident_id": id, "incident_type": "WORKFLOW_STUCK", "workflow_id": workflow,
                "auto_remediation_enabled": false})
            }
            Kind::SlaViolation => json!({"incident_id": id, "incident_type": "SLA_VIOLATION", "workflow_id": workflow}),
            Kind::PlanDrift => json!({"incident_id": id, "incident_type": "PLAN_DRIFT", "workflow_id": workflow}),
            Kind::Outage => json!({"incident_id": id, "incident_type": "DEPENDENCY_DOWN", "severity": "CRITICAL",
                "service_name": format!("service-{}", number % OUTAGES), "auto_remediation_enabled": false}),
            Kind::FanOut => json!({"incident_id": id, "incident_type": "SOAK_FAN_OUT", "workflow_id": workflow,
                "affected_tickets": tickets(number)}),
            Kind::NoPlaybook => json!({"incident_id": id, "incident_type": "SOAK_UNKNOWN"}),
        }
    }

    /// The platform with the targets of the first `incidents` incidents.
    pub(crate) fn platform(self, incidents: u64) -> PlatformConfig {
        let mut seed = Seed::default();
        for number in 0..incidents {
            self.add_targets(number, &mut seed);
        }
        let opa = OpaConfig { policy: Some(BUNDLED_POLICY.to_owned()), ..OpaConfig::default() };
        PlatformConfig { seed, opa, ..PlatformConfig::default() }
    }

    fn add_targets(self, number: u64, seed: &mut Seed) {
        let running = |ticket_id: &String| Ticket {
            assigned_worker: Some(worker(number)),
            workflow_id: workflow(number),
            ..Ticket::new(ticket_id, TicketStatus::Running)
        };
        let owned = |state| Workflow::new(&workflow(number), &format!("plan-{number}"), state);
        match self.kind(number) {
            Kind::TicketTimeout => {
                seed.tickets.push(running(&ticket(number, 0)));
                seed.pods.push(sick_pod(number));
            }
            Kind::WorkerFailure => {
                seed.tickets.extend(tickets(number).iter().map(running));
                seed.pods.push(sick_pod(number));
            }
            Kind::WorkflowStuck | Kind::WorkflowAsked => seed.workflows.push(owned(WorkflowState::Paused)),
            Kind::SlaViolation | Kind::PlanDrift => seed.workflows.push(owned(WorkflowState::Running)),
            Kind::FanOut => {
                seed.tickets.extend(tickets(number).iter().map(running));
                seed.workflows.push(owned(WorkflowState::Running));
            }
            Kind::Outage | Kind::NoPlaybook => {}
        }
    }
}

/// The id of incident `number`.
pub(crate) fn id_of(number: u64) -> String {
    format!("soak-{number}")
}

fn ticket(number: u64, of_several: u64) -> String {
    format!("ticket-{number}-{of_several}")
}

fn tickets(number: u64) -> Vec<String> {
    (0..TICKETS).map(|of_several| ticket(number, of_several)).collect()
}

fn worker(number: u64) -> String {
    format!("worker-{number}")
}

fn workflow(number: u64) -> String {
    format!("wf-{number}")
}

/// Its stateful set has a healthy pod of the same name once it is deleted.
fn sick_pod(number: u64) -> Pod {
    Pod {
        owner: Some(Owner { kind: "StatefulSet".to_owned(), name: format!("set-{number}") }),
        ready: false,
        restarts: 7,
        waiting_reason: Some("CrashLoopBackOff".to_owned()),
        ..Pod::new(NAMESPACE, &worker(number))
    }
}
