//! The actions that this program carries: what they are, and the workers that perform them.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::Context as _;
use clients::config::Config;
use clients::port::StoredBreaker;
use clients::{IdentityProvider, Wiring, identity, kubernetes, orchestrator, policy, tickets};
use embedded::Store;
use engine::catalog::{ActionSpec, Catalog};
use runtime::action::Action;
use runtime::attempt::{self, Worker};
use runtime::port::{Clock, SystemClock};

use wiring::aws;

/// What playbooks may name.
pub(crate) fn catalog() -> Catalog {
    Catalog::new(specs())
}

fn specs() -> [ActionSpec; 8] {
    [
        check_worker_health::spec(),
        get_workflow_status::spec(),
        pause_workflow::spec(),
        reallocate_ticket::spec(),
        restart_pod::spec(),
        restart_workflow::spec(),
        trigger_replanning::spec(),
        update_ticket_status::spec(),
    ]
}

/// What all clients of this process share: who it is, and breakers that meet in `store`.
///
/// # Errors
/// The configured identity cannot be had.
pub(crate) async fn wiring(config: &Config, store: &Store) -> anyhow::Result<Wiring> {
    let breakers = StoredBreaker::new(Arc::new(store.clone()), config);
    let identity = identity(config).await?;
    Ok(Wiring { breaker_store: Some(Arc::new(breakers)), identity, ..Wiring::default() })
}

/// Who this process is.
///
/// # Errors
/// The configured source cannot be used.
pub(crate) async fn identity(config: &Config) -> anyhow::Result<Arc<dyn IdentityProvider>> {
    let secrets = aws::secret_reader(&config.identity).await.context("identity")?;
    identity::provider(&config.identity, secrets).context("identity")
}

/// A worker per action, over clients that share `wiring`. `needed` are the actions that there have to be.
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
) -> anyhow::Result<Vec<Worker>> {
    let ports = Arc::new(attempt::Ports {
        claims: Arc::new(store.clone()),
        policy: Arc::new(policy::Client::new(&config.policy, wiring).context("policy")?),
        sender: Arc::new(store.clone()),
        clock: Arc::new(SystemClock),
    });
    let mut actions = of_tickets(config, wiring)?;
    actions.extend(of_orchestrator(config, wiring)?);
    match of_kubernetes(config, wiring).await {
        Ok(of_pods) => actions.extend(of_pods),
        Err(error) if needed.contains(check_worker_health::NAME) || needed.contains(restart_pod::NAME) => {
            return Err(error.context("a playbook needs pods, and there is no cluster to look at"));
        }
        Err(error) => {
            tracing::info!(error = %format_args!("{error:#}"), "no cluster: pods cannot be looked at, and no playbook does");
        }
    }
    actions.into_iter().map(|action| Ok(Worker::new(action, Arc::clone(&ports))?)).collect()
}

fn of_tickets(config: &Config, wiring: &Wiring) -> anyhow::Result<Vec<Arc<dyn Action>>> {
    let client = Arc::new(tickets::Client::new(&config.tickets, wiring).context("ticket service")?);
    Ok(vec![
        Arc::new(reallocate_ticket::ReallocateTicket::new(Arc::clone(&client), clock())),
        Arc::new(update_ticket_status::UpdateTicketStatus::new(client, clock())),
    ])
}

fn of_orchestrator(config: &Config, wiring: &Wiring) -> anyhow::Result<Vec<Arc<dyn Action>>> {
    let client = Arc::new(orchestrator::Client::new(&config.orchestrator, wiring).context("orchestrator")?);
    Ok(vec![
        Arc::new(get_workflow_status::GetWorkflowStatus::new(Arc::clone(&client), clock())),
        Arc::new(pause_workflow::PauseWorkflow::new(Arc::clone(&client), clock())),
        Arc::new(restart_workflow::RestartWorkflow::new(Arc::clone(&client), clock())),
        Arc::new(trigger_replanning::TriggerReplanning::new(client, clock())),
    ])
}

async fn of_kubernetes(config: &Config, wiring: &Wiring) -> anyhow::Result<Vec<Arc<dyn Action>>> {
    let eks = aws::cluster(&config.kubernetes).await.context("Kubernetes")?;
    let client = kubernetes::Client::new(&config.kubernetes, eks.as_ref(), wiring).await.context("Kubernetes")?;
    let client = Arc::new(client);
    Ok(vec![
        Arc::new(check_worker_health::CheckWorkerHealth::new(Arc::clone(&client), clock())),
        Arc::new(restart_pod::RestartPod::new(client, clock())),
    ])
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}
