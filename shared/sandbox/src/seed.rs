//! The state that the platform starts with or is reset to.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::kubernetes::{Owner, Pod, Replacement};
use crate::orchestrator::{Workflow, WorkflowState};
use crate::tickets::{Sla, Ticket, TicketStatus};
use crate::wire::{now_ms, read_json};

/// The largest number of tickets, of workflows and of pods in a seed.
pub const ITEMS_LIMIT: usize = 100_000;

/// Tickets, workflows and pods. An absent list is empty.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Seed {
    /// The tickets of the ticket service.
    pub tickets: Vec<Ticket>,
    /// The workflows of the orchestrator.
    pub workflows: Vec<Workflow>,
    /// The pods of the cluster.
    pub pods: Vec<Pod>,
}

/// Why a seed is refused. The text names the field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SeedError {
    /// The text is not JSON of the shape of a seed.
    #[error("{path}: {reason}")]
    Json {
        /// The field, such as `tickets[0].status`; `.` for the whole text.
        path: String,
        /// The expected value, with line and column.
        reason: String,
    },
    /// An id is empty.
    #[error("{path}: empty, expected an id")]
    Empty {
        /// The field.
        path: String,
    },
    /// Two items have the same id.
    #[error("{path}: duplicate id `{id}`")]
    Twice {
        /// The field of the second item.
        path: String,
        /// The id.
        id: String,
    },
    /// A list is too long.
    #[error("{path}: {found} items, at most {ITEMS_LIMIT}")]
    TooMany {
        /// The name of the list.
        path: &'static str,
        /// The length of the list.
        found: usize,
    },
}

impl Seed {
    /// Reads and checks a seed in JSON.
    pub fn from_json(text: &str) -> Result<Self, SeedError> {
        let seed: Self =
            read_json(text.as_bytes()).map_err(|wrong| SeedError::Json { path: wrong.path, reason: wrong.reason })?;
        seed.check()?;
        Ok(seed)
    }

    /// Checks that the ids are present and unique.
    pub fn check(&self) -> Result<(), SeedError> {
        unique("tickets", "ticket_id", self.tickets.iter().map(|ticket| ticket.ticket_id.as_str()))?;
        let workflows = self.workflows.iter().map(|workflow| workflow.workflow_id.as_str());
        unique("workflows", "workflow_id", workflows)?;
        for (at, pod) in self.pods.iter().enumerate() {
            for (field, value) in [("name", &pod.name), ("namespace", &pod.namespace)] {
                if value.is_empty() {
                    return Err(SeedError::Empty { path: format!("pods[{at}].{field}") });
                }
            }
        }
        let pods: Vec<_> = self.pods.iter().map(|pod| format!("{}/{}", pod.namespace, pod.name)).collect();
        unique("pods", "name", pods.iter().map(String::as_str))
    }

    /// The platform in the two diagrams of the guide, with `worker-1` in a crash loop.
    ///
    /// - `ticket-1` RUNNING on `worker-1`, of `wf-1` and `plan-1`; `ticket-2` to `ticket-4` beside it
    /// - `wf-1` PAUSED, `wf-running` RUNNING, `wf-completed` COMPLETED, `wf-failed` FAILED, `wf-cancelled` CANCELLED
    /// - in the namespace [`NAMESPACE`]: `worker-0` and `worker-1` of a stateful set, `executor-…` of a replica set
    pub fn unhealthy_worker() -> Self {
        let mut seed = Self::healthy_worker();
        for pod in &mut seed.pods {
            if pod.name == "worker-1" {
                pod.ready = false;
                pod.restarts = 7;
                pod.waiting_reason = Some("CrashLoopBackOff".to_owned());
                pod.terminated_reason = Some("Error".to_owned());
            }
        }
        seed
    }

    /// Turns every pod of a stateful set into a pod of a Deployment, as the platform runs its workers: its name is
    /// generated, a replacement gets another name, and [`WORKER_LABEL`] has the worker's id (the pod's former name).
    #[must_use]
    pub fn with_deployed_workers(mut self) -> Self {
        for pod in &mut self.pods {
            if pod.owner.as_ref().is_some_and(|owner| owner.kind == "StatefulSet") {
                let replica_set = format!("{}-6d5f9c7b8", pod.name);
                pod.labels.insert(WORKER_LABEL.to_owned(), pod.name.clone());
                pod.name = format!("{replica_set}-x2k4q");
                pod.owner = Some(Owner { kind: "ReplicaSet".to_owned(), name: replica_set });
            }
        }
        self
    }

    /// [`Seed::unhealthy_worker`] with every pod healthy.
    pub fn healthy_worker() -> Self {
        let workers = Owner { kind: "StatefulSet".to_owned(), name: "worker".to_owned() };
        let executors = Owner { kind: "ReplicaSet".to_owned(), name: "executor-7d9f8".to_owned() };
        Self {
            tickets: vec![
                ticket("ticket-1", TicketStatus::Running, Some("worker-1")),
                ticket("ticket-2", TicketStatus::Running, Some("worker-1")),
                ticket("ticket-3", TicketStatus::Running, Some("worker-0")),
                ticket("ticket-4", TicketStatus::Completed, Some("worker-0")),
            ],
            workflows: vec![
                Workflow::new("wf-1", "plan-1", WorkflowState::Paused),
                Workflow::new("wf-running", "plan-running", WorkflowState::Running),
                Workflow::new("wf-completed", "plan-completed", WorkflowState::Completed),
                Workflow::new("wf-failed", "plan-failed", WorkflowState::Failed),
                Workflow::new("wf-cancelled", "plan-cancelled", WorkflowState::Cancelled),
            ],
            pods: vec![
                pod("worker-0", &workers),
                pod("worker-1", &workers),
                pod("executor-7d9f8-x2k4q", &executors),
                pod("executor-7d9f8-m8v6z", &executors),
            ],
        }
    }
}

/// The namespace of the pods in the default seeds.
pub const NAMESPACE: &str = "neural-hive-execution";
/// The label by which the deployed platform finds the pod of a worker.
pub const WORKER_LABEL: &str = "self-healing.io/worker-id";

fn ticket(ticket_id: &str, status: TicketStatus, worker: Option<&str>) -> Ticket {
    let created_at = now_ms() - 600_000;
    Ticket {
        assigned_worker: worker.map(str::to_owned),
        workflow_id: "wf-1".to_owned(),
        plan_id: "plan-1".to_owned(),
        created_at,
        started_at: Some(created_at + 1_000),
        sla: Some(Sla { timeout_ms: 300_000, deadline: Some(created_at + 300_000) }),
        ..Ticket::new(ticket_id, status)
    }
}

fn pod(name: &str, owner: &Owner) -> Pod {
    let app = owner.name.split('-').next().unwrap_or_default().to_owned();
    Pod {
        owner: Some(owner.clone()),
        labels: [("app".to_owned(), app)].into(),
        replacement: Replacement::Healthy,
        ..Pod::new(NAMESPACE, name)
    }
}

fn unique<'a>(
    list: &'static str,
    field: &'static str,
    ids: impl ExactSizeIterator<Item = &'a str>,
) -> Result<(), SeedError> {
    let found = ids.len();
    if found > ITEMS_LIMIT {
        return Err(SeedError::TooMany { path: list, found });
    }
    let mut seen = BTreeSet::new();
    for (at, id) in ids.enumerate() {
        let path = || format!("{list}[{at}].{field}");
        if id.is_empty() {
            return Err(SeedError::Empty { path: path() });
        }
        if !seen.insert(id) {
            return Err(SeedError::Twice { path: path(), id: id.to_owned() });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invalid_seed_names_its_field() {
        let cases = [
            (r#"{"ticket": []}"#, "ticket:"),
            (r#"{"tickets": [{"ticket_id": "a"}]}"#, "tickets[0]: "),
            (
                r#"{"tickets": [{"ticket_id": "a", "status": "running"}]}"#,
                "tickets[0]: status: unknown variant `running`",
            ),
            (r#"{"tickets": [{"ticket_id": "", "status": "RUNNING"}]}"#, "tickets[0].ticket_id: empty"),
            (r#"{"workflows": [{"workflow_id": "a", "state": "IDLE"}]}"#, "workflows[0].state: unknown variant `IDLE`"),
            (
                r#"{"pods": [{"namespace": "n", "name": "a"}, {"namespace": "n", "name": "a"}]}"#,
                "pods[1].name: duplicate id `n/a`",
            ),
            (r#"{"pods": [{"namespace": "n", "name": "a", "redy": true}]}"#, "pods[0].redy: unknown field"),
            ("{} x", ".: trailing characters"),
        ];
        for (json, expected) in cases {
            let found = Seed::from_json(json).unwrap_err().to_string();
            assert!(found.starts_with(expected), "{found:?} does not start with {expected:?}");
        }
    }

    #[test]
    fn a_seed_that_is_too_large_is_refused_with_its_size() {
        let pods = (0..=ITEMS_LIMIT).map(|at| Pod::new("n", &at.to_string())).collect();
        let error = Seed { pods, ..Seed::default() }.check().unwrap_err();
        assert_eq!(error.to_string(), "pods: 100001 items, at most 100000");
    }

    #[test]
    fn the_default_seed_is_valid_and_survives_json() {
        let seed = Seed::unhealthy_worker();
        seed.check().unwrap();
        let json = serde_json::to_string(&seed).unwrap();
        assert_eq!(Seed::from_json(&json).unwrap(), seed);
    }
}
