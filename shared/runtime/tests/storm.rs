//! A storm: far more commands than their target can serve, in time that only the test advances. Nothing fails for being late.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    clippy::pedantic
)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use heal_engine::event::Event;
use heal_guard::{Admission, Guardrails, LiveBounds};
use heal_runtime::action::{Action, Admitted, Call, Facts, Performed, Target};
use heal_runtime::attempt::{self, Worker};
use heal_runtime::dispatcher::{self, Dispatcher};
use heal_runtime::host::Host;
use heal_runtime::library::Library;
use heal_runtime::port::{Message, PolicyResource, QueueName, RunFilter, RunReader, Sender};
use heal_runtime::{ActionSpec, AttemptResult, Map, RunOutcome, Safety};
use heal_testkit::memory::{Claims, Faults, ManualClock, Queues, Runs};
use heal_testkit::scripted::{AllowAll, Counter};
use serde_json::{Value, json};

/// Seconds of virtual time after which a storm has to be over.
const LONGEST_SECONDS: u64 = 6_000;

/// Counts the effects under each idempotency key.
struct Heal {
    spec: ActionSpec,
    effects: Arc<Mutex<BTreeMap<String, u32>>>,
}

#[async_trait]
impl Action for Heal {
    type Parameters = Map;
    type Facts = ();

    fn spec(&self) -> &ActionSpec {
        &self.spec
    }

    fn targets(&self, _: &Call, _: &Map) -> Result<Vec<Target>, AttemptResult> {
        Ok(vec![Target::new("target", PolicyResource::default())])
    }

    async fn facts(&self, _: &Call, _: &Map, _: &Target) -> Result<Facts<()>, AttemptResult> {
        Ok(Facts::default())
    }

    async fn perform(&self, call: &Call, _: &Map, _: &[Admitted<()>]) -> Performed {
        *self.effects.lock().unwrap().entry(call.idempotency_key.clone()).or_default() += 1;
        AttemptResult::succeeded(Map::new()).into()
    }
}

struct Storm {
    host: Host,
    clock: Arc<ManualClock>,
    queues: Arc<Queues>,
    runs: Arc<Runs>,
    effects: Arc<Mutex<BTreeMap<String, u32>>>,
}

/// A playbook of a chain of `steps`, each with five seconds, half a minute for all of them, and no second attempt.
fn library(steps: usize) -> Library {
    let step = |number: usize| {
        let needs: Vec<_> = (number > 0).then(|| format!("s{}", number - 1)).into_iter().collect();
        json!({
            "name": format!("s{number}"), "type": "heal", "needs": needs, "timeout_seconds": 5, "on_failure": "stop",
            "retry": {"max_attempts": 1, "backoff_seconds": 2, "max_backoff_seconds": 60}, "on_unavailable": "fail",
            "safety": "unknown", "parameters": {},
        })
    };
    let playbook = json!({
        "name": "storm", "description": "", "timeout_seconds": 30, "triggers": [{"incident_type": "STORM"}],
        "actions": (0..steps).map(step).collect::<Vec<Value>>(), "verify": [],
    });
    Library::new(vec![serde_json::from_value(playbook).unwrap()]).unwrap()
}

impl Storm {
    async fn new(incidents: usize, steps: usize) -> Self {
        let clock = Arc::new(ManualClock::default());
        let queues = Arc::new(Queues::new(clock.clone(), Faults::default()));
        let runs = Arc::new(Runs::new(Faults::default()));
        let effects = Arc::new(Mutex::default());
        let ports = attempt::Ports {
            claims: Arc::new(Claims::new(Faults::default())),
            policy: Arc::new(AllowAll),
            halts: heal_testkit::memory::no_halts(),
            sender: queues.clone(),
            clock: clock.clone(),
            guardrails: Arc::default(),
        };
        let spec = ActionSpec {
            name: "heal",
            description: "Heals.",
            parameters: json!({"type": "object"}),
            outputs: &[],
            safety: Safety::Unknown,
            inherits: &[],
            default_timeout_seconds: 5,
            service: "lamps",
            critical: false,
        };
        let worker = Worker::new(Heal { spec, effects: Arc::clone(&effects) }, Arc::new(ports)).unwrap();
        // Runs that wait for room would not wait in queues.
        let live = LiveBounds { per_playbook: u32::MAX, per_service: u32::MAX, ..LiveBounds::default() };
        let unbounded = Guardrails { admission: Admission { live }, ..Guardrails::default() };
        let ports = dispatcher::Ports {
            runs: runs.clone(),
            halts: heal_testkit::memory::no_halts(),
            sender: queues.clone(),
            clock: clock.clone(),
            entropy: Arc::new(Counter::default()),
            guardrails: Arc::new(unbounded),
        };
        let dispatcher = Dispatcher::new(ports, Arc::new(library(steps)));
        let host = Host::new(dispatcher, [worker], queues.clone(), runs.clone());
        for number in 0..incidents {
            let body = json!({"incident_id": format!("inc-{number}"), "incident_type": "STORM"}).to_string();
            let message = Message { queue: QueueName::Incidents, body, delay_ms: 0, traceparent: None };
            queues.send(vec![message]).await.unwrap();
        }
        Self { host, clock, queues, runs, effects }
    }

    /// Second after second, the target serves `calls` commands; returns the seconds until every run has ended.
    async fn pass(&self, calls: usize) -> u64 {
        let heal = QueueName::Action("heal".to_owned());
        for second in 0..LONGEST_SECONDS {
            self.host.once(&heal, calls).await.unwrap();
            for queue in [QueueName::Incidents, QueueName::Results] {
                while self.host.once(&queue, 1_000).await.unwrap() > 0 {}
            }
            if self.queues.pending() == 0 {
                return second;
            }
            self.clock.advance_ms(1_000);
            self.host.dispatcher().sweep(&*self.runs, 10_000).await.unwrap();
        }
        panic!("the storm is not over after {LONGEST_SECONDS} s: {} messages are left", self.queues.pending());
    }

    /// Every run did every step once, with its first attempt; returns how many commands were issued again.
    async fn assert_healed(&self, incidents: usize, steps: usize) -> usize {
        let heads = self.runs.list(&RunFilter::default(), 100_000, None).await.unwrap().runs;
        assert_eq!(heads.len(), incidents);
        let mut reissued = 0;
        for head in heads {
            assert_eq!(head.outcome, Some(RunOutcome::Completed), "{head:?}");
            for event in self.runs.load(&head.run_id, 0).await.unwrap().iter().flat_map(|commit| &commit.events) {
                match event {
                    Event::AttemptStarted { attempt, .. } => assert_eq!(*attempt, 1, "an attempt was used up"),
                    Event::AttemptReissued { .. } => reissued += 1,
                    _ => {}
                }
            }
        }
        let effects = self.effects.lock().unwrap();
        assert_eq!(effects.len(), incidents * steps);
        assert!(effects.values().all(|times| *times == 1), "an effect happened twice");
        reissued
    }
}

#[tokio::test(start_paused = true)]
async fn runs_that_wait_for_minutes_in_queues_have_their_time_all_the_same() {
    let storm = Storm::new(300, 4).await;
    let seconds = storm.pass(2).await;
    assert!(seconds >= 600, "{seconds} s are no storm for runs of 30 s");
    assert_eq!(storm.assert_healed(300, 4).await, 0);
}

#[tokio::test(start_paused = true)]
async fn commands_that_wait_longer_than_their_window_are_issued_again_and_done_once() {
    let storm = Storm::new(1_200, 1).await;
    storm.pass(1).await;
    let reissued = storm.assert_healed(1_200, 1).await;
    assert!(reissued >= 200, "only {reissued} commands were late");
}
