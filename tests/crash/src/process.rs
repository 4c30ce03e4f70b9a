//! One process of the engine: ports, dispatcher and workers as a home assembles them, played by hand.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use heal_clients::Wiring;
use heal_clients::config::Config;
use heal_clients::{kubernetes, orchestrator, policy, tickets};
use heal_engine::catalog::{ActionSpec, Catalog};
use heal_guard::Guardrails;
use heal_runtime::action::Action;
use heal_runtime::attempt::{self, Worker};
use heal_runtime::host::Host;
use heal_runtime::library::Library;
use heal_runtime::port::{Clock, Entropy, QueueName, RunReader, Sender};
use heal_testkit::memory::ManualClock;
use heal_wiring::Ports;

use crate::aws::{self, Account};
use crate::gate::Gate;
use crate::sqlite;

/// Overdue runs that one sweep continues.
const SWEEP_RUNS: usize = 10;

/// Where the engine lives, and whether turn, claim and messages are one transaction or one write after another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Home {
    /// SQLite, as `heal serve` does it: one transaction.
    AtOnce,
    /// SQLite, with the writes in the order that they have on AWS.
    InOrder,
    /// DynamoDB and SQS.
    Aws,
}

/// What outlives the processes of one life.
pub enum Disk {
    File(PathBuf),
    Account(Arc<Account>),
}

/// What the engine is shipped with.
#[derive(Clone)]
pub struct Shipped {
    pub library: Arc<Library>,
    pub guardrails: Arc<Guardrails>,
}

/// What every process of one life shares.
pub struct Site {
    pub clock: Arc<ManualClock>,
    /// One for all processes, since real ones draw different numbers.
    pub entropy: Arc<dyn Entropy>,
    pub library: Arc<Library>,
    pub guardrails: Arc<Guardrails>,
    pub env: BTreeMap<String, String>,
    pub home: Home,
    pub disk: Disk,
}

impl Site {
    /// These ports in the time and within the bounds of this site.
    pub(crate) fn ports(&self, ports: Ports) -> Ports {
        let clock: Arc<dyn Clock> = self.clock.clone();
        Ports { clock, entropy: Arc::clone(&self.entropy), ..ports }.bounded_by(Arc::clone(&self.guardrails))
    }
}

/// A running process.
pub struct Process {
    /// The stored runs, past the gate.
    pub runs: Arc<dyn RunReader>,
    /// The queues, past the gate.
    pub sender: Arc<dyn Sender>,
    pub gate: Arc<Gate>,
    pub(crate) host: Host,
    pub(crate) sweep: Sweep,
}

/// Who continues overdue runs.
pub(crate) enum Sweep {
    /// The host itself, every half second.
    EachRound(heal_embedded::Store),
    /// A function on a schedule, by messages.
    EachMinute(aws::Schedule),
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

/// The guardrails of a folder.
pub fn guardrails(folder: &Path) -> Guardrails {
    let text = std::fs::read_to_string(folder.join("guardrails.yaml")).unwrap();
    heal_language::guardrails::read("guardrails", &text, &Catalog::new(specs()), None, None).guardrails.unwrap()
}

impl Process {
    /// Starts over what a dead process left.
    pub async fn start(site: &Site, gate: Gate) -> Self {
        let gate = Arc::new(gate);
        match &site.disk {
            Disk::File(path) => sqlite::start(site, path, gate, site.home == Home::AtOnce).await,
            Disk::Account(account) => aws::start(site, account, gate).await,
        }
    }

    /// Handles a message of each queue, and sweeps. Whether there was anything to do.
    pub async fn work(&self) -> bool {
        let actions = specs().into_iter().map(|spec| QueueName::Action(spec.name.to_owned()));
        let mut handled = 0;
        for queue in [QueueName::Incidents, QueueName::Results].into_iter().chain(actions) {
            handled += self.host.once(&queue, 1).await.unwrap();
        }
        let continued = match &self.sweep {
            Sweep::EachRound(store) => self.host.dispatcher().sweep(store, SWEEP_RUNS).await.unwrap(),
            Sweep::EachMinute(schedule) => schedule.tick_if_due(SWEEP_RUNS).await,
        };
        handled + continued > 0
    }
}

/// The worker of every action.
pub(crate) async fn workers(ports: &Ports, site: &Site) -> Vec<Worker> {
    let config = Config::read(&site.env).unwrap();
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
