//! Two processes over one set of backends, in time that only the simulation advances.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use heal_engine::catalog::Safety;
use heal_engine::playbook::Playbook;
use heal_guard::{
    Admission, AutonomyLevel, AutonomySetting, Budget, Guardrails, Halt, HaltScope, LiveBounds, Selector,
};
use heal_runtime::Timestamp;
use heal_runtime::attempt::{self, Worker};
use heal_runtime::dispatcher::{self, Dispatcher};
use heal_runtime::halts::HaltCache;
use heal_runtime::host::Host;
use heal_runtime::library::Library;
use heal_runtime::message::Inbound;
use heal_runtime::port::{
    AutonomyStore as _, Clock as _, Decision, DecisionSource, Message, Policy, PolicyInput, QueueName, RunFilter,
    RunHead, RunReader, Sender, Switches as _,
};
use heal_testkit::memory::{Autonomies, Claims, Faults, ManualClock, Queues, Runs, Settling, Switches, When};
use serde_json::{Value, json};

use super::approvals;
use super::remedy::{Remedy, World};
use super::rng::Rng;

pub const ACTIONS: [(&str, Safety); 3] =
    [("again", Safety::Idempotent), ("look", Safety::Probe), ("once", Safety::Unknown)];

pub struct Stage {
    pub rng: Arc<Rng>,
    pub world: Arc<World>,
    pub clock: Arc<ManualClock>,
    pub runs: Arc<Runs>,
    pub queues: Arc<Queues>,
    faults: Faults,
    library: Arc<Library>,
    hosts: Vec<Host>,
    claims: Arc<Claims>,
    switches: Arc<Switches>,
    /// The halts that were surely stored, and the time at which somebody first ended each.
    pub halts: Vec<(Halt, Timestamp)>,
    autonomy: Arc<Autonomies>,
    /// What people have sent as approvals; each may have been lost, or come too late.
    pub approvals: BTreeSet<approvals::Given>,
    /// Incidents that were sent, and those whose sending failed: they may have arrived all the same.
    pub incidents: BTreeSet<String>,
    pub perhaps: BTreeSet<String>,
}

/// Allows everything: another test covers denials.
struct Open;

#[async_trait]
impl Policy for Open {
    fn validates(&self, _: &str) -> bool {
        true
    }

    async fn decide(&self, _: &PolicyInput) -> Decision {
        Decision::Allow { source: DecisionSource::NotValidated, warning: None }
    }
}

/// Budgets that the courses use up: one for two actions together, one for each target. Little room: two runs of a playbook, three in all.
pub fn guardrails() -> Guardrails {
    let budget = |name: &str, actions: &[&str], key: &str, max, window_seconds| Budget {
        name: name.to_owned(),
        applies_to: Selector { actions: actions.iter().map(|&name| name.to_owned()).collect(), ..Selector::default() },
        key: key.to_owned(),
        max,
        max_percent: None,
        window_seconds,
        concurrent: false,
    };
    let budgets =
        vec![budget("few", &["again", "once"], "", 4, 200), budget("each", &["look"], "{{ target }}", 2, 600)];
    let live = LiveBounds { per_playbook: 2, per_service: 3, ..LiveBounds::default() };
    Guardrails { budgets, admission: Admission { live }, ..Guardrails::default() }
}

fn playbooks() -> Vec<Playbook> {
    let step = |name: &str, kind: &str, needs: &[&str], safety: &str, more: Value| {
        let mut step = json!({
            "name": name, "type": kind, "needs": needs, "retry": {"max_attempts": 3, "backoff_seconds": 2, "max_backoff_seconds": 10},
            "timeout_seconds": 400, "on_failure": "continue", "on_unavailable": "skip", "safety": safety, "service": "world",
            "parameters": {"target": "{{ target }}"},
        });
        step.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        step
    };
    let wait = json!({"parameters": {"seconds": 3}});
    let each =
        json!({"for_each": {"items": "{{ targets }}", "max_parallel": 2}, "parameters": {"target": "{{ item }}"}});
    let playbook = |name: &str, key: Value, actions: Value| {
        let value = json!({
            "name": name, "description": "", "timeout_seconds": 3_600, "triggers": [{"incident_type": name.to_uppercase()}],
            "concurrency_key": key, "actions": actions, "verify": [],
        });
        serde_json::from_value(value).unwrap()
    };
    let chain = json!([
        step("a", "again", &[], "idempotent", json!({})),
        step("w", "wait", &["a"], "unknown", wait),
        step("b", "look", &["w"], "probe", json!({})),
        step("c", "once", &["b"], "unknown", json!({})),
    ]);
    let fan = json!([
        step("x", "once", &[], "unknown", each.clone()),
        step("y", "look", &[], "probe", each),
        step("z", "again", &["x", "y"], "idempotent", json!({})),
    ]);
    let two = json!({"approval": {"min": 2, "expires_seconds": 600}});
    let one = json!({"approval": {"min": 1, "expires_seconds": 300}, "for_each": {"items": "{{ targets }}", "max_parallel": 2},
        "parameters": {"target": "{{ item }}"}});
    let ask = json!([step("d", "look", &[], "probe", two), step("e", "again", &[], "idempotent", one)]);
    vec![
        playbook("chain", Value::Null, chain),
        playbook("fan", json!("{{ target }}"), fan),
        playbook("ask", Value::Null, ask),
    ]
}

impl Stage {
    pub fn new(seed: u64) -> Self {
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
        let library = Arc::new(Library::new(playbooks()).unwrap());
        let mut stage = Self {
            rng,
            world: Arc::new(world),
            clock,
            runs,
            queues,
            faults,
            library,
            hosts: Vec::new(),
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

    /// A process with an empty cache.
    fn host(&self) -> Host {
        let halts = Arc::new(HaltCache::new(self.switches.clone()));
        let ports = dispatcher::Ports {
            runs: self.runs.clone(),
            halts: halts.clone(),
            sender: self.queues.clone(),
            clock: self.clock.clone(),
            entropy: self.rng.clone(),
            guardrails: Arc::new(guardrails()),
        };
        let worker = |(name, safety)| {
            let ports = attempt::Ports {
                claims: self.claims.clone(),
                policy: Arc::new(Open),
                halts: halts.clone(),
                sender: self.queues.clone(),
                clock: self.clock.clone(),
                guardrails: Arc::new(guardrails()),
            };
            Worker::new(Remedy::new(name, safety, self.world.clone()), Arc::new(ports)).unwrap()
        };
        let dispatcher = Dispatcher::new(ports, self.library.clone());
        let dispatcher = dispatcher.with_autonomy(self.autonomy.clone(), Arc::default());
        let host = Host::new(dispatcher, ACTIONS.map(worker), self.queues.clone(), self.runs.clone());
        // A home in one database settles at once, any other in order; the laws are the same.
        if self.rng.chance(50) {
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
        let (rng, dead) = (self.rng.clone(), self.world.dead.clone());
        self.faults.decide_by(move |_| {
            if dead.load(Ordering::SeqCst) {
                return Some(When::Before);
            }
            rng.chance(5).then(|| if rng.chance(50) { When::Before } else { When::After })
        });
    }

    pub fn heal(&self) {
        self.world.faulty.store(false, Ordering::SeqCst);
        self.faults.clear();
    }

    /// One random thing happens.
    pub async fn happen(&mut self) {
        match self.rng.below(25) {
            0 => self.send_incident().await,
            1 => {
                let index = self.rng.below(self.hosts.len() as u64) as usize;
                self.hosts[index] = self.host();
            }
            2 => self.cancel_something().await,
            22 => self.set_autonomy().await,
            3 => {
                self.clock.advance_ms(self.rng.below(140_000));
            }
            20 => self.halt_something().await,
            21 => self.hold_something().await,
            23 | 24 => self.answer_something().await,
            4..=6 => {
                self.clock.advance_ms(self.rng.below(3_000));
            }
            _ => self.work().await,
        }
    }

    /// One process handles a few messages of one queue, or sweeps.
    pub async fn work(&self) {
        let host = &self.hosts[self.rng.below(self.hosts.len() as u64) as usize];
        let max = 1 + self.rng.below(4) as usize;
        let queue = match self.rng.below(7) {
            0 => QueueName::Incidents,
            1 | 2 => QueueName::Results,
            3 => {
                let _ = host.dispatcher().sweep(&*self.runs, 50).await;
                return;
            }
            action => QueueName::Action(ACTIONS[action as usize - 4].0.to_owned()),
        };
        let _ = host.once(&queue, max).await;
        self.world.dead.store(false, Ordering::SeqCst);
    }

    /// A new incident, or one that was sent before.
    async fn send_incident(&mut self) {
        let number = self.rng.below(12);
        let kind = ["CHAIN", "FAN", "ASK"][self.rng.below(3) as usize];
        let incident_id = format!("{kind}-{number}");
        let severity = ["LOW", "HIGH", "CRITICAL"][number as usize % 3];
        let body = json!({
            "incident_id": incident_id, "incident_type": kind,
            "severity": severity,
            "target": format!("t{}", number % 3), "targets": ["u1", "u2", format!("u{number}")],
        });
        let message = Message {
            queue: QueueName::Incidents,
            body: body.to_string(),
            delay_ms: self.rng.below(2_000),
            traceparent: None,
        };
        match self.queues.send(vec![message]).await {
            Ok(()) => self.incidents.insert(incident_id),
            Err(_) => self.perhaps.insert(incident_id),
        };
    }

    /// Somebody changes how far the engine may go alone with a playbook.
    async fn set_autonomy(&self) {
        // Mostly the engine acts, or the courses would show little.
        let level = match self.rng.below(8) {
            0 => AutonomyLevel::Off,
            1 => AutonomyLevel::Shadow,
            _ => AutonomyLevel::Auto,
        };
        let playbook = if self.rng.chance(50) { "chain" } else { "fan" };
        let (by, reason) = ("local:chance".to_owned(), "because".to_owned());
        let setting = AutonomySetting {
            playbook: playbook.to_owned(),
            level,
            by,
            reason,
            since: self.clock.now(),
            history: Vec::new(),
        };
        let _ = self.autonomy.set(&setting).await;
    }

    async fn cancel_something(&self) {
        let Some(head) = self.heads().await.into_iter().find(|head| !head.status.is_terminal()) else { return };
        if self.rng.chance(15) {
            let body = Inbound::Cancel { run_id: head.run_id, by: "chance".to_owned() }.to_body();
            let _ = self
                .queues
                .send(vec![Message { queue: QueueName::Results, body, delay_ms: 0, traceparent: None }])
                .await;
        }
    }

    /// Halts a part of the world for up to a minute, or ends a halt.
    async fn halt_something(&mut self) {
        let now = self.clock.now();
        if self.rng.chance(50) {
            let index = self.rng.below(self.halts.len() as u64) as usize;
            let Some((halt, ended)) = self.halts.get_mut(index) else { return };
            *ended = (*ended).min(now);
            let _ = self.switches.resume(&halt.id, now).await;
            return;
        }
        let scope = match self.rng.below(4) {
            0 => HaltScope::All,
            1 => HaltScope::Action { name: ACTIONS[self.rng.below(3) as usize].0.to_owned() },
            2 => HaltScope::Target { name: format!("t{}", self.rng.below(4)) },
            _ => HaltScope::Playbook { name: if self.rng.chance(50) { "chain" } else { "fan" }.to_owned() },
        };
        let halt = Halt {
            id: format!("halt-{}", self.rng.below(u64::MAX)),
            scope,
            since: now,
            until: now.plus_ms(1 + self.rng.below(60_000)),
            reason: "chance".to_owned(),
            by: "local:chance".to_owned(),
            storm: None,
        };
        // If the answer is lost, nobody knows whether it halts.
        if self.switches.halt(&halt).await.is_ok_and(|stored| stored) {
            let until = halt.until;
            self.halts.push((halt, until));
        }
    }

    /// A person holds a run, or releases it.
    async fn hold_something(&self) {
        for head in self.heads().await {
            if !head.status.is_terminal() && self.rng.chance(20) {
                self.person(&head, self.rng.chance(50)).await;
            }
        }
    }

    /// Some people answer some of what they are asked.
    async fn answer_something(&mut self) {
        for head in self.heads().await {
            if head.status.is_terminal() || self.rng.chance(60) {
                continue;
            }
            for answer in approvals::answers(&self.rng, &*self.runs, &head.run_id).await {
                self.approvals.extend(approvals::Given::read(&answer));
                let message =
                    Message { queue: QueueName::Results, body: answer.to_body(), delay_ms: 0, traceparent: None };
                let _ = self.queues.send(vec![message]).await;
            }
        }
    }

    /// Releases every run that a person holds.
    pub async fn release_all(&self) {
        for head in self.heads().await {
            if head.held_by.as_ref().is_some_and(|holder| holder.contains(':')) {
                self.person(&head, false).await;
            }
        }
    }

    async fn person(&self, head: &RunHead, holds: bool) {
        let (run_id, by, reason) = (head.run_id.clone(), "local:chance".to_owned(), "chance".to_owned());
        let body = if holds {
            Inbound::Hold { run_id, by, reason }.to_body()
        } else {
            Inbound::Release { run_id, by, reason }.to_body()
        };
        let message = Message { queue: QueueName::Results, body, delay_ms: 0, traceparent: None };
        let _ = self.queues.send(vec![message]).await;
    }

    pub async fn heads(&self) -> Vec<RunHead> {
        match self.runs.list(&RunFilter::default(), 1_000, None).await {
            Ok(page) => page.runs,
            Err(_) => Vec::new(),
        }
    }
}
