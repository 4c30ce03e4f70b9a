//! One process: dispatcher, workers and checks over the ports, as a host in one process or as functions behind queues.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use heal_engine::check::{Failing, Observation, Probe, Sighting};
use heal_runtime::attempt::{self, Worker};
use heal_runtime::checks::{self, CheckOutcome, Checks};
use heal_runtime::dependencies::Dependencies;
use heal_runtime::dispatcher::{self, Dispatcher};
use heal_runtime::halts::HaltCache;
use heal_runtime::host::Host;
use heal_runtime::inbox::{self, Inbox};
use heal_runtime::observe::Observer;
use heal_runtime::port::{Clock as _, Delivery, LeaseOwner, Prober, QueueName, Receiver};
use heal_runtime::{Map, Timestamp};
use heal_testkit::memory::Settling;
use serde_json::json;

use super::Stage;
use crate::network::Network;
use crate::planted::{Backends, Bug};
use crate::playbooks::{ACTIONS, EDITIONS};
use crate::process::{Bounded, Process};
use crate::remedy::{Remedy, World};
use crate::seen::Seen;

/// Visibility of a message in milliseconds, as the template has it.
const VISIBILITY_MS: u64 = 60_000;
/// The check of the simulation.
pub const CHECK: &str = "lamps";

/// One process.
pub struct Home {
    host: Host,
    inbox: Inbox,
    workers: BTreeMap<String, Worker>,
    receiver: Arc<dyn Receiver>,
    pub process: Arc<Process>,
    checks: Checks,
}

/// Counts what a process notices itself.
impl Observer for Seen {
    fn claim_lost(&self, _: &str) {
        self.note("lease outlived by its worker");
    }

    fn claim_recovered(&self, _: &str) {
        self.note("attempt taken over");
    }

    fn step_dead_lettered(&self, _: &str) {
        self.note("dead command reported");
    }
}

/// Sees what is sick, or nothing.
struct Eyes(Arc<World>);

#[async_trait]
impl Prober for Eyes {
    async fn probe(&self, _: &Probe, _: Timestamp) -> Observation {
        if self.0.faulty.load(std::sync::atomic::Ordering::SeqCst) && self.0.rng.chance(20) {
            self.0.seen.note("check sees nothing");
            return Observation::unknown("no answer in time");
        }
        let failing = |target: &String| Failing {
            id: target.clone(),
            fields: Map::from_iter([("id".to_owned(), json!(target))]),
            reason: "it is dark".to_owned(),
        };
        let failing = self.0.sick.lock().unwrap().iter().map(failing).collect();
        Observation::Seen(Sighting { failing, ..Sighting::default() })
    }
}

impl Home {
    /// A process with an empty cache and one edition of the playbooks, on one of the machines.
    pub fn new(stage: &Stage, machine: usize) -> Self {
        let process = Arc::new(Process::new(stage.machines[machine].clone()));
        let edition = stage.rng.below(EDITIONS.len() as u64) as usize;
        let Backends { runs, claims, sender, receiver, switches, policy, settlement } =
            Backends::new(stage.planted, stage, EDITIONS[edition]);
        let halts = Arc::new(HaltCache::new(switches));
        let ports = dispatcher::Ports {
            runs,
            halts: halts.clone(),
            sender: sender.clone(),
            clock: process.machine.clone(),
            entropy: stage.rng.clone(),
            guardrails: stage.guardrails.clone(),
        };
        let worker = |(name, safety)| {
            let ports = attempt::Ports {
                claims: claims.clone(),
                policy: policy.clone(),
                halts: halts.clone(),
                sender: sender.clone(),
                clock: process.machine.clone(),
                guardrails: stage.guardrails.clone(),
            };
            let remedy = Remedy::new(name, safety, stage.world.clone(), process.clone());
            Worker::new(remedy, Arc::new(ports)).unwrap().observed_by(stage.seen.clone())
        };
        let workers: Vec<Worker> = ACTIONS.map(worker).into();
        let dependencies =
            Dependencies::new(stage.guardrails.clone(), stage.breakers.clone(), stage.checks.clone(), halts.clone());
        let dispatcher = Dispatcher::new(ports, stage.libraries[edition].clone()).watching(dependencies);
        let mut dispatcher =
            dispatcher.with_autonomy(stage.autonomy.clone(), Arc::default()).observed_by(stage.seen.clone());
        if let Some(settlement) = settlement {
            dispatcher = dispatcher.settling(settlement);
        }
        let receiver = Arc::new(Network {
            inner: receiver,
            sender: sender.clone(),
            rng: stage.rng.clone(),
            seen: stage.seen.clone(),
            is_faulty: stage.world.faulty.clone(),
            batch: Mutex::default(),
        });
        let ports = checks::Ports { prober: Arc::new(Eyes(stage.world.clone())), store: stage.checks.clone(), sender };
        let checks = Checks::new([stage.check.clone()], ports).unwrap();
        let inbox = Inbox::new(dispatcher.clone());
        let mut host = Host::new(dispatcher, workers.clone(), receiver.clone(), stage.runs.clone());
        // A home in one database settles at once, any other in order; the laws are the same. A bug is planted in a port of the latter.
        if !stage.rng.chance(50) && !stage.planted.is_some_and(Bug::is_in_a_port) {
            host = host.settling(Arc::new(Settling {
                runs: stage.runs.clone(),
                queues: stage.queues.clone(),
                claims: stage.claims.clone(),
                faults: stage.faults.clone(),
            }));
        }
        let workers = workers.into_iter().map(|worker| (worker.name().to_owned(), worker)).collect();
        Self { host, inbox, workers, receiver, process, checks }
    }

    /// Handles a few messages of one queue, or sweeps.
    pub async fn work(&self, stage: &Stage) {
        let max = 1 + stage.rng.below(4) as usize;
        // Mostly where there is something to do.
        let mut due = stage.queues.due();
        let queue = match stage.rng.below(10) {
            0 => QueueName::Incidents,
            1 => QueueName::Results,
            2 => QueueName::Action(ACTIONS[stage.rng.below(ACTIONS.len() as u64) as usize].0.to_owned()),
            3 => return self.sweep(stage).await,
            _ if due.is_empty() => return self.sweep(stage).await,
            _ => due.swap_remove(stage.rng.below(due.len() as u64) as usize),
        };
        if stage.is_faulty() && stage.rng.chance(20) {
            self.function(stage, &queue, max).await;
        } else {
            let _ = self.host.once(&queue, max).await;
        }
    }

    /// Continues what is overdue.
    pub async fn sweep(&self, stage: &Stage) {
        let _ = self.host.dispatcher().sweep(&*stage.runs, 50).await;
    }

    /// A function that is invoked with a batch: its platform ends it when its time is over, wherever it is then.
    async fn function(&self, stage: &Stage, queue: &QueueName, max: usize) {
        let Ok(deliveries) = self.receiver.receive(queue, max, VISIBILITY_MS).await else { return };
        let seconds = 1 + stage.rng.below(40);
        let latest = self.process.machine.now().plus_ms(seconds * 1_000);
        let handled = async {
            let settled = match queue {
                QueueName::Action(name) => {
                    let perform = |delivery: Delivery| {
                        let holder = LeaseOwner(delivery.receipt.clone());
                        inbox::perform(&self.workers[name], delivery, holder, Some(latest))
                    };
                    join_all(deliveries.into_iter().map(perform)).await
                }
                QueueName::Incidents | QueueName::Results | QueueName::Notify => {
                    self.inbox.take(queue, deliveries).await
                }
            };
            inbox::settle(&*self.receiver, settled).await;
        };
        // Some platforms end it before they said they would.
        let polls = if stage.rng.chance(30) { 1 + stage.rng.below(40) as u32 } else { u32::MAX };
        let bounded = Bounded::new(polls, handled);
        if tokio::time::timeout(Duration::from_secs(seconds), bounded).await != Ok(true) {
            stage.seen.note("platform ends a process amid a batch");
            self.process.die();
        }
    }

    /// Reports a command that was delivered too often to its run, as the queue of dead letters does on AWS.
    pub async fn report_dead(&self, stage: &Stage) {
        let letters = self.receiver.dead_letters(20).await.unwrap_or_default();
        let Some(letter) = letters.into_iter().find(|letter| matches!(letter.queue, QueueName::Action(_))) else {
            return;
        };
        let delivery = Delivery {
            receipt: String::new(),
            message_id: letter.message_id.clone(),
            body: letter.body,
            receive_count: 1,
            traceparent: None,
            sender: None,
        };
        let settled = self.inbox.take_dead(&letter.queue, vec![delivery]).await;
        if settled.iter().all(|settled| settled.outcome == inbox::DeliveryOutcome::Acknowledge) {
            stage.queues.forget(&letter.message_id);
        }
    }

    /// The schedule ticks: the ids of the incidents that were surely sent.
    pub async fn check(&self, stage: &Stage) -> Vec<String> {
        let mut sent = Vec::new();
        for checked in self.checks.run(self.process.machine.now()).await {
            if let CheckOutcome::Probed { raised, .. } = checked.outcome {
                raised.iter().for_each(|_| stage.seen.note("check raises an incident"));
                sent.extend(raised);
            }
        }
        sent
    }
}
