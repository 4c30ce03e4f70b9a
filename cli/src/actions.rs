//! The actions in this program: their descriptions, and the workers that perform them.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::Context as _;
use heal_engine::catalog::{ActionSpec, Catalog};
use heal_runtime::action::Action;
use heal_runtime::attempt::Worker;
use heal_wiring::observe::Observer;
use heal_wiring::{Clients, Error, Ports};

/// The actions that a playbook may name.
pub(crate) fn catalog() -> Catalog {
    Catalog::new(specs())
}

fn specs() -> [ActionSpec; 8] {
    [
        heal_check_worker_health::spec(),
        heal_get_workflow_status::spec(),
        heal_pause_workflow::spec(),
        heal_reallocate_ticket::spec(),
        heal_restart_pod::spec(),
        heal_restart_workflow::spec(),
        heal_trigger_replanning::spec(),
        heal_update_ticket_status::spec(),
    ]
}

/// A worker for each action, over `clients`. `needed` are the actions that the playbooks use.
///
/// Without a cluster, such as on a developer's machine, the two actions on pods are left out unless a playbook needs them.
///
/// # Errors
/// A client cannot be made from the configuration.
pub(crate) async fn workers(
    ports: &Ports,
    clients: &Clients,
    needed: &BTreeSet<&str>,
    observer: &Arc<Observer>,
) -> anyhow::Result<Vec<Worker>> {
    let attempt_ports = Arc::new(ports.attempt(clients.policy()?));
    let mut actions = ticket_actions(clients)?;
    actions.extend(orchestrator_actions(clients)?);
    match pod_actions(clients).await {
        Ok(pod_actions) => actions.extend(pod_actions),
        Err(error) if needed.contains(heal_check_worker_health::NAME) || needed.contains(heal_restart_pod::NAME) => {
            return Err(error).context("a playbook has actions on pods, but there is no usable Kubernetes cluster");
        }
        Err(error) => {
            let error = &error as &dyn std::error::Error;
            tracing::info!(error, "no Kubernetes cluster: the actions on pods are switched off, no playbook uses them");
        }
    }
    let worker = |action| Ok(Worker::new(action, Arc::clone(&attempt_ports))?.observed_by(observer.clone()));
    actions.into_iter().map(worker).collect()
}

fn ticket_actions(clients: &Clients) -> Result<Vec<Arc<dyn Action>>, Error> {
    let client = clients.tickets()?;
    Ok(vec![
        Arc::new(heal_reallocate_ticket::ReallocateTicket::new(Arc::clone(&client), Clients::clock())),
        Arc::new(heal_update_ticket_status::UpdateTicketStatus::new(client, Clients::clock())),
    ])
}

fn orchestrator_actions(clients: &Clients) -> Result<Vec<Arc<dyn Action>>, Error> {
    let client = clients.orchestrator()?;
    Ok(vec![
        Arc::new(heal_get_workflow_status::GetWorkflowStatus::new(Arc::clone(&client), Clients::clock())),
        Arc::new(heal_pause_workflow::PauseWorkflow::new(Arc::clone(&client), Clients::clock())),
        Arc::new(heal_restart_workflow::RestartWorkflow::new(Arc::clone(&client), Clients::clock())),
        Arc::new(heal_trigger_replanning::TriggerReplanning::new(client, Clients::clock())),
    ])
}

async fn pod_actions(clients: &Clients) -> Result<Vec<Arc<dyn Action>>, Error> {
    let client = clients.kubernetes().await?;
    Ok(vec![
        Arc::new(heal_check_worker_health::CheckWorkerHealth::new(Arc::clone(&client), Clients::clock())),
        Arc::new(heal_restart_pod::RestartPod::new(client, Clients::clock())),
    ])
}
