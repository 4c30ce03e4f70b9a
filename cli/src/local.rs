//! The engine in this process: dispatcher, workers and scheduled checks over one store.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use heal_clients::config::Strings;
use heal_embedded::Store;
use heal_engine::Plan;
use heal_engine::check::Check;
use heal_runtime::checks::Checks;
use heal_runtime::dispatcher::Dispatcher;
use heal_runtime::host::Host;
use heal_runtime::library::Library;
use heal_runtime::port::SystemClock;
use heal_telemetry::Metrics;
use heal_wiring::Ports;
use heal_wiring::observe::Observer;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::actions;

/// How often each check is tested for being due.
const CHECK_TICK: Duration = Duration::from_secs(2);

/// The ports of the engine over a state file.
pub(crate) fn ports(store: &Store) -> Ports {
    Ports::new(store, store).settling(Arc::new(store.clone()))
}

/// The metrics of this process, with the names of the playbooks of `library`.
pub(crate) fn observer(metrics: &Metrics, library: &Library) -> Arc<Observer> {
    let catalog = actions::catalog();
    Observer::new(metrics, catalog.iter().map(|spec| spec.name), library.names())
}

/// The engine's running loops. They end at [`Engine::stop`], or when this is dropped.
#[derive(Debug)]
pub(crate) struct Engine {
    stop: watch::Sender<bool>,
    loops: JoinHandle<()>,
}

impl Engine {
    /// Starts the dispatcher's loops, and the workers and the scheduled checks over `ports`. `strings` configures the clients, `plans` are the plans that must
    /// be executable, and `observer` counts attempts and calls.
    ///
    /// # Errors
    /// The configuration is wrong, each variable named; or a client that these plans need cannot be made.
    pub(crate) async fn start<'a>(
        store: &Store,
        ports: &Ports,
        dispatcher: Dispatcher,
        strings: &dyn Strings,
        plans: impl Iterator<Item = &'a Plan>,
        checks: Vec<Check>,
        observer: &Arc<Observer>,
    ) -> anyhow::Result<Self> {
        let (host, checks) = assemble(store, ports, dispatcher, strings, plans, checks, observer).await?;
        let (stop, stopped) = watch::channel(false);
        let probing = checks.run_until(Arc::new(SystemClock), stopped.clone());
        let loops = async move {
            tokio::join!(host.run(stopped), probing);
        };
        Ok(Self { stop, loops: tokio::spawn(loops) })
    }

    /// Takes no more messages, and waits at most `grace` for the attempts in flight. False if some did not end; they are resumed at the next
    /// start.
    pub(crate) async fn stop(self, grace: Duration) -> bool {
        // Sending fails only if the loops have already ended.
        let _ = self.stop.send(true);
        tokio::time::timeout(grace, self.loops).await.is_ok()
    }
}

async fn assemble<'a>(
    store: &Store,
    ports: &Ports,
    dispatcher: Dispatcher,
    strings: &dyn Strings,
    plans: impl Iterator<Item = &'a Plan>,
    checks: Vec<Check>,
    observer: &Arc<Observer>,
) -> anyhow::Result<(Host, Checks)> {
    let clients = ports.clients(strings, Arc::clone(observer)).await?;
    let needed = plans.flat_map(|plan| plan.playbook.steps()).map(|step| step.kind.as_str()).collect();
    let workers = actions::workers(ports, &clients, &needed, observer).await?;
    let host = Host::new(dispatcher, workers, Arc::new(store.clone()), Arc::clone(&ports.due_runs));
    let host = host.settling(Arc::new(store.clone()));
    let checks =
        Checks::new(checks, ports.checks(clients.prober())).context("failed to set up the scheduled checks")?;
    let checks = if ports.notifies { checks.notifying() } else { checks };
    Ok((host, checks.every(CHECK_TICK)))
}

#[cfg(test)]
mod tests {
    use heal_clients::tickets;
    use heal_runtime::Timestamp;
    use heal_runtime::checks::CheckOutcome;
    use heal_runtime::port::BreakerStore as _;

    use super::*;
    use crate::state;

    /// More failures than open a breaker.
    const PROBES: u64 = 8;

    #[tokio::test]
    async fn failed_probes_do_not_open_the_breakers_of_the_actions() {
        let text = "description: d\nevery_seconds: 10\nprobe: {type: overdue_tickets, overdue_seconds: 0}\n\
                    incident: {incident_type: SLA_VIOLATION}\n";
        let check = heal_language::check::read("overdue", text, None);
        let check = check.check.unwrap_or_else(|| panic!("{:?}", check.diagnostics));
        let state = state::in_memory().unwrap();
        let observer = Observer::new(&Metrics::silent(), [], []);
        let nowhere = [
            ("EXECUTION_TICKET_SERVICE_URL", "http://127.0.0.1:1"),
            ("ORCHESTRATOR_GRPC_USE_TLS", "false"),
            ("SPIFFE_IDENTITY_SOURCE", "none"),
        ];
        let ports = ports(&state.store);
        let dispatcher = ports.reader();
        let plans = std::iter::empty();
        let (_, checks) =
            assemble(&state.store, &ports, dispatcher, &nowhere, plans, vec![check], &observer).await.unwrap();
        for round in 1..=PROBES {
            let checked = checks.run(Timestamp(round * 60_000)).await;
            assert!(matches!(checked[0].outcome, CheckOutcome::Unknown { .. }), "{:?}", checked[0]);
        }
        assert_eq!(state.store.read(tickets::SERVICE).await.unwrap(), None);
    }
}
