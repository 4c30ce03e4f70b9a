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

use super::books::Book;
use super::remedy::{Effect, cooldown_ms};
use super::stage::Stage;
use super::storms;

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

/// Everything that the logs authorised: the attempt's key, its parameters' digest, and when its run ended. The moments are numbers of commits,
/// since the clocks of those who wrote differ.
#[derive(Default)]
struct Authorised {
    attempts: BTreeMap<String, (heal_engine::Digest, u64)>,
    ends: BTreeMap<String, u64>,
    /// The runs that a process has written to whose clock was a year ahead: for it, the time of every attempt had passed.
    by_wrong_clocks: BTreeSet<String>,
}

pub async fn hold(stage: &Stage, books: &[Book]) {
    let mut authorised = Authorised::default();
    let mut incidents = BTreeSet::new();
    let mut starts = BTreeSet::new();
    judge("a log is whole, chained, and the only one of its incident");
    for book in books {
        let Book { head, commits, plan, order, .. } = book;
        assert!(
            head.status.is_terminal(),
            "run {} of incident {} has not ended: {head:?}",
            head.run_id,
            head.incident_id
        );
        let started = book.started();
        // An incident that came again after its playbook's level was raised has a run that may act beside those that may not.
        let level = started.autonomy.as_ref().map(|autonomy| autonomy.level);
        let is_off = level == Some(AutonomyLevel::Off);
        if book.is_of_a_wrong_clock {
            authorised.by_wrong_clocks.insert(head.run_id.to_string());
        }
        // For a clock that is a year ahead, the time in which an incident is the same has passed.
        let is_later = stage.is_of_a_wrong_clock(head.started_at);
        let start = (started.incident_id.clone(), started.mode.is_shadow(), is_off, is_later);
        assert!(starts.insert(start), "incident {} has two runs of one kind", started.incident_id);
        if storms::is_group_incident(started) {
            assert_eq!(head.outcome, Some(RunOutcome::Escalated), "{head:?} stands for a storm");
        } else {
            incidents.insert(started.incident_id.clone());
        }
        whole(plan, commits);
        let chained = chain::verify(&stage.runs.stored(&head.run_id).await.unwrap());
        assert_eq!(
            chained.map(|chained| chained.unchained),
            Ok(0),
            "whoever wrote, each commit follows the one before"
        );
        // Neither a shadow run nor one of a playbook that is switched off authorises an effect.
        if !started.mode.is_shadow() && !is_off {
            authorised.read(plan, commits, order);
        }
        incidents.extend(book.events().filter_map(|(_, event)| match event {
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
    under_the_bound(stage, books);
    let effects = stage.world.effects.lock().unwrap().clone();
    judge("an effect that is not idempotent happens once");
    authorised.at_most_once_unless_idempotent(&effects);
    judge("two effects on a target are a cooldown apart");
    apart(stage, &effects);
    judge("no budget has more effects than places");
    within_budget(stage, &effects);
    judge("the log authorised every effect before it happened");
    effects.iter().for_each(|effect| authorised.check(effect));
    judge("nothing happens while it is halted");
    effects.iter().for_each(|effect| unhalted(stage, effect));
    judge("a storm has one group incident, and a trickle of effects");
    storms::hold(stage, books, &effects);
}

/// The incidents that no process could take in five deliveries: a person finds them among the dead letters.
async fn dead_incidents(stage: &Stage) -> BTreeSet<String> {
    let letters = stage.queues.dead_letters(DEAD_LETTERS).await.unwrap();
    let body =
        |letter: heal_runtime::port::DeadLetter| serde_json::from_str::<serde_json::Value>(&letter.body).unwrap();
    letters.into_iter().map(body).filter_map(|body| body["incident_id"].as_str().map(ToOwned::to_owned)).collect()
}

/// Runs that act, for one target within an hour; an escalated run does nothing.
fn under_the_bound(stage: &Stage, books: &[Book]) {
    let Repeats { escalate_at, window_seconds } = Repeats::default();
    let mut starts: BTreeMap<String, Vec<Timestamp>> = BTreeMap::new();
    for book in books {
        let (head, started) = (&book.head, book.started());
        let Some(key) = &started.concurrency_key else { continue };
        // Neither a shadow run nor one of a playbook that is switched off is counted.
        if key.starts_with("shadow:") || key.starts_with("off:") {
            continue;
        }
        if head.outcome == Some(RunOutcome::Escalated) {
            assert!(!book.events().any(|(_, event)| matches!(event, Event::AttemptStarted { .. })), "{head:?} acted");
        } else {
            // Whose clock is a year ahead counts the runs of that year.
            if !stage.is_of_a_wrong_clock(head.started_at) {
                starts.entry(format!("{} of {key}", started.playbook)).or_default().push(head.started_at);
            }
        }
    }
    for (key, mut starts) in starts {
        starts.sort();
        for window in starts.windows(escalate_at as usize) {
            let apart = window[window.len() - 1].since_ms(window[0]);
            assert!(apart + stage.apart_ms() >= window_seconds * 1_000, "{escalate_at} runs {key} within {apart} ms");
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
    fn read(&mut self, plan: &Plan, commits: &[Commit], order: &[u64]) {
        for (commit, order) in commits.iter().zip(order) {
            for event in &commit.events {
                match event {
                    Event::AttemptStarted { step, attempt, parameters_digest, .. } => {
                        let item = step.item.map(|item| format!("[{item}]")).unwrap_or_default();
                        let key = format!("{}/{}{item}/{attempt}", commit.run_id, plan.name(step.step));
                        self.attempts.insert(key, (parameters_digest.clone(), *order));
                    }
                    Event::RunEnded { .. } => {
                        self.ends.insert(commit.run_id.to_string(), *order);
                    }
                    _ => {}
                }
            }
        }
    }

    fn check(&self, effect: &Effect) {
        let (digest, since) = self.attempts.get(&effect.key).unwrap_or_else(|| panic!("nobody authorised {effect:?}"));
        assert_eq!(*digest, effect.digest, "{effect:?} was authorised with other parameters");
        assert!(*since <= effect.order, "{effect:?} came before commit {since}, which authorised it");
        assert!(effect.own < effect.deadline, "{effect:?} started after its deadline");
        let end = self.ends.get(effect.key.split('/').next().unwrap()).unwrap();
        assert!(
            effect.order < *end || self.is_of_a_wrong_clock(effect),
            "{effect:?} started after commit {end}, with which its run had ended"
        );
    }
}

impl Authorised {
    /// Whether its worker's clock was a year ahead, or that of a dispatcher of its run.
    fn is_of_a_wrong_clock(&self, effect: &Effect) -> bool {
        let run = effect.key.split('/').next().unwrap();
        effect.wrong_clock || self.by_wrong_clocks.contains(run)
    }

    /// An effect that is not idempotent happens once per attempt, and once under one idempotency key. Once another step has touched the target, no
    /// probe can tell the effect of an earlier attempt from that one's: then it may happen again, under its key.
    fn at_most_once_unless_idempotent(&self, effects: &[Effect]) {
        let mut seen = BTreeSet::new();
        for (index, effect) in effects.iter().enumerate() {
            if effect.safety == Safety::Idempotent || self.is_of_a_wrong_clock(effect) {
                continue;
            }
            assert!(seen.insert(&effect.key), "{effect:?} happened twice");
            if !seen.insert(&effect.effect_key) {
                let of_target =
                    |one: &&Effect| one.action == effect.action && one.target == effect.target && one.key != effect.key;
                let last = effects[..index].iter().rev().find(of_target);
                let is_covered = last.is_some_and(|last| last.effect_key != effect.effect_key);
                assert!(effect.safety == Safety::Probe && is_covered, "{effect:?} happened twice under one key");
            }
        }
    }
}

/// No effect happens while it is halted, from when every cache has to have read the halt. Whose clock is a year ahead believes that every halt
/// has ended.
fn unhalted(stage: &Stage, effect: &Effect) {
    if effect.wrong_clock {
        return;
    }
    let playbook = match effect.key.split('/').nth(1).and_then(|step| step.chars().next()) {
        Some('x' | 'y' | 'z') => "fan",
        Some('d' | 'e') => "ask",
        Some('m') => "gale",
        _ => "chain",
    };
    let effect_of = heal_guard::Effect::new(effect.action, playbook, &effect.target);
    let skew_ms = stage.skew_ms();
    for (halt, ended) in &stage.halts {
        let lasts = halt.since.plus_ms(HALT_CACHE_MS + skew_ms) <= effect.at && effect.at.plus_ms(skew_ms) < *ended;
        assert!(!(lasts && halt.scope.holds(&effect_of)), "{effect:?} happened under {halt:?}, ended at {ended:?}");
    }
    for own in stage.own_halts.values().filter(|own| own.halt.storm.is_none() && own.halt.scope.holds(&effect_of)) {
        assert!(!own.surely_lasts(effect.at, skew_ms), "{effect:?} happened under {:?}", own.halt);
    }
}

/// No window of a budget has more attempts with an effect than the budget has places. The number of windows that were full. A place counts from
/// some moment between the attempt's beginning and its effect. Whose clock is a year ahead believes that every window has ended, and frees its
/// places.
pub fn within_budget(stage: &Stage, effects: &[Effect]) -> usize {
    let mut full = 0;
    let effects: Vec<_> = effects.iter().filter(|effect| !effect.wrong_clock).collect();
    for budget in &stage.guardrails.budgets {
        let is_one = |effect: &&&Effect| budget.applies_to.actions.iter().any(|name| name == effect.action);
        let counted: Vec<_> = effects.iter().filter(is_one).collect();
        for (index, last) in counted.iter().enumerate() {
            let window_ms = budget.window_seconds * 1_000;
            if stage.was_wrong_within(window_ms + stage.apart_ms(), last.at) {
                continue;
            }
            let since = |effect: &Effect| effect.taken_at().plus_ms(window_ms);
            let in_window = |effect: &&&&Effect| {
                since(effect) > last.at.plus_ms(stage.apart_ms())
                    && (budget.key.is_empty() || effect.target == last.target)
            };
            let attempts: BTreeSet<_> = counted[..=index].iter().filter(in_window).map(|effect| &effect.key).collect();
            let max = budget.max as usize;
            assert!(attempts.len() <= max, "budget {:?} of {max} was exceeded by {last:?}: {attempts:?}", budget.name);
            full += usize::from(attempts.len() == max);
        }
    }
    full
}

/// Two effects on one target are at least its cooldown apart, unless they belong to one attempt, or to one whose clock is a year ahead. Whoever has such
/// a clock ends an attempt whose command is still on its way, so that the step's next attempt may act beside it, under the same key.
fn apart(stage: &Stage, effects: &[Effect]) {
    let mut last: BTreeMap<(&str, &str), &Effect> = BTreeMap::new();
    for effect in effects {
        let Some(cooldown_ms) = cooldown_ms(effect.action) else { continue };
        if let Some(before) = last.insert((effect.action, &effect.target), effect)
            && before.key != effect.key
            && !effect.wrong_clock
        {
            let is_ended_too_early = before.effect_key == effect.effect_key
                && stage.was_wrong_within(cooldown_ms + stage.apart_ms(), effect.at);
            if is_ended_too_early {
                continue;
            }
            let gap = effect.at.since_ms(before.taken_at());
            assert!(gap + stage.apart_ms() >= cooldown_ms, "{effect:?} came {gap} ms after {before:?}");
        }
    }
}
