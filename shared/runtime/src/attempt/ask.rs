//! What the policy is asked about one target, and what it answers.

use heal_engine::Timestamp;
use heal_engine::message::{AttemptResult, Violation};
use heal_guard::PolicyAnswer;

use super::NotStarted;
use super::admit::Refusal;
use super::record::Told;
use super::typed::Attempt;
use crate::action::{Action, PolicyFacts, Target};
use crate::port::{self, PolicyContext, PolicyInput, PolicyResource};

impl<A: Action> Attempt<'_, A> {
    /// Time of each target's last reservation that was not released, for the policy; `None` if there was none, or the policy is not told.
    pub(super) async fn last_touched(&self, targets: &[Target]) -> Result<Vec<Option<Timestamp>>, NotStarted> {
        let told = |target: &Target| target.cooldown.as_ref().filter(|cooldown| cooldown.is_policy_fact).cloned();
        let keys: Vec<_> = targets.iter().filter_map(told).map(|cooldown| cooldown.key).collect();
        if keys.is_empty() {
            return Ok(vec![None; targets.len()]);
        }
        let mut touched = self.worker.ports.claims.last_touched(&keys, &self.own_or_taken_over()).await?.into_iter();
        Ok(targets.iter().map(|target| told(target).and_then(|_| touched.next().flatten())).collect())
    }

    /// The policy's answer, its warning, and what it was told, if the action is validated.
    ///
    /// # Errors
    /// Nobody could decide.
    pub(super) async fn ask_policy(
        &self,
        target: &Target,
        facts: PolicyFacts,
        last_touched: Option<Timestamp>,
    ) -> Result<(PolicyAnswer, Option<String>, Told), Refusal> {
        let Self { worker, action, .. } = self;
        let (spec, policy) = (action.spec(), &worker.ports.policy);
        if !spec.critical && !policy.validates(spec.name) {
            return Ok((PolicyAnswer::NotAsked, None, Told::default()));
        }
        let input = self.policy_input(target, facts, last_touched);
        let asked_at = worker.ports.clock.now();
        let decision = policy.decide(&input).await;
        let told = Told::new(&input, worker.ports.clock.now().since_ms(asked_at));
        worker.observer.policy_decided(&input, &decision);
        match decision {
            port::Decision::Allow { source, warning } => {
                Ok((PolicyAnswer::Allow { source: source.as_str().to_owned() }, warning, told))
            }
            port::Decision::Deny { source, violations, warning } => {
                Ok((PolicyAnswer::Deny { source: source.as_str().to_owned(), violations }, warning, told))
            }
            port::Decision::RequireApproval { source, violations, approvers, warning } => {
                let source = source.as_str().to_owned();
                Ok((PolicyAnswer::RequireApproval { source, violations, approvers }, warning, told))
            }
            port::Decision::Unavailable { message } => {
                let message = format!("nothing was done: failed to ask the policy: {message}");
                Err(Refusal::Ended(AttemptResult::transient("policy_unavailable", message)))
            }
        }
    }

    fn policy_input(&self, target: &Target, facts: PolicyFacts, last_touched: Option<Timestamp>) -> PolicyInput {
        let context = &self.call.command.context;
        let now = self.worker.ports.clock.now();
        // A touch in the future says nothing to a policy; the reservation, which is put right, guards the target.
        let last = last_touched.max(facts.last_reallocation).filter(|at| port::has_passed(*at, now));
        PolicyInput {
            resource: PolicyResource { action: self.worker.name().to_owned(), ..target.resource.clone() },
            context: PolicyContext {
                last_reallocation_timestamp: last.map_or(0, nanoseconds),
                workflow_state: facts.workflow_state.unwrap_or_default(),
                ticket_status: facts.ticket_status.unwrap_or_default(),
                incident_id: context.incident_id.clone(),
                playbook_name: context.playbook.clone(),
                now_ns: nanoseconds(now),
            },
            traceparent: context.traceparent.clone(),
            critical: self.action.spec().critical,
        }
    }
}

/// Logs that people are asked about a target.
pub(super) fn log_approval_required(target: &Target, violations: &[Violation], approvers: &[String]) {
    let rules: Vec<_> = violations.iter().map(|violation| violation.rule.as_str()).collect();
    tracing::info!(
        event = "policy.approval_required",
        target_id = target.id,
        rules = rules.join(","),
        approvers = approvers.join(","),
        "an approval is needed"
    );
}

const fn nanoseconds(at: Timestamp) -> u64 {
    at.0.saturating_mul(1_000_000)
}
