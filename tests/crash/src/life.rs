//! An incident from its arrival to the end of its run, through the death of one process or without one.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use heal_engine::event::Event;
use heal_engine::{Plan, StepRef};
use heal_matrix::Scenario;
use heal_runtime::Commit;
use heal_runtime::library::Library;
use heal_runtime::port::{Message, QueueName, RunFilter, RunReader as _, Sender as _};
use heal_sandbox::kubernetes::KubernetesConfig;
use heal_sandbox::{Platform, PlatformConfig};
use heal_testkit::memory::ManualClock;

use crate::gate::{Gate, When};
use crate::process::{Home, Process, Site};

/// Rounds of work within which the run has to end.
const ROUNDS: usize = 2_000;
/// How long a round may take in real time.
const ROUND_TIMEOUT: Duration = Duration::from_mins(1);
/// Milliseconds that pass after a round in which nothing was due.
const IDLE_MS: u64 = 1_000;
/// Milliseconds between the death of a process and the start of the next one.
const RESTART_MS: u64 = 3_000;

/// What stands before the end of a step of which nobody can tell whether it was done.
const UNKNOWN: &str = "unknown its worker died, and a probe of the target does not tell whether it had acted";

/// What a run left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Story {
    /// What happened, without attempts, times and repetitions.
    pub log: Vec<String>,
    /// Every effect on the platform, and how often it happened.
    pub effects: BTreeMap<String, usize>,
    /// Whether the target is as the playbook wants it.
    pub is_well: bool,
}

/// How the run of a process that died compares with one that did not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Likeness {
    /// The log is the same and the target is well. An effect may be missing that a probe found done already.
    Same,
    /// Nobody can tell whether this action was done, so nothing was done twice, the step ended as `unknown`, and a person has to look.
    Asks,
    Different,
}

impl Story {
    /// What a crash made of `self`.
    pub fn likeness(&self, crashed: &Self) -> Likeness {
        let most = |effect: &String| self.effects.get(effect).copied().unwrap_or(0);
        if crashed.effects.iter().any(|(effect, count)| *count > most(effect)) {
            return Likeness::Different;
        }
        if crashed.log == self.log && crashed.is_well == self.is_well {
            return Likeness::Same;
        }
        let same = self.log.iter().zip(&crashed.log).take_while(|(clean, crashed)| clean == crashed).count();
        let rest = crashed.log.get(same..).unwrap_or_default();
        match rest {
            [ended, stopping, failed]
                if ended.contains(UNKNOWN) && stopping == "stopping" && failed.starts_with("Failed ") =>
            {
                Likeness::Asks
            }
            _ => Likeness::Different,
        }
    }
}

/// What a run left behind, and how many calls the first process made.
pub struct Lived {
    pub story: Story,
    pub calls: usize,
    /// The call at which the first process died.
    pub died_at: &'static str,
    /// The actions that were performed.
    pub actions: Vec<String>,
}

/// Plays `scenario`. The first process dies at `death`, if given, and a second one goes on.
pub async fn live(scenario: Scenario, home: Home, library: Arc<Library>, death: Option<(usize, When)>) -> Lived {
    let base = PlatformConfig::default();
    let kubernetes = KubernetesConfig { ready_after: Duration::ZERO, ..base.kubernetes.clone() };
    let seed = heal_matrix::seed(heal_matrix::Like::Guide);
    let platform = Platform::start(PlatformConfig { seed, kubernetes, control_port: None, ..base }).unwrap();
    let mut env: BTreeMap<String, String> = platform.env().into_iter().collect();
    env.insert("KUBERNETES_NAMESPACE".to_owned(), heal_sandbox::seed::NAMESPACE.to_owned());
    let site = Site { clock: Arc::new(ManualClock::default()), library, env, home };
    let folder = folder();
    let path = folder.path().join("state.db");
    let gate = death.map_or_else(Gate::default, |(call, when)| Gate::dying_at(call, when));
    let mut process = Process::start(&site, &path, gate).await;
    let body = scenario.incident().to_string();
    let message = Message { queue: QueueName::Incidents, body, delay_ms: 0, traceparent: None };
    process.store.send(vec![message]).await.unwrap();
    let (mut calls, mut died_at) = (0, "");
    for _ in 0..ROUNDS {
        let died = tokio::select! {
            worked = tokio::time::timeout(ROUND_TIMEOUT, process.work()) => {
                if !worked.expect("a round takes a minute at most") {
                    if has_ended(&process).await {
                        let story = tell(scenario, &process, &platform).await;
                        let actions = performed(&process).await;
                        return Lived { story, calls: calls.max(process.gate.calls()), died_at, actions };
                    }
                    site.clock.advance_ms(IDLE_MS);
                }
                false
            }
            () = process.gate.death() => true,
        };
        if died {
            (calls, died_at) = (process.gate.calls(), process.gate.last_call());
            drop(process);
            site.clock.advance_ms(RESTART_MS);
            process = Process::start(&site, &path, Gate::default()).await;
        }
    }
    panic!("{}: the run has not ended after {ROUNDS} rounds, death {death:?} at {died_at}", scenario.playbook);
}

/// In memory if the machine has such a folder: a file system that forgets nothing but costs no disk.
fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() }
}

async fn commits(process: &Process) -> Vec<Commit> {
    let page = process.store.list(&RunFilter::default(), 10, None).await.unwrap();
    assert!(page.runs.len() <= 1, "one incident has several runs: {:?}", page.runs);
    match page.runs.first() {
        Some(head) => process.store.load(&head.run_id, 0).await.unwrap(),
        None => Vec::new(),
    }
}

async fn has_ended(process: &Process) -> bool {
    commits(process).await.iter().flat_map(|commit| &commit.events).any(|event| matches!(event, Event::RunEnded { .. }))
}

async fn plan(process: &Process, commits: &[Commit]) -> Plan {
    let Some(Event::RunStarted(started)) = commits[0].events.first() else { panic!("no start: {:?}", commits[0]) };
    let json = process.store.plan(&started.plan_digest).await.unwrap().unwrap();
    Plan::parse(&started.plan_digest, &json).unwrap()
}

async fn performed(process: &Process) -> Vec<String> {
    let commits = commits(process).await;
    let plan = plan(process, &commits).await;
    let action = |event: &Event| match event {
        Event::AttemptStarted { step, .. } => plan.step(step.step).map(|planned| planned.spec.kind.clone()),
        _ => None,
    };
    commits.iter().flat_map(|commit| &commit.events).filter_map(action).collect()
}

async fn tell(scenario: Scenario, process: &Process, platform: &Platform) -> Story {
    let commits = commits(process).await;
    let plan = plan(process, &commits).await;
    let log = commits.iter().flat_map(|commit| &commit.events).filter_map(|event| line(&plan, event)).collect();
    let mut effects = BTreeMap::new();
    for call in platform.effects() {
        *effects.entry(format!("{} {}", call.operation, call.target)).or_default() += 1;
    }
    Story { log, effects, is_well: scenario.is_well(platform) }
}

/// An event without what a crash may change: the number of attempts, their times, and why they were repeated.
fn line(plan: &Plan, event: &Event) -> Option<String> {
    let name = |step: &StepRef| match step.item {
        Some(item) => format!("{}[{item}]", plan.name(step.step)),
        None => plan.name(step.step).to_owned(),
    };
    match event {
        Event::AttemptStarted { step, attempt: 1, .. } => Some(format!("started {}", name(step))),
        // The step's end says what became of its attempts.
        Event::AttemptStarted { .. }
        | Event::AttemptEnded { .. }
        | Event::AttemptReissued { .. }
        | Event::RetryScheduled { .. } => None,
        Event::StepEnded { step, outcome, reason } => {
            Some(format!("ended {}: {} {}", name(step), outcome.as_str(), reason.clone().unwrap_or_default()))
        }
        Event::RunEnded { outcome, reason } => Some(format!("{outcome:?} {}", reason.clone().unwrap_or_default())),
        Event::ConditionFalse { step } => Some(format!("condition of {} was false", name(step))),
        other => Some(other.name().to_owned()),
    }
}
