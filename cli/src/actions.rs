//! The actions in this program: their descriptions, and the workers that perform them.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::Context as _;
use heal_engine::catalog::{ActionSpec, Catalog};
use heal_runtime::action::Action;
use heal_runtime::attempt::{self, Worker};
use heal_wiring::observe::Observer;
use heal_wiring::{Clients, Ports};

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

/// Milliseconds for which each action leaves a target alone unless the guardrails say otherwise; an action that is not here has no cooldown.
const COOLDOWNS_MS: [(&str, u64); 6] = [
    (heal_pause_workflow::NAME, heal_pause_workflow::COOLDOWN_MS),
    (heal_reallocate_ticket::NAME, heal_reallocate_ticket::COOLDOWN_MS),
    (heal_restart_pod::NAME, heal_restart_pod::COOLDOWN_MS),
    (heal_restart_workflow::NAME, heal_restart_workflow::COOLDOWN_MS),
    (heal_trigger_replanning::NAME, heal_trigger_replanning::COOLDOWN_MS),
    (heal_update_ticket_status::NAME, heal_update_ticket_status::COOLDOWN_MS),
];

/// Milliseconds for which an action leaves a target alone unless the guardrails say otherwise; `None`: it has no cooldown.
pub(crate) fn own_cooldown_ms(action: &str) -> Option<u64> {
    COOLDOWNS_MS.iter().find(|(name, _)| *name == action).map(|(_, ms)| *ms)
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
    let shared = Shared { ports: Arc::new(ports.attempt(clients.policy()?)), observer: Arc::clone(observer) };
    let mut workers = ticket_workers(clients, &shared)?;
    workers.extend(orchestrator_workers(clients, &shared)?);
    match clients.kubernetes().await {
        Ok(client) => {
            let check = heal_check_worker_health::CheckWorkerHealth::new(Arc::clone(&client), Clients::clock());
            workers.push(shared.worker(check)?);
            workers.push(shared.worker(heal_restart_pod::RestartPod::new(client, Clients::clock()))?);
        }
        Err(error) if needed.contains(heal_check_worker_health::NAME) || needed.contains(heal_restart_pod::NAME) => {
            return Err(error).context("a playbook has actions on pods, but there is no usable Kubernetes cluster");
        }
        Err(error) => {
            let error = &error as &dyn std::error::Error;
            tracing::info!(error, "no Kubernetes cluster: the actions on pods are switched off, no playbook uses them");
        }
    }
    Ok(workers)
}

/// The parts that all workers share.
struct Shared {
    ports: Arc<attempt::Ports>,
    observer: Arc<Observer>,
}

impl Shared {
    fn worker(&self, action: impl Action) -> anyhow::Result<Worker> {
        Ok(Worker::new(action, Arc::clone(&self.ports))?.observed_by(self.observer.clone()))
    }
}

fn ticket_workers(clients: &Clients, shared: &Shared) -> anyhow::Result<Vec<Worker>> {
    let client = clients.tickets()?;
    Ok(vec![
        shared.worker(heal_reallocate_ticket::ReallocateTicket::new(Arc::clone(&client), Clients::clock()))?,
        shared.worker(heal_update_ticket_status::UpdateTicketStatus::new(client, Clients::clock()))?,
    ])
}

fn orchestrator_workers(clients: &Clients, shared: &Shared) -> anyhow::Result<Vec<Worker>> {
    let client = clients.orchestrator()?;
    Ok(vec![
        shared.worker(heal_get_workflow_status::GetWorkflowStatus::new(Arc::clone(&client), Clients::clock()))?,
        shared.worker(heal_pause_workflow::PauseWorkflow::new(Arc::clone(&client), Clients::clock()))?,
        shared.worker(heal_restart_workflow::RestartWorkflow::new(Arc::clone(&client), Clients::clock()))?,
        shared.worker(heal_trigger_replanning::TriggerReplanning::new(client, Clients::clock()))?,
    ])
}

#[cfg(test)]
mod tests {
    use heal_engine::catalog::Safety;

    use super::specs;

    #[test]
    fn the_critical_actions_are_those_of_the_policys_rules_and_of_the_documentation() {
        let policy = include_str!("../../policies/self_healing/playbook_validation.rego");
        let docs = include_str!("../../docs/configuration.md");
        let documented = docs.lines().find(|line| line.starts_with("| `OPA_VALIDATED_ACTIONS`")).unwrap_or_default();
        for spec in specs() {
            let has_rules = policy.contains(&format!("\taction == \"{}\"", spec.name));
            let is_documented = documented.contains(&format!("`{}`", spec.name));
            assert_eq!((has_rules, is_documented), (spec.critical, spec.critical), "{}", spec.name);
        }
    }

    #[test]
    fn the_page_has_the_default_cooldown_of_every_changing_action() {
        let page = include_str!("../../docs/default-cooldowns.md");
        let seconds = |name: &str| -> Option<u64> {
            let row = page.lines().find(|line| line.starts_with(&format!("| `{name}` |")))?;
            row.trim_end_matches(" |").rsplit("| ").next()?.parse().ok()
        };
        for spec in specs() {
            let cooldown_ms = super::own_cooldown_ms(spec.name);
            assert_eq!(cooldown_ms.is_some(), spec.safety != Safety::ReadOnly, "{} changes its target", spec.name);
            assert_eq!(seconds(spec.name).map(|seconds| seconds * 1_000), cooldown_ms, "{}", spec.name);
        }
    }

    #[test]
    fn no_action_has_an_output_of_a_name_that_the_engine_sets() {
        let reserved =
            |(name, _): &&(&str, _)| heal_engine::catalog::STEP_FIELDS.iter().any(|(field, _)| field == name);
        for spec in specs() {
            assert_eq!(spec.outputs.iter().find(reserved), None, "{}", spec.name);
        }
    }
}
