//! Which targets are admitted: facts, policy and cooldown, each target for itself.

use std::collections::{HashMap, HashSet};

use futures_util::{StreamExt as _, stream};
use heal_engine::Timestamp;
use heal_engine::message::{AttemptOutcome, AttemptResult, Violation};

use super::NotStarted;
use super::effect::cooldown_requests;
use super::typed::Attempt;
use crate::action::{Action, Admitted, Call, PolicyFacts, Target};
use crate::observe::Prevented;
use crate::port::{BackendError, CooldownKey, Decision, PolicyContext, PolicyInput, PolicyResource, Reservation};

/// Targets whose facts are read and whose policy is asked at the same time.
const PARALLEL: usize = 10;

/// What was decided for the targets of one attempt.
#[derive(Debug)]
pub(super) struct Admission<F> {
    pub admitted: Vec<Admitted<F>>,
    pub refused: Vec<(Target, Refusal)>,
    /// The policy's, each once.
    pub warnings: Vec<String>,
    /// How many targets there were.
    pub asked: usize,
}

/// Why a target is left alone.
#[derive(Debug)]
pub(super) enum Refusal {
    Denied(Vec<Violation>),
    /// People have to be asked first.
    NeedsApproval {
        violations: Vec<Violation>,
        approvers: Vec<String>,
    },
    CoolingDown(Timestamp),
    /// The facts could not be read, or the policy could not be asked.
    Ended(AttemptResult),
}

impl<A: Action> Attempt<'_, A> {
    pub(super) async fn admit(&self, targets: Vec<Target>) -> Result<Admission<A::Facts>, NotStarted> {
        let asked = targets.len();
        let last_touched = self.last_touched(&targets).await?;
        let decided = stream::iter(targets.into_iter().zip(last_touched))
            .map(|(target, last)| async move {
                let verdict = self.decide(&target, last).await;
                (target, verdict)
            })
            .buffered(PARALLEL)
            .collect::<Vec<_>>()
            .await;
        let mut admission = Admission { admitted: Vec::new(), refused: Vec::new(), warnings: Vec::new(), asked };
        let mut known = HashSet::new();
        for (target, verdict) in decided {
            match verdict {
                Ok((facts, warning)) => {
                    admission.warnings.extend(warning.filter(|warning| known.insert(warning.clone())));
                    admission.admitted.push(Admitted { target, facts });
                }
                Err(refusal) => admission.refused.push((target, refusal)),
            }
        }
        // One approval is for all that the command is to do: without it nothing is done, not even a part.
        if !admission.needs_approval() {
            self.reserve_cooldowns(&mut admission).await?;
        }
        Ok(admission)
    }

    /// Time of each target's last reservation that was not released; `None` if there was none, or it has no cooldown.
    async fn last_touched(&self, targets: &[Target]) -> Result<Vec<Option<Timestamp>>, NotStarted> {
        let keys: Vec<_> =
            targets.iter().filter_map(|target| target.cooldown.as_ref()).map(|cooldown| cooldown.key.clone()).collect();
        if keys.is_empty() {
            return Ok(vec![None; targets.len()]);
        }
        let mut touched = self.worker.ports.claims.last_touched(&keys, self.lease.key()).await?.into_iter();
        Ok(targets.iter().map(|target| target.cooldown.as_ref().and_then(|_| touched.next().flatten())).collect())
    }

    /// Reads the facts, then asks the policy. Ok carries the action's facts and the policy's warning.
    async fn decide(
        &self,
        target: &Target,
        last_touched: Option<Timestamp>,
    ) -> Result<(A::Facts, Option<String>), Refusal> {
        let Self { worker, action, call, parameters, .. } = self;
        let facts = action.facts(call, parameters, target).await;
        let facts = facts.map_err(|ended| self.without_facts(target, ended))?;
        let (spec, policy) = (action.spec(), &worker.ports.policy);
        if !spec.critical && !policy.validates(spec.name) {
            return Ok((facts.own, None));
        }
        let input = self.policy_input(target, facts.policy, last_touched);
        let decision = policy.decide(&input).await;
        worker.observer.policy_decided(&input, &decision);
        match decision {
            Decision::Allow { warning, .. } => Ok((facts.own, warning)),
            Decision::Deny { violations, .. } => {
                self.observe_prevented(target, Prevented::Denied);
                log_denial(call, target, &violations);
                // The guide looks for the action's own event, whoever found the target in a terminal state.
                let rules = violations.iter().map(|violation| format!("{} ({})", violation.rule, violation.msg));
                let message = format!("denied by policy: {}", rules.collect::<Vec<_>>().join(", "));
                self.log_failed([target], &message);
                Err(Refusal::Denied(violations))
            }
            Decision::RequireApproval { source, violations, approvers, warning } => {
                if self.is_approved(target, source, &violations, &approvers) {
                    return Ok((facts.own, warning));
                }
                Err(Refusal::NeedsApproval { violations, approvers })
            }
            Decision::Unavailable { message } => {
                let message = format!("nothing was done: failed to ask the policy: {message}");
                Err(Refusal::Ended(AttemptResult::transient("policy_unavailable", message)))
            }
        }
    }

    fn policy_input(&self, target: &Target, facts: PolicyFacts, last_touched: Option<Timestamp>) -> PolicyInput {
        let context = &self.call.command.context;
        let last = last_touched.max(facts.last_reallocation);
        PolicyInput {
            resource: PolicyResource { action: self.worker.name().to_owned(), ..target.resource.clone() },
            context: PolicyContext {
                last_reallocation_timestamp: last.map_or(0, nanoseconds),
                workflow_state: facts.workflow_state.unwrap_or_default(),
                ticket_status: facts.ticket_status.unwrap_or_default(),
                incident_id: context.incident_id.clone(),
                playbook_name: context.playbook.clone(),
                now_ns: nanoseconds(self.worker.ports.clock.now()),
            },
            traceparent: context.traceparent.clone(),
            critical: self.action.spec().critical,
        }
    }

    /// A service that cannot be read cannot be changed either.
    fn without_facts(&self, target: &Target, ended: AttemptResult) -> Refusal {
        if let AttemptOutcome::Unavailable { .. } = ended.outcome {
            self.observe_prevented(target, Prevented::Unavailable);
        }
        Refusal::Ended(ended)
    }

    fn observe_prevented(&self, target: &Target, why: Prevented) {
        if let Some(metric) = self.action.call_metric(self.parameters, target) {
            self.worker.observer.call_prevented(&metric, why);
        }
    }

    /// Reserves the cooldowns of the admitted targets, and refuses those that another attempt has touched meanwhile.
    async fn reserve_cooldowns(&self, admission: &mut Admission<A::Facts>) -> Result<(), NotStarted> {
        let cooldowns = cooldown_requests(admission.admitted.iter().map(|admitted| &admitted.target));
        if cooldowns.is_empty() {
            return Ok(());
        }
        let Self { worker, lease, .. } = self;
        let now = worker.ports.clock.now();
        if now >= lease.until() {
            return Err(
                BackendError::unavailable("reserve", "the claim's lease expired before anything was done").into()
            );
        }
        match worker.ports.claims.reserve(&lease.with(now, cooldowns)).await? {
            Reservation::Held { cooling, .. } => {
                self.refuse_cooling(admission, cooling);
                Ok(())
            }
            // The claim was lost between the two calls: nothing was done, and its present holder goes on.
            Reservation::Busy { .. } | Reservation::Finished(_) => {
                Err(BackendError::unavailable("reserve", "the claim was lost before anything was done").into())
            }
        }
    }

    fn refuse_cooling(&self, admission: &mut Admission<A::Facts>, cooling: Vec<(CooldownKey, Timestamp)>) {
        cooling.iter().for_each(|_| self.worker.observer.cooldown_hit(self.worker.name()));
        let cooling: HashMap<_, _> = cooling.into_iter().collect();
        for admitted in std::mem::take(&mut admission.admitted) {
            let key = admitted.target.cooldown.as_ref().map(|cooldown| &cooldown.key);
            match key.and_then(|key| cooling.get(key)) {
                None => admission.admitted.push(admitted),
                Some(until) => {
                    let refusal = Refusal::CoolingDown(*until);
                    self.log_failed([&admitted.target], &refusal.to_string());
                    admission.refused.push((admitted.target, refusal));
                }
            }
        }
    }
}

fn log_denial(call: &Call, target: &Target, violations: &[Violation]) {
    let rules: Vec<_> = violations.iter().map(|violation| violation.rule.as_str()).collect();
    let command = &call.command;
    tracing::warn!(
        event = "playbook_executor.opa_validation_denied",
        run_id = %command.run_id,
        incident_id = command.context.incident_id,
        playbook = command.context.playbook,
        step = command.step,
        action = command.action,
        attempt = command.attempt,
        trace_id = command.context.trace_id(),
        target_id = target.id,
        rules = rules.join(","),
        "policy denied the action"
    );
}

const fn nanoseconds(at: Timestamp) -> u64 {
    at.0.saturating_mul(1_000_000)
}
