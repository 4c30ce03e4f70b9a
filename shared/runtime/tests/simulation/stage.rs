//! Two processes over one set of backends, in time that only the simulation advances.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use heal_guard::Halt;
use heal_runtime::Timestamp;
use heal_runtime::attempt::{self, Worker};
use heal_runtime::dispatcher::{self, Dispatcher};
use heal_runtime::halts::HaltCache;
use heal_runtime::host::Host;
use heal_runtime::library::Library;
use heal_runtime::port::{QueueName, RunFilter, RunHead, RunReader as _};
use heal_testkit::memory::{Autonomies, Claims, Faults, ManualClock, Queues, Runs, Settling, Switches, When};

use super::approvals;
use super::planted::{Backends, Bug};
use super::playbooks::{self, ACTIONS, EDITIONS, guardrails};
use super::remedy::{Remedy, World};
use super::rng::Rng;

#[path = "people.rs"]
mod people;

pub struct Stage {
    pub rng: Arc<Rng>,
    pub world: Arc<World>,
    pub clock: Arc<ManualClock>,
    pub runs: Arc<Runs>,
    pub queues: Arc<Queues>,
    faults: Faults,
    /// The playbooks, in each edition.
    libraries: [Arc<Library>; 2],
    hosts: Vec<Host>,
    planted: Option<Bug>,
    is_told: Arc<AtomicBool>,
    pub claims: Arc<Claims>,
    pub switches: Arc<Switches>,
    /// The halts that were surely stored, and the time at which somebody first ended each.
    pub halts: Vec<(Halt, Timestamp)>,
    autonomy: Arc<Autonomies>,
    /// What people have sent as approvals; each may have been lost, or come too late.
    pub approvals: BTreeSet<approvals::Given>,
    /// Incidents that were sent, and those whose sending failed: they may have arrived all the same.
    pub incidents: BTreeSet<String>,
    pub perhaps: BTreeSet<String>,
}

impl Stage {
    pub fn new(seed: u64, planted: Option<Bug>) -> Self {
        let rng = Arc::new(Rng::new(seed));
        let clock = Arc::new(ManualClock::default());
        let dead = Arc::new(AtomicBool::new(false));
        let faults = Faults::default();
        let world = World {
            effects: std::sync::Mutex::default(),
            clock: clock.clone(),
            rng: rng.clone(),
            dead,
            faulty: AtomicBool::new(true),
        };
        let runs = Arc::new(Runs::new(faults.clone()));
        let queues = Arc::new(Queues::new(clock.clone(), faults.clone()));
        let claims = Arc::new(Claims::new(faults.clone()));
        let switches = Arc::new(Switches::new(faults.clone()));
        let autonomy = Arc::new(Autonomies::new(faults.clone()));
        let libraries = EDITIONS.map(|edition| Arc::new(playbooks::library(edition)));
        let mut stage = Self {
            rng,
            world: Arc::new(world),
            clock,
            runs,
            queues,
            faults,
            libraries,
            hosts: Vec::new(),
            planted,
            is_told: Arc::default(),
            claims,
            switches,
            halts: Vec::new(),
            autonomy,
            approvals: BTreeSet::new(),
            incidents: BTreeSet::new(),
            perhaps: BTreeSet::new(),
        };
        stage.hosts = vec![stage.host(), stage.host()];
        stage.break_things();
        stage
    }

    /// A process with an empty cache, and one edition of the playbooks.
    fn host(&self) -> Host {
        let edition = self.rng.below(EDITIONS.len() as u64) as usize;
        let Backends { runs, claims, sender, receiver, switches, policy, settlement } =
            Backends::new(self.planted, self, EDITIONS[edition]);
        let halts = Arc::new(HaltCache::new(switches));
        let ports = dispatcher::Ports {
            runs,
            halts: halts.clone(),
            sender: sender.clone(),
            clock: self.clock.clone(),
            entropy: self.rng.clone(),
            guardrails: Arc::new(guardrails()),
        };
        let worker = |(name, safety)| {
            let ports = attempt::Ports {
                claims: claims.clone(),
                policy: policy.clone(),
                halts: halts.clone(),
                sender: sender.clone(),
                clock: self.clock.clone(),
                guardrails: Arc::new(guardrails()),
            };
            Worker::new(Remedy::new(name, safety, self.world.clone()), Arc::new(ports)).unwrap()
        };
        let dispatcher = Dispatcher::new(ports, self.libraries[edition].clone());
        let mut dispatcher = dispatcher.with_autonomy(self.autonomy.clone(), Arc::default());
        if let Some(settlement) = settlement {
            dispatcher = dispatcher.settling(settlement);
        }
        let host = Host::new(dispatcher, ACTIONS.map(worker), receiver, self.runs.clone());
        // A home in one database settles at once, any other in order; the laws are the same. A bug is planted in a port of the latter.
        if self.rng.chance(50) || self.planted.is_some_and(Bug::is_in_a_port) {
            return host;
        }
        host.settling(Arc::new(Settling {
            runs: self.runs.clone(),
            queues: self.queues.clone(),
            claims: self.claims.clone(),
            faults: self.faults.clone(),
        }))
    }

    /// One call in twenty fails, half of them after it was applied; all calls of a dead worker fail.
    fn break_things(&self) {
        let (rng, dead, told) = (self.rng.clone(), self.world.dead.clone(), self.is_told.clone());
        self.faults.decide_by(move |_| {
            if told.load(Ordering::SeqCst) {
                return None;
            }
            if dead.load(Ordering::SeqCst) {
                return Some(When::Before);
            }
            rng.chance(5).then(|| if rng.chance(50) { When::Before } else { When::After })
        });
    }

    /// Whether calls are the narrator's, who meets no fault.
    pub fn without_faults(&self, is_told: bool) {
        self.is_told.store(is_told, Ordering::SeqCst);
    }

    pub fn heal(&self) {
        self.world.faulty.store(false, Ordering::SeqCst);
        self.faults.clear();
    }

    /// One random thing happens; what, in words.
    pub async fn happen(&mut self) -> &'static str {
        match self.rng.below(25) {
            0 => {
                self.send_incident().await;
                "an incident is sent"
            }
            1 => {
                let index = self.rng.below(self.hosts.len() as u64) as usize;
                self.hosts[index] = self.host();
                "a process restarts"
            }
            2 => {
                self.cancel_something().await;
                "somebody may cancel a run"
            }
            22 => {
                self.set_autonomy().await;
                "somebody sets a level of autonomy"
            }
            3 => {
                self.clock.advance_ms(self.rng.below(140_000));
                "much time passes"
            }
            20 => {
                self.halt_something().await;
                "somebody halts something, or ends a halt"
            }
            21 => {
                self.hold_something().await;
                "somebody holds runs, or releases them"
            }
            23 | 24 => {
                self.answer_something().await;
                "somebody answers"
            }
            4..=6 => {
                self.clock.advance_ms(self.rng.below(3_000));
                "time passes"
            }
            _ => {
                self.work().await;
                "the engine works"
            }
        }
    }

    /// One process works, or two at the same time.
    pub async fn work(&self) {
        if self.rng.chance(30) {
            tokio::join!(self.work_alone(), self.work_alone());
        } else {
            self.work_alone().await;
        }
        self.world.dead.store(false, Ordering::SeqCst);
    }

    /// One process handles a few messages of one queue, or sweeps.
    async fn work_alone(&self) {
        let host = &self.hosts[self.rng.below(self.hosts.len() as u64) as usize];
        let max = 1 + self.rng.below(4) as usize;
        let queue = match self.rng.below(8) {
            0 => QueueName::Incidents,
            1 | 2 => QueueName::Results,
            3 => {
                let _ = host.dispatcher().sweep(&*self.runs, 50).await;
                return;
            }
            action => QueueName::Action(ACTIONS[action as usize - 4].0.to_owned()),
        };
        let _ = host.once(&queue, max).await;
    }

    pub async fn heads(&self) -> Vec<RunHead> {
        match self.runs.list(&RunFilter::default(), 1_000, None).await {
            Ok(page) => page.runs,
            Err(_) => Vec::new(),
        }
    }
}
