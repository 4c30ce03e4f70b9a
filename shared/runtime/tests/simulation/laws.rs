//! The laws: what holds of the logs and of the world after any faults.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use heal_engine::Plan;
use heal_engine::autonomy::AutonomyLevel;
use heal_engine::catalog::Safety;
use heal_engine::chain;
use heal_engine::event::{Commit, Event};
use heal_guard::Repeats;
use heal_runtime::RunOutcome;
use heal_runtime::Timestamp;
use heal_runtime::halts::HALT_CACHE_MS;
use heal_runtime::port::{Receiver as _, RunReader};

use super::playbooks::guardrails;
use super::remedy::{COOLDOWN_MS, Effect};
use super::stage::Stage;

thread_local! {
    static LAW: Cell<&'static str> = const { Cell::new("") };
}

/// Names the law that is judged by from here on.
pub fn judge(law: &'static str) {
    LAW.set(law);
}

/// The law that was judged by last.
pub fn judged() -> &'static str {
    LAW.get()
}

/// More than a course has messages.
const DEAD_LETTERS: usize = 10_000;

/// Everything that the logs authorised: the attempt's key, its parameters' digest, and when its run ended.
#[derive(Default)]
struct Authorised {
    attempts: BTreeMap<String, (heal_engine::Digest, Timestamp)>,
    ends: BTreeMap<String, Timestamp>,
}

pub async fn hold(stage: &Stage) {
    let mut authorised = Authorised::default();
    let mut incidents = BTreeSet::new();
    let mut starts = BTreeSet::new();
    judge("a log is whole, chained, and the only one of its incident");
    for head in stage.heads().await {
        assert!(
            head.status.is_terminal(),
            "run {} of incident {} has not ended: {head:?}",
            head.run_id,
            head.incident_id
        );
        let commits = stage.runs.load(&head.run_id, 0).await.unwrap();
        let Some(Event::RunStarted(started)) = commits[0].events.first() else { panic!("no start: {:?}", commits[0]) };
        // An incident that came again after its playbook's level was raised has a run that may act beside those that may not.
        let level = started.autonomy.as_ref().map(|autonomy| autonomy.level);
        let is_off = level == Some(AutonomyLevel::Off);
        let start = (started.incident_id.clone(), started.mode.is_shadow(), is_off);
        assert!(starts.insert(start), "incident {} has two runs of one kind", started.incident_id);
        incidents.insert(started.incident_id.clone());
        let json = stage.runs.plan(&started.plan_digest).await.unwrap().expect("the pinned plan is stored");
        let plan = Plan::parse(&started.plan_digest, &json).unwrap();
        whole(&plan, &commits);
        let chained = chain::verify(&stage.runs.stored(&head.run_id).await.unwrap());
        assert_eq!(
            chained.map(|chained| chained.unchained),
            Ok(0),
            "whoever wrote, each commit follows the one before"
        );
        // Neither a shadow run nor one of a playbook that is switched off authorises an effect.
        if !started.mode.is_shadow() && !is_off {
            authorised.read(&plan, &commits);
        }
        incidents.extend(commits.iter().flat_map(|commit| &commit.events).filter_map(|event| match event {
            Event::IncidentJoined { incident_id } => Some(incident_id.clone()),
            _ => None,
        }));
    }
    judge("no incident is lost, and none comes from nowhere");
    let dead = dead_incidents(stage).await;
    let lost: Vec<_> = stage.incidents.difference(&incidents).filter(|id| !dead.contains(*id)).collect();
    assert!(lost.is_empty(), "incidents {lost:?} were lost");
    let unknown: Vec<_> =
        incidents.iter().filter(|id| !stage.incidents.contains(*id) && !stage.perhaps.contains(*id)).collect();
    assert!(unknown.is_empty(), "incidents {unknown:?} came from nowhere");
    judge("runs for one target are bounded in number");
    under_the_bound(stage).await;
    let effects = stage.world.effects.lock().unwrap().clone();
    judge("an effect that is not idempotent happens once");
    at_most_once_unless_idempotent(&effects);
    judge("two effects on a target are a cooldown apart");
    apart(&effects);
    judge("no budget has more effects than places");
    within_budget(&effects);
    judge("the log authorised every effect before it happened");
    effects.iter().for_each(|effect| authorised.check(effect));
    judge("nothing happens while it is halted");
    effects.iter().for_each(|effect| unhalted(stage, effect));
}

/// The incidents that no process could take in five deliveries: a person finds them among the dead letters.
async fn dead_incidents(stage: &Stage) -> BTreeSet<String> {
    let letters = stage.queues.dead_letters(DEAD_LETTERS).await.unwrap();
    let body =
        |letter: heal_runtime::port::DeadLetter| serde_json::from_str::<serde_json::Value>(&letter.body).unwrap();
    letters.into_iter().map(body).filter_map(|body| body["incident_id"].as_str().map(ToOwned::to_owned)).collect()
}

/// Runs that act, for one target within an hour; an escalated run does nothing.
async fn under_the_bound(stage: &Stage) {
    let Repeats { escalate_at, window_seconds } = Repeats::default();
    let mut starts: BTreeMap<String, Vec<Timestamp>> = BTreeMap::new();
    for head in stage.heads().await {
        let commits = stage.runs.load(&head.run_id, 0).await.unwrap();
        let Some(Event::RunStarted(started)) = commits[0].events.first() else { panic!("no start: {:?}", commits[0]) };
        let Some(key) = &started.concurrency_key else { continue };
        // Neither a shadow run nor one of a playbook that is switched off is counted.
        if key.starts_with("shadow:") || key.starts_with("off:") {
            continue;
        }
        if head.outcome == Some(RunOutcome::Escalated) {
            let commands = commits.iter().flat_map(|commit| &commit.events);
            assert!(!commands.into_iter().any(|event| matches!(event, Event::AttemptStarted { .. })), "{head:?} acted");
        } else {
            starts.entry(format!("{} of {key}", started.playbook)).or_default().push(head.started_at);
        }
    }
    for (key, mut starts) in starts {
        starts.sort();
        for window in starts.windows(escalate_at as usize) {
            let apart = window[window.len() - 1].since_ms(window[0]);
            assert!(apart >= window_seconds * 1_000, "{escalate_at} runs {key} within {apart} ms");
        }
    }
}

/// The log has no gap, one event per sequence number, and folds to an ended run.
fn whole(plan: &Plan, commits: &[Commit]) {
    let mut next = 1;
    for commit in commits {
        assert_eq!(commit.first_seq, next, "gap in the log of {}", commit.run_id);
        next = commit.last_seq() + 1;
    }
    let state = heal_engine::turn::fold(plan, commits).unwrap().unwrap();
    assert!(state.is_ended() && state.seq + 1 == next);
}

impl Authorised {
    fn read(&mut self, plan: &Plan, commits: &[Commit]) {
        for commit in commits {
            for event in &commit.events {
                match event {
                    Event::AttemptStarted { step, attempt, parameters_digest, .. } => {
                        let item = step.item.map(|item| format!("[{item}]")).unwrap_or_default();
                        let key = format!("{}/{}{item}/{attempt}", commit.run_id, plan.name(step.step));
                        self.attempts.insert(key, (parameters_digest.clone(), commit.at));
                    }
                    Event::RunEnded { .. } => {
                        self.ends.insert(commit.run_id.to_string(), commit.at);
                    }
                    _ => {}
                }
            }
        }
    }

    fn check(&self, effect: &Effect) {
        let (digest, since) = self.attempts.get(&effect.key).unwrap_or_else(|| panic!("nobody authorised {effect:?}"));
        assert_eq!(*digest, effect.digest, "{effect:?} was authorised with other parameters");
        assert!(*since <= effect.at, "{effect:?} came before it was authorised at {since:?}");
        assert!(effect.at < effect.deadline, "{effect:?} started after its deadline");
        let end = self.ends.get(effect.key.split('/').next().unwrap()).unwrap();
        assert!(effect.at <= *end, "{effect:?} started after its run had ended at {end:?}");
    }
}

/// No effect happens while it is halted, from when every cache has to have read the halt.
fn unhalted(stage: &Stage, effect: &Effect) {
    let playbook = if effect.key.contains("/x") || effect.key.contains("/y") || effect.key.contains("/z") {
        "fan"
    } else if effect.key.contains("/d/") || effect.key.contains("/e[") {
        "ask"
    } else {
        "chain"
    };
    let effect_of = heal_guard::Effect::new(effect.action, playbook, &effect.target);
    for (halt, ended) in &stage.halts {
        let lasts = halt.since.plus_ms(HALT_CACHE_MS) <= effect.at && effect.at < *ended;
        assert!(!(lasts && halt.scope.holds(&effect_of)), "{effect:?} happened under {halt:?}, ended at {ended:?}");
    }
}

/// An effect that is not idempotent happens once per attempt, and once under one idempotency key.
fn at_most_once_unless_idempotent(effects: &[Effect]) {
    let mut seen = BTreeSet::new();
    for effect in effects.iter().filter(|effect| effect.safety != Safety::Idempotent) {
        assert!(seen.insert(&effect.key), "{effect:?} happened twice");
        assert!(seen.insert(&effect.effect_key), "{effect:?} happened twice under one key");
    }
}

/// No window of a budget has more attempts with an effect than the budget has places. The number of windows that were full.
pub fn within_budget(effects: &[Effect]) -> usize {
    let mut full = 0;
    for budget in &guardrails().budgets {
        let counts = |effect: &&Effect| budget.applies_to.actions.iter().any(|name| name == effect.action);
        let key = |effect: &Effect| if budget.key.is_empty() { String::new() } else { effect.target.clone() };
        for last in effects.iter().filter(counts) {
            let in_window = |effect: &&Effect| {
                effect.at <= last.at
                    && effect.at.plus_ms(budget.window_seconds * 1_000) > last.at
                    && key(effect) == key(last)
            };
            let attempts: BTreeSet<_> =
                effects.iter().filter(counts).filter(in_window).map(|effect| &effect.key).collect();
            let max = budget.max as usize;
            assert!(attempts.len() <= max, "budget {:?} of {max} was exceeded by {last:?}: {attempts:?}", budget.name);
            full += usize::from(attempts.len() == max);
        }
    }
    full
}

/// Two effects on one target are at least its cooldown apart, unless they belong to one attempt.
fn apart(effects: &[Effect]) {
    let mut last: BTreeMap<(&str, &str), &Effect> = BTreeMap::new();
    for effect in effects.iter().filter(|effect| effect.action == "again") {
        if let Some(before) = last.insert((effect.action, &effect.target), effect)
            && before.key != effect.key
        {
            let gap = effect.at.since_ms(before.at);
            assert!(gap >= COOLDOWN_MS, "{effect:?} came {gap} ms after {before:?}");
        }
    }
}
