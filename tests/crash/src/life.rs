//! An incident from its arrival to the end of its run, through the deaths of processes or without one.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use heal_matrix::Scenario;
use heal_runtime::port::{Message, QueueName};
use heal_sandbox::kubernetes::KubernetesConfig;
use heal_sandbox::{Platform, PlatformConfig};
use heal_testkit::memory::ManualClock;
use heal_testkit::scripted::Counter;
use tokio::sync::Semaphore;

use crate::aws::Account;
use crate::gate::{Death, Gate};
use crate::process::{Disk, Home, Process, Shipped, Site};
use crate::story::{Story, has_ended, performed, tell};

/// Lives that are played at a time: more of them would make a slow machine miss the deadlines of calls.
const LIVES_AT_ONCE: usize = 4;
/// Rounds of work within which the run has to end.
const ROUNDS: usize = 2_000;
/// How long a round may take in real time.
const ROUND_TIMEOUT: Duration = Duration::from_mins(1);
/// Milliseconds that pass after a round in which nothing was due.
const IDLE_MS: u64 = 1_000;
/// Milliseconds between the death of a process and the start of the next one.
const RESTART_MS: u64 = 3_000;
/// Milliseconds after the run's end in which every message that a dead process had received is delivered again.
const REDELIVERED_MS: u64 = 130_000;

/// What a run left behind, and the processes that worked on it.
pub struct Lived {
    pub story: Story,
    /// The calls of each process that changed something, until its death or the end.
    pub calls: Vec<usize>,
    /// The call at which each process died.
    pub died_at: Vec<String>,
    /// The actions that were performed.
    pub actions: Vec<String>,
}

static LIVES: Semaphore = Semaphore::const_new(LIVES_AT_ONCE);

/// Plays `scenario`. Each of the first processes dies at its death, and the next one goes on.
pub async fn live(scenario: Scenario, home: Home, shipped: &Shipped, deaths: &[Death]) -> Lived {
    let _place = LIVES.acquire().await.unwrap();
    let base = PlatformConfig::default();
    let kubernetes = KubernetesConfig { ready_after: Duration::ZERO, ..base.kubernetes.clone() };
    let seed = heal_matrix::seed(heal_matrix::Like::Guide);
    let platform = Platform::start(PlatformConfig { seed, kubernetes, control_port: None, ..base }).unwrap();
    let mut env: BTreeMap<String, String> = platform.env().into_iter().collect();
    env.insert("KUBERNETES_NAMESPACE".to_owned(), heal_sandbox::seed::NAMESPACE.to_owned());
    let (clock, entropy, folder) = (Arc::new(ManualClock::default()), Arc::new(Counter::default()), folder());
    let disk = match home {
        Home::AtOnce | Home::InOrder => Disk::File(folder.path().join("state.db")),
        Home::Aws => Disk::Account(Arc::new(Account::open(Arc::clone(&clock)).await)),
    };
    let Shipped { library, guardrails } = shipped.clone();
    let site = Site { clock, entropy, library, guardrails, env, home, disk };
    let lived = play(scenario, &site, &platform, deaths).await;
    match &site.disk {
        Disk::File(_) => {}
        Disk::Account(account) => account.close().await,
    }
    lived
}

async fn play(scenario: Scenario, site: &Site, platform: &Platform, deaths: &[Death]) -> Lived {
    let mut deaths = deaths.iter().copied();
    let mut process = Process::start(site, Gate::new(deaths.next())).await;
    let body = scenario.incident().to_string();
    let message = Message { queue: QueueName::Incidents, body, delay_ms: 0, traceparent: None };
    process.sender.send(vec![message]).await.unwrap();
    let (mut calls, mut died_at) = (Vec::new(), Vec::new());
    let mut phase = Phase::Changed;
    for _ in 0..ROUNDS {
        match round(&process).await {
            Round::Worked if phase == Phase::Ended => {}
            Round::Worked => phase = Phase::Changed,
            Round::Idle => match phase {
                Phase::Changed if has_ended(&process).await => {
                    phase = Phase::Ended;
                    site.clock.advance_ms(REDELIVERED_MS);
                }
                Phase::Changed | Phase::Waits => {
                    phase = Phase::Waits;
                    site.clock.advance_ms(IDLE_MS);
                }
                Phase::Ended => {
                    calls.push(process.gate.calls());
                    let story = tell(scenario, &process, platform).await;
                    return Lived { story, calls, died_at, actions: performed(&process).await };
                }
            },
            Round::Died => {
                calls.push(process.gate.calls());
                died_at.push(process.gate.last_call());
                drop(process);
                site.clock.advance_ms(RESTART_MS);
                process = Process::start(site, Gate::new(deaths.next())).await;
            }
        }
    }
    panic!("{}: the run has not ended after {ROUNDS} rounds, deaths at {died_at:?}", scenario.playbook);
}

/// Where a life stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The run has changed since it was last read.
    Changed,
    /// The run goes on, and nothing is due.
    Waits,
    /// The run has ended; what is delivered again must not change it.
    Ended,
}

/// What came of one round.
enum Round {
    Worked,
    Idle,
    Died,
}

async fn round(process: &Process) -> Round {
    tokio::select! {
        worked = tokio::time::timeout(ROUND_TIMEOUT, process.work()) => {
            if worked.expect("a round takes a minute at most") { Round::Worked } else { Round::Idle }
        }
        () = process.gate.died() => Round::Died,
    }
}

/// In memory if the machine has such a folder: a file system that forgets nothing but costs no disk.
fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() }
}
