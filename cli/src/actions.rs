//! The actions that this program carries: what they are, and the workers that perform them.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::Context as _;
use heal_clients::config::Config;
use heal_clients::port::StoredBreaker;
use heal_clients::{IdentityProvider, Wiring, identity, kubernetes, orchestrator, policy, tickets};
use heal_embedded::Store;
use heal_engine::catalog::{ActionSpec, Catalog};
use heal_runtime::action::Action;
use heal_runtime::attempt::{self, Worker};
use heal_runtime::port::{Clock, SystemClock};
use heal_wiring::observe::Observer;

use heal_wiring::aws;

/// What playbooks may name.
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

/// What all clients of this process share: who it is, breakers that meet in `store`, and the `observer` that is told of their calls.
///
/// # Errors
/// The configured identity cannot be had.
pub(crate) async fn wiring(config: &Config, store: &Store, observer: &Arc<Observer>) -> anyhow::Result<Wiring> {
    let breakers = StoredBreaker::new(Arc::new(store.clone()), config);
    let identity = identity(config).await?;
    Ok(Wiring { breaker_store: Some(Arc::new(breakers)), identity, observer: observer.clone() })
}

/// Who this process is.
///
/// # Errors
/// The configured source cannot be used.
pub(crate) async fn identity(config: &Config) -> anyhow::Result<Arc<dyn IdentityProvider>> {
    let secrets = aws::secret_reader(&config.identity).await.context("identity")?;
    identity::provider(&config.identity, secrets).context("identity")
}

/// A worker per action, over clients that share `wiring`. `needed` are the actions that there have to be; `observer` is told what they do.
///
/// An action whose service is not configured at all, such as a cluster on a machine that knows none, is left out where nobody needs it.
///
/// # Errors
/// A client cannot be made from the configuration.
pub(crate) async fn workers(
    config: &Config,
    store: &Store,
    wiring: &Wiring,
    needed: &BTreeSet<&str>,
    observer: &Arc<Observer>,
) -> anyhow::Result<Vec<Worker>> {
    let ports = Arc::new(attempt::Ports {
        claims: Arc::new(store.clone()),
        policy: Arc::new(policy::Client::new(&config.policy, wiring).context("policy")?),
        sender: Arc::new(store.clone()),
        clock: Arc::new(SystemClock),
    });
    let shared = Shared { ports, observer: Arc::clone(observer) };
    let mut workers = of_tickets(config, wiring, &shared)?;
    workers.extend(of_orchestrator(config, wiring, &shared)?);
    match of_kubernetes(config, wiring, &shared).await {
        Ok(of_pods) => workers.extend(of_pods),
        Err(error) if needed.contains(heal_check_worker_health::NAME) || needed.contains(heal_restart_pod::NAME) => {
            return Err(error.context("a playbook needs pods, and there is no cluster to look at"));
        }
        Err(error) => {
            tracing::info!(error = %format_args!("{error:#}"), "no cluster: pods cannot be looked at, and no playbook does");
        }
    }
    Ok(workers)
}

/// What all workers share.
struct Shared {
    ports: Arc<attempt::Ports>,
    observer: Arc<Observer>,
}

impl Shared {
    fn worker(&self, action: impl Action) -> anyhow::Result<Worker> {
        Ok(Worker::new(action, Arc::clone(&self.ports))?.observed_by(self.observer.clone()))
    }
}

fn of_tickets(config: &Config, wiring: &Wiring, shared: &Shared) -> anyhow::Result<Vec<Worker>> {
    let client = Arc::new(tickets::Client::new(&config.tickets, wiring).context("ticket service")?);
    Ok(vec![
        shared.worker(heal_reallocate_ticket::ReallocateTicket::new(Arc::clone(&client), clock()))?,
        shared.worker(heal_update_ticket_status::UpdateTicketStatus::new(client, clock()))?,
    ])
}

fn of_orchestrator(config: &Config, wiring: &Wiring, shared: &Shared) -> anyhow::Result<Vec<Worker>> {
    let client = Arc::new(orchestrator::Client::new(&config.orchestrator, wiring).context("orchestrator")?);
    Ok(vec![
        shared.worker(heal_get_workflow_status::GetWorkflowStatus::new(Arc::clone(&client), clock()))?,
        shared.worker(heal_pause_workflow::PauseWorkflow::new(Arc::clone(&client), clock()))?,
        shared.worker(heal_restart_workflow::RestartWorkflow::new(Arc::clone(&client), clock()))?,
        shared.worker(heal_trigger_replanning::TriggerReplanning::new(client, clock()))?,
    ])
}

async fn of_kubernetes(config: &Config, wiring: &Wiring, shared: &Shared) -> anyhow::Result<Vec<Worker>> {
    let eks = aws::cluster(&config.kubernetes).await.context("Kubernetes")?;
    let client = kubernetes::Client::new(&config.kubernetes, eks.as_ref(), wiring).await.context("Kubernetes")?;
    let client = Arc::new(client);
    Ok(vec![
        shared.worker(heal_check_worker_health::CheckWorkerHealth::new(Arc::clone(&client), clock()))?,
        shared.worker(heal_restart_pod::RestartPod::new(client, clock()))?,
    ])
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

#[cfg(test)]
mod tests {
    use super::specs;

    #[test]
    fn the_critical_actions_are_those_of_the_policys_rules_and_of_the_documentation() {
        let policy = include_str!("../../policies/self_healing/playbook_validation.rego");
        let docs = include_str!("../../docs/configuration.md");
        let documented = docs.lines().find(|line| line.starts_with("| `OPA_VALIDATED_ACTIONS`")).unwrap_or_default();
        for spec in specs() {
            let has_rules = policy.contains(&format!("resource(\"action\") == \"{}\"", spec.name));
            let is_documented = documented.contains(&format!("`{}`", spec.name));
            assert_eq!((has_rules, is_documented), (spec.critical, spec.critical), "{}", spec.name);
        }
    }
}
