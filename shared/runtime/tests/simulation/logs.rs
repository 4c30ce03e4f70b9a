//! The laws of one log: what may stand in it, and what has to agree with it.

use std::collections::{BTreeMap, BTreeSet};

use heal_engine::event::{Commit, Event, RunStarted};
use heal_engine::id::StepIndex;
use heal_engine::message::AttemptOutcome;
use heal_engine::{Plan, StepRef};
use heal_runtime::port::{CLOCK_SKEW_MS, ClaimKey, ClaimRequest, ClaimStore as _, LeaseOwner, Reservation};
use heal_runtime::{Safety, Timestamp};
use serde_json::Value;

use super::books::Book;
use super::laws::judge;
use super::playbooks::{FORBIDDEN, UNDECIDED};
use super::remedy::Effect;
use super::stage::Stage;

/// How the attempt of an event ended, if it is the end of one.
pub fn ended(event: &Event) -> Option<&AttemptOutcome> {
    match event {
        Event::AttemptEnded { result, .. } => Some(&result.outcome),
        _ => None,
    }
}

/// Milliseconds of the longest cooldown and of the longest window of a budget.
const LONGEST_WAIT_MS: u64 = 600_000;

/// One run's log with its plan.
struct Log<'a> {
    plan: &'a Plan,
    started: &'a RunStarted,
    commits: &'a [Commit],
}

pub async fn hold(stage: &Stage, books: &[Book]) {
    // For a clock that was a year ahead, the time in which a worker takes a command has passed: it is no proof that none did.
    let mut by_wrong_clocks = BTreeSet::new();
    for book in books {
        if book.is_of_a_wrong_clock {
            by_wrong_clocks.insert(book.head.run_id.to_string());
        }
        let log = Log { plan: &book.plan, started: book.started(), commits: &book.commits };
        log.absorbs();
        log.ends_each_attempt_once();
        log.is_pinned();
        log.reads_conditions_strictly();
        log.verifies_last();
        log.denies_what_is_forbidden();
        log.cools_down_until_later(stage);
        log.agrees_with_claims(stage).await;
    }
    let effects = stage.world.effects.lock().unwrap().clone();
    let is_right = |effect: &&Effect| !by_wrong_clocks.contains(effect.key.split('/').next().unwrap());
    one_key_a_step(effects.iter().filter(is_right));
}

impl Log<'_> {
    fn events(&self) -> impl Iterator<Item = (Timestamp, &Event)> {
        self.commits.iter().flat_map(|commit| commit.events.iter().map(|event| (commit.at, event)))
    }

    fn key(&self, step: StepRef, attempt: u32) -> String {
        let item = step.item.map(|item| format!("[{item}]")).unwrap_or_default();
        format!("{}/{}{item}/{attempt}", self.commits[0].run_id, self.plan.name(step.step))
    }

    fn absorbs(&self) {
        judge("nothing follows the end of a run");
        let mut rest =
            self.events().map(|(_, event)| event).skip_while(|event| !matches!(event, Event::RunEnded { .. })).skip(1);
        let late = rest.find(|event| !matches!(event, Event::FollowUpDone { .. } | Event::IncidentJoined { .. }));
        assert!(late.is_none(), "{late:?} follows the end of {}", self.commits[0].run_id);
    }

    fn ends_each_attempt_once(&self) {
        judge("a result ends the attempt that it is for, once");
        let mut open = BTreeSet::new();
        for (_, event) in self.events() {
            match event {
                Event::AttemptStarted { step, attempt, .. } => {
                    assert!(open.insert((*step, *attempt)), "{event:?} started twice");
                }
                Event::AttemptEnded { step, attempt, .. } => {
                    assert!(open.remove(&(*step, *attempt)), "{event:?} ends what is not pending");
                }
                _ => {}
            }
        }
    }

    fn is_pinned(&self) {
        judge("a run follows the plan that its first event pins");
        for (_, event) in self.events() {
            let Event::AttemptStarted { step, parameters, .. } = event else { continue };
            let pinned = self.plan.step(step.step).and_then(|planned| planned.spec.parameters.get("edition"));
            assert_eq!(parameters.get("edition"), pinned, "{event:?} is of another edition than {:?}", self.started);
        }
    }

    fn reads_conditions_strictly(&self) {
        judge("a condition holds only if it is the boolean true");
        let holds = self.started.variables.get("flag") == Some(&Value::Bool(true));
        for (_, event) in self.events() {
            let Event::AttemptStarted { step, .. } = event else { continue };
            assert!(holds || self.plan.name(step.step) != "t", "{event:?} with {:?}", self.started.variables);
        }
    }

    fn verifies_last(&self) {
        judge("no verification starts before every action has ended");
        let mut ended: BTreeSet<StepIndex> = BTreeSet::new();
        for (_, event) in self.events() {
            match event {
                Event::StepEnded { step, .. } | Event::ConditionFalse { step } if step.item.is_none() => {
                    ended.insert(step.step);
                }
                Event::VerifyStarted => {
                    let open = (0..self.plan.playbook.actions.len() as StepIndex).find(|step| !ended.contains(step));
                    let open = open.map(|step| self.plan.name(step));
                    assert_eq!(open, None, "the verification of {} is early", self.commits[0].run_id);
                }
                _ => {}
            }
        }
    }

    /// `look` is denied: never done, and never taken for an outage.
    fn denies_what_is_forbidden(&self) {
        judge("what the policy denies is neither done nor unavailable");
        let mut targets: BTreeMap<(StepRef, u32), &str> = BTreeMap::new();
        for (_, event) in self.events() {
            match event {
                Event::AttemptStarted { step, attempt, parameters, .. }
                    if self.plan.step(step.step).is_some_and(|planned| planned.spec.kind == "look") =>
                {
                    let target = parameters.get("target").and_then(Value::as_str).unwrap();
                    targets.insert((*step, *attempt), target);
                }
                Event::AttemptEnded { step, attempt, result, .. } => {
                    let is_denied = targets.get(&(*step, *attempt)).is_some_and(|target| FORBIDDEN.contains(target));
                    let is_wrong = !is_undecided(&result.outcome)
                        && matches!(
                            result.outcome,
                            AttemptOutcome::Succeeded
                                | AttemptOutcome::Unavailable { .. }
                                | AttemptOutcome::Failed { .. }
                        );
                    assert!(!(is_denied && is_wrong), "{event:?} is about what is forbidden");
                }
                _ => {}
            }
        }
    }

    fn cools_down_until_later(&self, stage: &Stage) {
        judge("a target that is said to cool down did so when it was asked for, and no longer than it may");
        for (_, event) in self.events() {
            let Event::AttemptEnded { result, .. } = event else { continue };
            let AttemptOutcome::CoolingDown { until, .. } = &result.outcome else { continue };
            let asked_at = |decision: &Value| decision["question"]["now"].as_u64().unwrap();
            for decision in &result.decisions {
                // A process that was frozen while it asked decides on what was true before.
                let (skew_ms, now) = (stage.skew_ms(), Timestamp(asked_at(decision)));
                let since = Timestamp(until.0.saturating_sub(skew_ms));
                assert!(now < *until || stage.seen.froze_between(since, now.plus_ms(skew_ms)), "{event:?}");
            }
            let longest_ms = LONGEST_WAIT_MS + CLOCK_SKEW_MS;
            assert!(result.decisions.iter().all(|decision| until.0 <= asked_at(decision) + longest_ms), "{event:?}");
        }
    }

    /// A result that a worker sent is the one that its claim keeps.
    async fn agrees_with_claims(&self, stage: &Stage) {
        judge("a result of the log is that of the attempt's claim");
        for (at, event) in self.events() {
            let Event::AttemptEnded { step, attempt, result, started_at: Some(_), .. } = event else { continue };
            let spec = &self.plan.step(step.step).unwrap().spec;
            if spec.safety == Safety::ReadOnly {
                continue;
            }
            let key = ClaimKey { action: spec.kind.clone(), attempt: self.key(*step, *attempt) };
            let request = ClaimRequest::new(key, LeaseOwner("the law".to_owned()), at, at.plus_ms(1));
            let stored = stage.claims.reserve(&request).await.unwrap();
            assert_eq!(stored, Reservation::Finished(Box::new(result.clone())), "the claim of {event:?}");
        }
    }
}

/// Whether the policy server did not decide, as the stage had it.
fn is_undecided(outcome: &AttemptOutcome) -> bool {
    let AttemptOutcome::Failed { message, .. } = outcome else { return false };
    UNDECIDED.iter().any(|(_, undecided)| message.contains(undecided))
}

/// Once a step may have taken effect, it is repeated under the same key, so that the service recognises it.
fn one_key_a_step<'e>(effects: impl Iterator<Item = &'e Effect>) {
    judge("a step is repeated under the key that it had");
    let mut keys: BTreeMap<&str, &Effect> = BTreeMap::new();
    for effect in effects {
        let step = effect.key.rsplit_once('/').unwrap().0;
        let first = keys.entry(step).or_insert(effect);
        assert_eq!(first.effect_key, effect.effect_key, "{effect:?} repeats {first:?} under another key");
    }
}
