//! The kill switch at the point of effect.
//!
//! A halted attempt closes its claim with a result that only says so: a duplicate of the command gets that answer and cannot act later.

use heal_engine::Map;
use heal_engine::catalog::Safety;
use heal_engine::message::{AttemptOutcome, AttemptResult, Hold};
use heal_guard::{Effect, Halt, Question, Verdict, decide};

use super::NotStarted;
use super::typed::Attempt;
use crate::action::{Action, Target};
use crate::halts;

impl<A: Action> Attempt<'_, A> {
    /// Nothing, unless a halt holds the effect on one of the targets: then the attempt as a whole is held, the other targets too. An action
    /// that only reads, and a shadow run, are not halted.
    ///
    /// # Errors
    /// [`NotStarted::Halted`], or the halts cannot be read: then nothing is done either.
    pub(super) async fn unless_halted(&self, targets: &[&Target]) -> Result<(), NotStarted> {
        if self.action.spec().safety == Safety::ReadOnly || self.is_shadow() {
            return Ok(());
        }
        let ports = &self.worker.ports;
        let now = ports.clock.now();
        let all = ports.halts.read(now).await?;
        let effects: Vec<_> = targets.iter().map(|target| self.effect(target)).collect();
        let holds = |halt: &Halt, effect: &Effect| halt.holds(effect, now) && !self.lets_trickle(halt);
        if !effects.iter().any(|effect| all.iter().any(|halt| holds(halt, effect))) {
            return Ok(());
        }
        let all = ports.halts.confirm(now).await?;
        for effect in effects {
            let matching = all.iter().filter(|halt| holds(halt, &effect)).cloned().collect();
            let question = Question { halts: matching, ..Question::new(effect, now) };
            let longest = question.halts.iter().max_by_key(|halt| halt.until);
            if let (verdict @ Verdict::Hold { .. }, Some(halt)) = (decide(&question).verdict, longest) {
                self.worker.observer.decided(self.worker.name(), &verdict);
                let reserved = targets.iter().map(|target| target.key(self.action.spec().name)).collect();
                return Err(NotStarted::Halted { hold: Box::new(halts::hold(halt)), reserved });
            }
        }
        Ok(())
    }

    /// What a halt can name of the effect on `target`.
    fn effect(&self, target: &Target) -> Effect {
        let spec = self.action.spec();
        let effect = Effect::new(spec.name, &self.call.command.context.playbook, &target.id);
        Effect { service: spec.service.to_owned(), ..effect }
    }
}

/// The code of the result that closes the claim of a halted attempt.
const CODE: &str = "halted";
/// The output of that result which has the hold.
const HOLD: &str = "hold";

/// What a halted attempt leaves in its claim.
pub(super) fn to_result(hold: &Hold) -> AttemptResult {
    let output = Map::from_iter([(HOLD.to_owned(), serde_json::json!(hold))]);
    AttemptResult { output, not_applied: true, ..AttemptResult::failed(CODE, &hold.reason) }
}

/// The hold in the result of a closed claim; `None` if its attempt was not halted.
pub(super) fn from_result(result: &AttemptResult) -> Option<Hold> {
    match &result.outcome {
        AttemptOutcome::Failed { code, .. } if code == CODE => {
            serde_json::from_value(result.output.get(HOLD)?.clone()).ok()
        }
        AttemptOutcome::Failed { .. }
        | AttemptOutcome::Succeeded
        | AttemptOutcome::NoOp { .. }
        | AttemptOutcome::Denied { .. }
        | AttemptOutcome::NeedsApproval { .. }
        | AttemptOutcome::CoolingDown { .. }
        | AttemptOutcome::Unavailable { .. }
        | AttemptOutcome::Shadowed { .. }
        | AttemptOutcome::TimedOut { .. }
        | AttemptOutcome::Unknown { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hold() -> Hold {
        let (by, reason) = ("local:anna".to_owned(), "a deployment".to_owned());
        Hold { by, reason, halt: Some("halt-1".to_owned()), until: None }
    }

    #[test]
    fn the_hold_is_in_the_result_that_closes_a_claim_and_in_no_other() {
        let closed = to_result(&hold());
        assert_eq!(from_result(&closed), Some(hold()));
        assert!(closed.not_applied, "whoever cannot read the hold reads a failure that changed nothing");
        let other = AttemptResult { output: closed.output, ..AttemptResult::failed("other", "no") };
        assert_eq!(from_result(&other), None);
    }
}
