//! The engine in this process: dispatcher, actions and the loops between them, over one store.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use heal_clients::checks::Prober;
use heal_clients::config::{Config, Strings};
use heal_embedded::Store;
use heal_engine::Plan;
use heal_engine::check::Check;
use heal_runtime::checks::{self, Checks};
use heal_runtime::dispatcher::{self, Dispatcher};
use heal_runtime::host::Host;
use heal_runtime::library::Library;
use heal_runtime::port::{OsEntropy, SystemClock};
use heal_telemetry::Metrics;
use heal_wiring::observe::Observer;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::actions;

/// How often it is looked whether a check is due.
const CHECK_TICK: Duration = Duration::from_secs(2);

/// The dispatcher over `store`.
pub(crate) fn dispatcher(store: &Store, library: Arc<Library>) -> Dispatcher {
    let ports = dispatcher::Ports {
        runs: Arc::new(store.clone()),
        sender: Arc::new(store.clone()),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(OsEntropy),
    };
    Dispatcher::new(ports, library)
}

/// Counts what happens with the playbooks of `library`.
pub(crate) fn observer(metrics: &Metrics, library: &Library) -> Arc<Observer> {
    let catalog = actions::catalog();
    Observer::new(metrics, catalog.iter().map(|spec| spec.name), library.names())
}

/// The loops at work; they end when this is told to stop, or dropped.
#[derive(Debug)]
pub(crate) struct Running {
    stop: watch::Sender<bool>,
    loops: JoinHandle<()>,
}

impl Running {
    /// Starts the dispatcher's loops, the actions and the scheduled checks, whose clients are configured from `strings`. `plans` are those
    /// that have to work; `observer` is told of the actions and their calls.
    ///
    /// # Errors
    /// The configuration is wrong, each variable named; or a client that these plans need cannot be made.
    pub(crate) async fn start<'a>(
        store: &Store,
        dispatcher: Dispatcher,
        strings: &dyn Strings,
        plans: impl Iterator<Item = &'a Plan>,
        checks: Vec<Check>,
        observer: &Arc<Observer>,
    ) -> anyhow::Result<Self> {
        let config = Config::read(strings).context("configuration")?;
        let steps = plans.flat_map(|plan| plan.playbook.steps());
        let wiring = actions::wiring(&config, store, observer).await?;
        let needed = steps.map(|step| step.kind.as_str()).collect();
        let workers = actions::workers(&config, store, &wiring, &needed, observer).await?;
        let host = Host::new(dispatcher, workers, Arc::new(store.clone()), Arc::new(store.clone()));
        let ports = checks::Ports {
            prober: Arc::new(Prober::new(&config, &wiring)),
            store: Arc::new(store.clone()),
            sender: Arc::new(store.clone()),
        };
        let checks = Checks::new(checks, ports).context("checks")?.every(CHECK_TICK);
        let (stop, stopped) = watch::channel(false);
        let looks = checks.run_until(Arc::new(SystemClock), stopped.clone());
        let loops = async move {
            tokio::join!(host.run(stopped), looks);
        };
        Ok(Self { stop, loops: tokio::spawn(loops) })
    }

    /// Takes nothing more, and waits for what is in flight, at most `grace`. False where something was left; it goes on at the next start.
    pub(crate) async fn stop(self, grace: Duration) -> bool {
        // Nobody listens only where the loops have ended already.
        let _ = self.stop.send(true);
        tokio::time::timeout(grace, self.loops).await.is_ok()
    }
}

/// A dispatcher that knows no playbooks: it reads runs, and takes a person's word to one; plans come from the store.
pub(crate) fn reader(store: &Store) -> Dispatcher {
    dispatcher(store, Arc::default())
}
