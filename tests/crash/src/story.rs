//! What a run left behind, and how that of a process that died compares with one that did not.

use std::collections::BTreeMap;

use heal_engine::event::Event;
use heal_engine::{Plan, StepRef};
use heal_matrix::Scenario;
use heal_runtime::Commit;
use heal_runtime::port::{Result, RunFilter};
use heal_sandbox::Platform;

use crate::process::Process;

/// Tries of a call that only reads.
const READ_TRIES: usize = 5;
/// What a line begins with that says how a step ended.
const ENDED: &str = "ended ";
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

/// The answer of a call that only reads, which a slow machine may let miss its deadline.
async fn read<T, F: Future<Output = Result<T>>>(call: impl Fn() -> F) -> T {
    for _ in 1..READ_TRIES {
        if let Ok(answer) = call().await {
            return answer;
        }
    }
    call().await.unwrap()
}

async fn commits(process: &Process) -> Vec<Commit> {
    let filter = RunFilter::default();
    let page = read(|| process.runs.list(&filter, 10, None)).await;
    assert!(page.runs.len() <= 1, "one incident has several runs: {:?}", page.runs);
    match page.runs.first() {
        Some(head) => read(|| process.runs.load(&head.run_id, 0)).await,
        None => Vec::new(),
    }
}

pub(crate) async fn has_ended(process: &Process) -> bool {
    commits(process).await.iter().flat_map(|commit| &commit.events).any(|event| matches!(event, Event::RunEnded { .. }))
}

async fn plan(process: &Process, commits: &[Commit]) -> Plan {
    let Some(Event::RunStarted(started)) = commits[0].events.first() else { panic!("no start: {:?}", commits[0]) };
    let json = read(|| process.runs.plan(&started.plan_digest)).await.unwrap();
    Plan::parse(&started.plan_digest, &json).unwrap()
}

pub(crate) async fn performed(process: &Process) -> Vec<String> {
    let commits = commits(process).await;
    let plan = plan(process, &commits).await;
    let action = |event: &Event| match event {
        Event::AttemptStarted { step, .. } => plan.step(step.step).map(|planned| planned.spec.kind.clone()),
        _ => None,
    };
    commits.iter().flat_map(|commit| &commit.events).filter_map(action).collect()
}

pub(crate) async fn tell(scenario: Scenario, process: &Process, platform: &Platform) -> Story {
    let commits = commits(process).await;
    let plan = plan(process, &commits).await;
    let mut log: Vec<String> =
        commits.iter().flat_map(|commit| &commit.events).filter_map(|event| line(&plan, event)).collect();
    // Steps that run side by side end in either order: a message that is delivered again comes later.
    let are_ends = |a: &String, b: &String| a.starts_with(ENDED) && b.starts_with(ENDED);
    log.chunk_by_mut(are_ends).for_each(<[String]>::sort);
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
            Some(format!("{ENDED}{}: {} {}", name(step), outcome.as_str(), reason.clone().unwrap_or_default()))
        }
        Event::RunEnded { outcome, reason } => Some(format!("{outcome:?} {}", reason.clone().unwrap_or_default())),
        Event::ConditionFalse { step } => Some(format!("condition of {} was false", name(step))),
        other => Some(other.name().to_owned()),
    }
}
