//! One process of the engine over a state file: ports, dispatcher and workers as `heal serve` assembles them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use heal_clients::Wiring;
use heal_clients::config::Config;
use heal_clients::{kubernetes, orchestrator, policy, tickets};
use heal_embedded::{Location, Store};
use heal_engine::catalog::{ActionSpec, Catalog};
use heal_runtime::action::Action;
use heal_runtime::attempt::{self, Worker};
use heal_runtime::host::Host;
use heal_runtime::library::Library;
use heal_runtime::port::{Clock, QueueName};
use heal_testkit::memory::ManualClock;
use heal_testkit::scripted::Counter;
use heal_wiring::Ports;

use crate::gate::Gate;
use crate::gated::Gated;

/// Overdue runs that one sweep continues.
const SWEEP_RUNS: usize = 10;

/// Whether turn, claim and messages are one transaction, as in `heal serve`, or one write after another, as on AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Home {
    AtOnce,
    InOrder,
}

/// What every process of one test shares.
pub struct Site {
    pub clock: Arc<ManualClock>,
    pub library: Arc<Library>,
    pub env: BTreeMap<String, String>,
    pub home: Home,
}

/// A running process.
pub struct Process {
    pub store: Store,
    pub gate: Arc<Gate>,
    host: Host,
}

/// Every action.
pub fn specs() -> [ActionSpec; 8] {
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

/// The playbooks of a folder.
pub fn library(folder: &Path) -> Library {
    let catalog = Catalog::new(specs());
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let is_playbook = |path: &std::path::PathBuf| {
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        path.extension().is_some_and(|end| end == "yaml") && !["guardrails", "hooks", "notify"].contains(&stem)
    };
    let read = |path: std::path::PathBuf| {
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let reading = heal_language::playbook::read(&stem, &std::fs::read_to_string(&path).unwrap(), &catalog);
        reading.playbook.unwrap_or_else(|| panic!("{} has errors", path.display()))
    };
    Library::new(files.into_iter().filter(is_playbook).map(read)).unwrap()
}

impl Process {
    /// Opens the state file, and takes over what a dead process left.
    pub async fn start(site: &Site, path: &Path, gate: Gate) -> Self {
        let clock: Arc<dyn Clock> = site.clock.clone();
        let store = Store::open(Location::File(path.to_owned()), Arc::clone(&clock)).unwrap();
        store.recover().await.unwrap();
        let gate = Arc::new(gate);
        let gated = Gated { store: store.clone(), gate: Arc::clone(&gate) };
        let ports = Ports { clock, entropy: Arc::new(Counter::default()), ..Ports::new(&gated, &gated) };
        let config = Config::read(&site.env).unwrap();
        let workers = workers(&ports, &config).await;
        let dispatcher = ports.dispatcher(Arc::clone(&site.library));
        let host = Host::new(dispatcher, workers, Arc::new(gated.clone()), Arc::clone(&ports.due_runs));
        let host = match site.home {
            Home::AtOnce => host.settling(Arc::new(gated)),
            Home::InOrder => host,
        };
        Self { store, gate, host }
    }

    /// Handles a message of each queue, and sweeps. Whether there was one.
    pub async fn work(&self) -> bool {
        let actions = specs().into_iter().map(|spec| QueueName::Action(spec.name.to_owned()));
        let mut handled = 0;
        for queue in [QueueName::Incidents, QueueName::Results].into_iter().chain(actions) {
            handled += self.host.once(&queue, 1).await.unwrap();
        }
        self.host.dispatcher().sweep(&self.store, SWEEP_RUNS).await.unwrap();
        handled > 0
    }
}

async fn workers(ports: &Ports, config: &Config) -> Vec<Worker> {
    let wiring = Wiring::default();
    let policy = Arc::new(policy::Client::new(&config.policy, &wiring).unwrap());
    let shared = Arc::new(ports.attempt(policy));
    let tickets = Arc::new(tickets::Client::new(&config.tickets, &wiring).unwrap());
    let orchestrator = Arc::new(orchestrator::Client::new(&config.orchestrator, &wiring).unwrap());
    let kubernetes = Arc::new(kubernetes::Client::new(&config.kubernetes, None, &wiring).await.unwrap());
    let clock = || Arc::clone(&ports.clock);
    vec![
        worker(heal_reallocate_ticket::ReallocateTicket::new(Arc::clone(&tickets), clock()), &shared),
        worker(heal_update_ticket_status::UpdateTicketStatus::new(tickets, clock()), &shared),
        worker(heal_get_workflow_status::GetWorkflowStatus::new(Arc::clone(&orchestrator), clock()), &shared),
        worker(heal_pause_workflow::PauseWorkflow::new(Arc::clone(&orchestrator), clock()), &shared),
        worker(heal_restart_workflow::RestartWorkflow::new(Arc::clone(&orchestrator), clock()), &shared),
        worker(heal_trigger_replanning::TriggerReplanning::new(orchestrator, clock()), &shared),
        worker(heal_check_worker_health::CheckWorkerHealth::new(Arc::clone(&kubernetes), clock()), &shared),
        worker(heal_restart_pod::RestartPod::new(kubernetes, clock()), &shared),
    ]
}

fn worker(action: impl Action, ports: &Arc<attempt::Ports>) -> Worker {
    Worker::new(action, Arc::clone(ports)).unwrap()
}
