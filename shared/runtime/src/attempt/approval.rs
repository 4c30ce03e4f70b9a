//! Whether people have approved what the policy asks about.

use heal_engine::message::Violation;
use heal_guard::{Effect, PolicyAnswer, Question, Verdict, decide};

use super::admit::{Admission, Refusal};
use super::typed::Attempt;
use crate::action::{Action, Target};
use crate::port::DecisionSource;

impl<F> Admission<F> {
    /// Whether people have to be asked before anything is done.
    pub(super) fn needs_approval(&self) -> bool {
        self.refused.iter().any(|(_, refusal)| matches!(refusal, Refusal::NeedsApproval { .. }))
    }
}

impl<A: Action> Attempt<'_, A> {
    /// Whether the command carries the approval that the policy asks for, for exactly its parameters.
    pub(super) fn is_approved(
        &self,
        target: &Target,
        source: DecisionSource,
        violations: &[Violation],
        approvers: &[String],
    ) -> bool {
        let command = &self.call.command;
        let effect = Effect::new(self.worker.name(), &command.context.playbook, &target.id);
        let mut question = Question::new(effect, self.worker.ports.clock.now());
        question.policy = PolicyAnswer::RequireApproval {
            source: source.as_str().to_owned(),
            violations: violations.to_vec(),
            approvers: approvers.to_vec(),
        };
        question.parameters_digest = Some(command.parameters_digest.clone());
        question.approved.clone_from(&command.approved);
        let is_approved = decide(&question).verdict == Verdict::Proceed;
        if !is_approved {
            let rules: Vec<_> = violations.iter().map(|violation| violation.rule.as_str()).collect();
            tracing::info!(
                event = "policy.approval_required",
                target_id = target.id,
                rules = rules.join(","),
                approvers = approvers.join(","),
                "the policy asks for an approval"
            );
        }
        is_approved
    }
}
