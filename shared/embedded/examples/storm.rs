//! A storm on one state file: incidents come far faster than their target serves calls. Nothing may fail for being late.
//!
//! `cargo run --release -p heal-embedded --example storm [INCIDENTS] [SECONDS] [CALLS_PER_SECOND]`, by default 10,000 in a minute on a target
//! of 100 calls a second. Exits with 1 unless every run did every step once, with its first attempt.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use heal_embedded::{Location, Store};
use heal_engine::{Plan, report};
use heal_runtime::action::{Action, Admitted, Call, Facts, Performed, Target};
use heal_runtime::attempt::{self, Worker};
use heal_runtime::dispatcher::{self, Dispatcher};
use heal_runtime::host::Host;
use heal_runtime::library::Library;
use heal_runtime::port::{Message, OsEntropy, PolicyResource, QueueName, RunFilter, RunReader, Sender, SystemClock};
use heal_runtime::{ActionSpec, AttemptResult, Map, Safety};
use heal_testkit::scripted::AllowAll;
use serde_json::json;
use tokio::sync::watch;

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
        tokio::time::sleep_until(turn.into()).await;
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
        sender: store.clone(),
        clock: clock.clone(),
        guardrails: Arc::default(),
    };
    let worker = Worker::new(Heal(Arc::clone(target)), Arc::new(ports)).unwrap();
    let ports = dispatcher::Ports {
        runs: store.clone(),
        sender: store.clone(),
        clock,
        entropy: Arc::new(OsEntropy),
        guardrails: Arc::default(),
    };
    Host::new(Dispatcher::new(ports, Arc::new(library())), [worker], store.clone(), store)
}

/// Sends the incidents, evenly over `length`.
async fn send(store: &Store, incidents: u64, length: Duration) {
    let started = Instant::now();
    for number in 0..incidents {
        let due =
            length.mul_f64(f64::from(u32::try_from(number).unwrap()) / f64::from(u32::try_from(incidents).unwrap()));
        tokio::time::sleep_until((started + due).into()).await;
        let body = json!({"incident_id": format!("inc-{number}"), "incident_type": "STORM"}).to_string();
        let message = Message { queue: QueueName::Incidents, body, delay_ms: 0, traceparent: None };
        store.send(vec![message]).await.unwrap();
    }
}

/// What became of all runs.
#[derive(Default)]
struct Outcomes {
    runs: BTreeMap<String, u64>,
    reasons: BTreeMap<String, u64>,
    attempts: u64,
    waited_ms: Vec<u64>,
}

async fn outcomes(store: &Store) -> Outcomes {
    let mut outcomes = Outcomes::default();
    let mut cursor = None;
    loop {
        let page = store.list(&RunFilter::default(), 500, cursor.as_deref()).await.unwrap();
        for head in page.runs {
            let log = RunReader::load(store, &head.run_id, 0).await.unwrap();
            let Some(heal_engine::Event::RunStarted(started)) = log.first().and_then(|commit| commit.events.first())
            else {
                continue;
            };
            let plan = store.plan(&started.plan_digest).await.unwrap().unwrap();
            let plan = Plan::parse(&started.plan_digest, &plan).unwrap();
            let report = report::report(Some(&plan), &head.run_id, &log).unwrap();
            let outcome = report.outcome.map_or("live", |outcome| outcome.as_str());
            *outcomes.runs.entry(outcome.to_owned()).or_default() += 1;
            outcomes.attempts += report.steps.iter().map(|step| u64::from(step.attempts)).sum::<u64>();
            outcomes.waited_ms.push(report.waited_ms);
            if let Some(reason) = report.reason {
                *outcomes.reasons.entry(reason).or_default() += 1;
            }
        }
        match page.next {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    outcomes.waited_ms.sort_unstable();
    outcomes
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
    let sending = send(&store, incidents, Duration::from_secs(seconds));
    let (is_finished, ()) = tokio::join!(finished(&target, calls, started + ideal * PATIENCE), sending);
    let took = started.elapsed();
    stop.send(true).unwrap();
    running.await.unwrap();
    let outcomes = outcomes(&store).await;
    let made = target.calls.lock().unwrap().values().map(|times| u64::from(*times)).sum::<u64>();
    let at = |part: usize| outcomes.waited_ms.get(outcomes.waited_ms.len() * part / 100).copied().unwrap_or(0) / 1_000;
    println!("outcomes {:?} in {} s, {made} calls, {} attempts", outcomes.runs, took.as_secs(), outcomes.attempts);
    println!("a run waited {} s in queues (median), {} s (99 %)", at(50), at(99));
    for (reason, count) in &outcomes.reasons {
        println!("{count} × {reason}");
    }
    drop(store);
    for suffix in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{suffix}", path.display()));
    }
    let all_healed = outcomes.runs.get("COMPLETED") == Some(&incidents) && outcomes.runs.len() == 1;
    let each_once = (made, outcomes.attempts) == (calls, calls);
    if is_finished && all_healed && each_once {
        ExitCode::SUCCESS
    } else {
        println!("failed: every run has to be COMPLETED, with one attempt and one call for each step");
        ExitCode::FAILURE
    }
}
