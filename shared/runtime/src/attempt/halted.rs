//! The kill switch at the point of effect.

use heal_engine::catalog::Safety;
use heal_guard::{Effect, Question, Verdict, decide};

use super::NotStarted;
use super::typed::Attempt;
use crate::action::{Action, Target};
use crate::halts;

impl<A: Action> Attempt<'_, A> {
    /// Nothing, unless a halt holds the effect on one of the targets: then the attempt as a whole is held, the other targets too. An action
    /// that only reads is not halted.
    ///
    /// # Errors
    /// [`NotStarted::Halted`], or the halts cannot be read: then nothing is done either.
    pub(super) async fn unless_halted(&self, targets: impl IntoIterator<Item = &Target>) -> Result<(), NotStarted> {
        if self.action.spec().safety == Safety::ReadOnly {
            return Ok(());
        }
        let ports = &self.worker.ports;
        let now = ports.clock.now();
        let all = ports.halts.read(now).await?;
        let effects: Vec<_> = targets.into_iter().map(|target| self.effect(target)).collect();
        if !effects.iter().any(|effect| all.iter().any(|halt| halt.holds(effect, now))) {
            return Ok(());
        }
        let all = ports.halts.confirm(now).await?;
        for effect in effects {
            let matching = all.iter().filter(|halt| halt.holds(&effect, now)).cloned().collect();
            let question = Question { halts: matching, ..Question::new(effect, now) };
            let longest = question.halts.iter().max_by_key(|halt| halt.until);
            if let (Verdict::Hold { .. }, Some(halt)) = (decide(&question).verdict, longest) {
                return Err(NotStarted::Halted(Box::new(halts::hold(halt))));
            }
        }
        Ok(())
    }

    fn effect(&self, target: &Target) -> Effect {
        let (spec, context) = (self.action.spec(), &self.call.command.context);
        Effect {
            service: spec.service.to_owned(),
            workflow_id: context.workflow_id.clone().unwrap_or_default(),
            ..Effect::new(spec.name, &context.playbook, &target.id)
        }
    }
}
