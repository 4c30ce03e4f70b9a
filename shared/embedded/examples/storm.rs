//! A storm on one state file: incidents come far faster than their target serves calls. Nothing may fail for being late.
//!
//! `cargo run --release -p heal-embedded --example storm [INCIDENTS] [SECONDS] [CALLS_PER_SECOND]`, by default 10,000 in a minute on a target
//! of 100 calls a second. Exits with 1 unless every run did every step once, with its first attempt.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use heal_embedded::{Location, Store};
use heal_runtime::action::{Action, Admitted, Call, Facts, Performed, Target};
use heal_runtime::attempt::{self, Worker};
use heal_runtime::dispatcher::{self, Dispatcher};
use heal_runtime::host::Host;
use heal_runtime::library::Library;
use heal_runtime::port::{OsEntropy, PolicyResource, SystemClock};
use heal_runtime::{ActionSpec, AttemptResult, Map, Safety};
use heal_testkit::scripted::AllowAll;
use heal_testkit::storm::{self, Outcomes};
use serde_json::json;
use tokio::sync::watch;
use tokio::time::Instant;

/// Steps of a run, each with one call.
const STEPS: usize = 2;
/// Milliseconds between two looks at the runs.
const POLL: Duration = Duration::from_secs(1);
/// How many times the storm's ideal length the bench waits for its end.
const PATIENCE: u32 = 5;

/// Serves so many calls a second, one after another, and counts them by idempotency key.
struct Bounded {
    spec: ActionSpec,
    interval: Duration,
    next: Mutex<Instant>,
    calls: Mutex<BTreeMap<String, u32>>,
}

struct Heal(Arc<Bounded>);

#[async_trait]
impl Action for Heal {
    type Parameters = Map;
    type Facts = ();

    fn spec(&self) -> &ActionSpec {
        &self.0.spec
    }

    fn targets(&self, _: &Call, _: &Map) -> Result<Vec<Target>, AttemptResult> {
        Ok(vec![Target::new("target", PolicyResource::default())])
    }

    async fn facts(&self, _: &Call, _: &Map, _: &Target) -> Result<Facts<()>, AttemptResult> {
        Ok(Facts::default())
    }

    async fn perform(&self, call: &Call, _: &Map, _: &[Admitted<()>]) -> Performed {
        let turn = {
            let mut next = self.0.next.lock().unwrap();
            let turn = (*next).max(Instant::now());
            *next = turn + self.0.interval;
            turn
        };
        tokio::time::sleep_until(turn).await;
        *self.0.calls.lock().unwrap().entry(call.idempotency_key.clone()).or_default() += 1;
        AttemptResult::succeeded(Map::new()).into()
    }
}

/// Steps of five seconds with one attempt, half a minute for all: short against the minutes in the queue.
fn library() -> Library {
    let step = |number: usize| {
        let needs: Vec<_> = (number > 0).then(|| format!("s{}", number - 1)).into_iter().collect();
        json!({
            "name": format!("s{number}"), "type": "heal", "needs": needs, "timeout_seconds": 5, "on_failure": "stop",
            "retry": {"max_attempts": 1, "backoff_seconds": 2, "max_backoff_seconds": 60}, "on_unavailable": "fail",
            "safety": "idempotent", "parameters": {},
        })
    };
    let playbook = json!({
        "name": "storm", "description": "", "timeout_seconds": 30, "triggers": [{"incident_type": "STORM"}],
        "actions": (0..STEPS).map(step).collect::<Vec<_>>(), "verify": [],
    });
    Library::new(vec![serde_json::from_value(playbook).unwrap()]).unwrap()
}

fn host(store: &Store, target: &Arc<Bounded>) -> Host {
    let (store, clock) = (Arc::new(store.clone()), Arc::new(SystemClock));
    let ports = attempt::Ports {
        claims: store.clone(),
        policy: Arc::new(AllowAll),
        halts: heal_testkit::memory::no_halts(),
        sender: store.clone(),
        clock: clock.clone(),
        guardrails: Arc::default(),
    };
    let worker = Worker::new(Heal(Arc::clone(target)), Arc::new(ports)).unwrap();
    let ports = dispatcher::Ports {
        runs: store.clone(),
        halts: heal_testkit::memory::no_halts(),
        sender: store.clone(),
        clock,
        entropy: Arc::new(OsEntropy),
        guardrails: Arc::default(),
    };
    Host::new(Dispatcher::new(ports, Arc::new(library())), [worker], store.clone(), store.clone()).settling(store)
}

async fn finished(target: &Bounded, calls: u64, give_up: Instant) -> bool {
    while Instant::now() < give_up {
        let done = u64::try_from(target.calls.lock().unwrap().len()).unwrap();
        if done >= calls {
            // The last result still has to end its run.
            tokio::time::sleep(POLL * 3).await;
            return true;
        }
        tokio::time::sleep(POLL).await;
    }
    false
}

#[tokio::main]
async fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let mut number = |otherwise: u64| arguments.next().map_or(otherwise, |text| text.parse().expect("a number"));
    let (incidents, seconds, rate) = (number(10_000), number(60), number(100));
    let calls = incidents * u64::try_from(STEPS).unwrap();
    println!("{incidents} incidents in {seconds} s, {calls} calls on a target of {rate} calls/s");
    let target = Arc::new(Bounded {
        spec: ActionSpec {
            name: "heal",
            description: "Heals.",
            parameters: json!({"type": "object"}),
            outputs: &[],
            safety: Safety::Idempotent,
            inherits: &[],
            default_timeout_seconds: 5,
            service: "lamps",
            critical: false,
        },
        interval: Duration::from_secs(1) / u32::try_from(rate).unwrap(),
        next: Mutex::new(Instant::now()),
        calls: Mutex::default(),
    });
    let path = std::env::temp_dir().join(format!("storm-{}.db", std::process::id()));
    let store = Store::open(Location::File(path.clone()), Arc::new(SystemClock)).unwrap();
    let (stop, stopped) = watch::channel(false);
    let running = tokio::spawn(host(&store, &target).run(stopped));
    let started = Instant::now();
    let ideal = Duration::from_secs(seconds + calls / rate);
    let incident = |number| json!({"incident_id": format!("inc-{number}"), "incident_type": "STORM"}).to_string();
    let sending = storm::send(&store, incidents, Duration::from_secs(seconds), incident);
    let (is_finished, ()) = tokio::join!(finished(&target, calls, started + ideal * PATIENCE), sending);
    let took = started.elapsed();
    stop.send(true).unwrap();
    running.await.unwrap();
    let outcomes = Outcomes::read(&store).await;
    let made = target.calls.lock().unwrap().values().map(|times| u64::from(*times)).sum::<u64>();
    println!("{made} calls in {} s\n{outcomes}", took.as_secs());
    drop(store);
    for suffix in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{suffix}", path.display()));
    }
    if is_finished && made == calls && outcomes.are_complete(incidents, calls) {
        ExitCode::SUCCESS
    } else {
        println!("failed: every run has to be COMPLETED, with one attempt and one call for each step");
        ExitCode::FAILURE
    }
}
