//! Remedies whose world records every effect: when, under which key and for which parameters.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use heal_runtime::action::{Action, Admitted, Call, Cooldown, Facts, Performed, Probe, Target};
use heal_runtime::port::{Clock, PolicyResource};
use heal_runtime::{ActionSpec, AttemptOutcome, AttemptResult, Digest, Map, OutputType, Safety, Timestamp};
use heal_testkit::memory::ManualClock;
use serde_json::json;

use super::rng::Rng;

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
    pub at: Timestamp,
    pub deadline: Timestamp,
}

/// The world that the remedies touch, and what goes wrong in it.
#[derive(Debug)]
pub struct World {
    pub effects: Mutex<Vec<Effect>>,
    pub clock: Arc<ManualClock>,
    pub rng: Arc<Rng>,
    /// The worker whose effect just happened is dead: its later calls fail until the simulation clears this.
    pub dead: Arc<AtomicBool>,
    pub faulty: AtomicBool,
}

pub const COOLDOWN_MS: u64 = 300_000;

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
}

impl Remedy {
    pub fn new(name: &'static str, safety: Safety, world: Arc<World>) -> Self {
        let spec = ActionSpec {
            name,
            description: "A remedy of the simulation.",
            parameters: json!({"type": "object", "properties": {"target": {"type": "string"}, "edition": {"type": "integer"}}, "required": ["target"]}),
            outputs: &[("well", OutputType::Boolean)],
            safety,
            inherits: &[],
            default_timeout_seconds: 30,
            service: "lamps",
            critical: false,
        };
        Self { spec, world }
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
        let cooldown = (self.spec.name == "again").then(|| Cooldown::new("again", &id, COOLDOWN_MS));
        let resource = PolicyResource { ticket_id: id.clone(), ..PolicyResource::default() };
        Ok(vec![Target { id, resource, cooldown }])
    }

    async fn facts(&self, _: &Call, _: &Parameters, _: &Target) -> Result<Facts<()>, AttemptResult> {
        Ok(Facts::default())
    }

    async fn perform(&self, call: &Call, parameters: &Parameters, targets: &[Admitted<()>]) -> Performed {
        let world = &self.world;
        let faulty = world.faulty.load(Ordering::SeqCst);
        let proven_not_applied = || targets.iter().map(|admitted| admitted.target.id.clone()).collect::<Vec<_>>();
        if faulty && world.rng.chance(10) {
            let outcome =
                AttemptOutcome::Unavailable { service: "world".into(), message: "away".into(), retry_after_ms: None };
            return Performed { result: AttemptResult::new(outcome), proven_not_applied: proven_not_applied() };
        }
        if faulty && world.rng.chance(10) {
            return Performed {
                result: AttemptResult::transient("flaky", "not now"),
                proven_not_applied: proven_not_applied(),
            };
        }
        // Others work meanwhile.
        for _ in 0..world.rng.below(3) {
            tokio::task::yield_now().await;
        }
        if self.spec.safety == Safety::ReadOnly {
            let well = !faulty || world.rng.chance(60);
            return AttemptResult::succeeded(Map::from_iter([("well".to_owned(), json!(well))])).into();
        }
        world.effects.lock().unwrap().push(Effect {
            action: self.spec.name,
            safety: self.spec.safety,
            target: parameters.target.clone(),
            key: call.command.attempt_key(),
            effect_key: call.idempotency_key.clone(),
            digest: call.command.parameters_digest.clone(),
            at: world.clock.now(),
            deadline: call.command.deadline,
        });
        if faulty && world.rng.chance(15) {
            world.dead.store(true, Ordering::SeqCst);
        }
        AttemptResult::succeeded(Map::new()).into()
    }

    async fn probe(&self, call: &Call, _: &Parameters, _: &[Target], _: Option<&serde_json::Value>) -> Probe {
        let effects = self.world.effects.lock().unwrap();
        let done = effects.iter().any(|effect| effect.effect_key == call.idempotency_key);
        if done { Probe::Done(Box::new(AttemptResult::succeeded(Map::new()))) } else { Probe::NotDone }
    }
}
