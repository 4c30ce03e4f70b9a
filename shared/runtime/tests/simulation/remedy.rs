//! Remedies whose world records every effect: when, under which key and for which parameters.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use heal_runtime::action::{Action, Admitted, Call, Cooldown, Facts, Performed, Probe, Target};
use heal_runtime::port::{Clock, PolicyResource};
use heal_runtime::{ActionSpec, AttemptResult, Digest, Map, OutputType, Safety, Timestamp};
use heal_testkit::memory::{ManualClock, Runs};
use serde_json::json;

use super::playbooks::STORMY;
use super::process::Process;
use super::rng::Rng;
use super::seen::Seen;
use super::service::Fault;

/// One effect on the world.
#[derive(Debug, Clone)]
pub struct Effect {
    pub action: &'static str,
    pub safety: Safety,
    pub target: String,
    /// The attempt's key.
    pub key: String,
    /// The idempotency key that the service got.
    pub effect_key: String,
    pub digest: Digest,
    /// The true time.
    pub at: Timestamp,
    /// The time by the clock of its worker, when the attempt began, and until when it had to.
    pub own: Timestamp,
    pub started_at: Timestamp,
    pub deadline: Timestamp,
    /// Commits in all runs before it.
    pub order: u64,
    /// Whether the clock of its worker was wrong by more than clocks differ.
    pub wrong_clock: bool,
}

impl Effect {
    /// The true time of its attempt's beginning: what it counts in may count from then on.
    pub fn taken_at(&self) -> Timestamp {
        Timestamp(self.at.0 - self.own.since_ms(self.started_at))
    }
}

/// The world that the remedies touch, and what goes wrong in it.
#[derive(Debug)]
pub struct World {
    pub effects: Mutex<Vec<Effect>>,
    /// What is sick, as the scheduled check sees it.
    pub sick: Mutex<BTreeSet<String>>,
    pub clock: Arc<ManualClock>,
    pub rng: Arc<Rng>,
    pub runs: Arc<Runs>,
    pub seen: Arc<Seen>,
    pub faulty: Arc<AtomicBool>,
    /// Workers that have decided to act and have not yet: no lease can hold them back.
    pub acting: Arc<AtomicU32>,
}

/// Milliseconds for which an action leaves a target alone; `once` does not.
pub const COOLDOWNS_MS: [(&str, u64); 3] = [("again", 300_000), ("look", 100_000), ("stir", 20_000)];

/// The cooldown of an action, in milliseconds.
pub fn cooldown_ms(action: &str) -> Option<u64> {
    COOLDOWNS_MS.iter().find(|(name, _)| *name == action).map(|(_, cooldown_ms)| *cooldown_ms)
}

/// What a playbook of the simulation gives.
#[derive(Debug, serde::Deserialize)]
pub struct Parameters {
    target: String,
}

/// `again` is idempotent, `look` can probe, `once` can do neither; each touches the target of its parameters. `see` reads.
#[derive(Debug)]
pub struct Remedy {
    pub spec: ActionSpec,
    pub world: Arc<World>,
    pub process: Arc<Process>,
}

impl Remedy {
    pub fn new(name: &'static str, safety: Safety, world: Arc<World>, process: Arc<Process>) -> Self {
        let spec = ActionSpec {
            name,
            description: "A remedy of the simulation.",
            parameters: json!({"type": "object", "properties": {"target": {"type": "string"}, "edition": {"type": "integer"}}, "required": ["target"]}),
            outputs: &[("well", OutputType::Boolean)],
            safety,
            inherits: &[],
            default_timeout_seconds: 30,
            service: if name == "stir" { STORMY } else { "lamps" },
            critical: false,
        };
        Self { spec, world, process }
    }
}

#[async_trait]
impl Action for Remedy {
    type Parameters = Parameters;
    type Facts = ();

    fn spec(&self) -> &ActionSpec {
        &self.spec
    }

    fn targets(&self, _: &Call, parameters: &Parameters) -> Result<Vec<Target>, AttemptResult> {
        let id = parameters.target.clone();
        let name = self.spec.name;
        let cooldown = cooldown_ms(name).map(|cooldown_ms| Cooldown::new(name, &id, cooldown_ms));
        let resource = PolicyResource { ticket_id: id.clone(), ..PolicyResource::default() };
        Ok(vec![Target { id, resource, cooldown }])
    }

    async fn facts(&self, _: &Call, _: &Parameters, _: &Target) -> Result<Facts<()>, AttemptResult> {
        Ok(Facts::default())
    }

    async fn perform(&self, call: &Call, parameters: &Parameters, targets: &[Admitted<()>]) -> Performed {
        let world = &self.world;
        let faulty = world.faulty.load(Ordering::SeqCst);
        // Others work meanwhile.
        world.acting.fetch_add(1, Ordering::SeqCst);
        for _ in 0..world.rng.below(3) {
            tokio::task::yield_now().await;
        }
        world.acting.fetch_sub(1, Ordering::SeqCst);
        let fault = faulty.then(|| Fault::draw(&world.rng)).flatten();
        if let Some(fault) = fault {
            world.seen.note(fault.name());
        }
        if fault.is_none_or(|fault| fault.acts(&world.rng)) {
            self.act(call, parameters);
        }
        if let Some(fault) = fault {
            world.pass(fault.seconds(&world.rng)).await;
            if let Some((result, is_proof)) = fault.result() {
                let ids = targets.iter().map(|admitted| admitted.target.id.clone()).filter(|_| is_proof);
                return Performed { result, proven_not_applied: ids.collect() };
            }
        }
        if self.spec.safety == Safety::ReadOnly {
            let well = !faulty || world.rng.chance(60);
            return AttemptResult::succeeded(Map::from_iter([("well".to_owned(), json!(well))])).into();
        }
        if faulty && world.rng.chance(10) {
            world.seen.note("worker dies after its effect");
            self.process.die();
        }
        AttemptResult::succeeded(Map::new()).into()
    }

    async fn probe(&self, call: &Call, _: &Parameters, _: &[Target], _: Option<&serde_json::Value>) -> Probe {
        let effects = self.world.effects.lock().unwrap();
        let done = effects.iter().any(|effect| effect.effect_key == call.idempotency_key);
        if done { Probe::Done(Box::new(AttemptResult::succeeded(Map::new()))) } else { Probe::NotDone }
    }
}

impl Remedy {
    /// The service does what it was asked for, unless nobody is left to ask it.
    fn act(&self, call: &Call, parameters: &Parameters) {
        if self.spec.safety == Safety::ReadOnly || self.process.is_dead() {
            return;
        }
        self.world.effects.lock().unwrap().push(Effect {
            action: self.spec.name,
            safety: self.spec.safety,
            target: parameters.target.clone(),
            key: call.command.attempt_key(),
            effect_key: call.idempotency_key.clone(),
            digest: call.command.parameters_digest.clone(),
            at: self.world.clock.now(),
            own: self.process.machine.now(),
            started_at: call.started_at,
            deadline: call.deadline,
            order: self.world.runs.written(),
            wrong_clock: self.process.machine.is_wrong(),
        });
    }
}
