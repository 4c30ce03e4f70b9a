//! Who is let through: facts, policy and cooldown, each target for itself.

use futures_util::{StreamExt as _, stream};
use heal_engine::Timestamp;
use heal_engine::message::{AttemptOutcome, AttemptResult, Violation};

use super::lease::Lease;
use super::{AttemptError, Worker};
use crate::action::{Call, Target};
use crate::port::{
    BackendError, CooldownKey, CooldownRequest, Decision, PolicyContext, PolicyInput, PolicyResource, Reservation,
};

/// Targets whose facts are read and whose policy is asked at the same time.
const PARALLEL: usize = 10;

/// What was decided for the targets of one attempt.
#[derive(Debug)]
pub(super) struct Admission {
    pub admitted: Vec<Target>,
    pub refused: Vec<(Target, Refusal)>,
    pub warnings: Vec<String>,
    /// How many targets there were.
    pub asked: usize,
}

/// Why a target is left alone.
#[derive(Debug)]
pub(super) enum Refusal {
    Denied(Vec<Violation>),
    CoolingDown(Timestamp),
    /// The facts could not be had, or nobody could decide.
    Ended(AttemptResult),
}

impl Worker {
    pub(super) async fn admit(
        &self,
        call: &Call,
        lease: &Lease,
        targets: Vec<Target>,
    ) -> Result<Admission, AttemptError> {
        let asked = targets.len();
        let last_touched = self.last_touched(lease, &targets).await?;
        let decided = stream::iter(targets.into_iter().zip(last_touched))
            .map(|(target, last)| async move {
                let verdict = self.decide(call, &target, last).await;
                (target, verdict)
            })
            .buffered(PARALLEL)
            .collect::<Vec<_>>()
            .await;
        let mut admission = Admission { admitted: Vec::new(), refused: Vec::new(), warnings: Vec::new(), asked };
        for (target, verdict) in decided {
            match verdict {
                Ok(warning) => {
                    admission.warnings.extend(warning.filter(|warning| !admission.warnings.contains(warning)));
                    admission.admitted.push(target);
                }
                Err(refusal) => admission.refused.push((target, refusal)),
            }
        }
        self.cool(lease, &mut admission).await?;
        Ok(admission)
    }

    /// When each target was last touched, as far as it has a cooldown.
    async fn last_touched(&self, lease: &Lease, targets: &[Target]) -> Result<Vec<Option<Timestamp>>, AttemptError> {
        let keys: Vec<_> =
            targets.iter().filter_map(|target| target.cooldown.as_ref()).map(|cooldown| cooldown.key.clone()).collect();
        if keys.is_empty() {
            return Ok(vec![None; targets.len()]);
        }
        let mut touched = self.ports.claims.last_touched(&keys, lease.key()).await?.into_iter();
        Ok(targets.iter().map(|target| target.cooldown.as_ref().and_then(|_| touched.next().flatten())).collect())
    }

    /// The facts, then the policy. Ok carries the policy's warning.
    async fn decide(
        &self,
        call: &Call,
        target: &Target,
        last_touched: Option<Timestamp>,
    ) -> Result<Option<String>, Refusal> {
        let facts = self.action.facts(call, target).await.map_err(|ended| self.without_facts(call, target, ended))?;
        let critical = self.action.spec().critical;
        if !critical && !self.ports.policy.validates(self.name()) {
            return Ok(None);
        }
        let last = last_touched.max(facts.last_reallocation);
        let input = PolicyInput {
            resource: PolicyResource { action: self.name().to_owned(), ..target.resource.clone() },
            context: PolicyContext {
                last_reallocation_timestamp: last.map_or(0, nanoseconds),
                workflow_state: facts.workflow_state.unwrap_or_default(),
                incident_id: call.command.context.incident_id.clone(),
                playbook_name: call.command.context.playbook.clone(),
                now_ns: nanoseconds(self.ports.clock.now()),
            },
            traceparent: call.command.context.traceparent.clone(),
            critical,
        };
        let decision = self.ports.policy.decide(&input).await;
        self.observer.policy_decided(call, &input, &decision);
        match decision {
            Decision::Allow { warning, .. } => Ok(warning),
            Decision::Deny { violations, .. } => {
                log_denial(call, target, &violations);
                Err(Refusal::Denied(violations))
            }
            Decision::Unavailable { message } => {
                let message = format!("the policy could not be asked, so nothing was done: {message}");
                Err(Refusal::Ended(AttemptResult::transient("policy_unavailable", message)))
            }
        }
    }

    /// Where the facts are out of reach, what was to be done is as well.
    fn without_facts(&self, call: &Call, target: &Target, ended: AttemptResult) -> Refusal {
        if let AttemptOutcome::Unavailable { .. } = ended.outcome {
            self.observer.out_of_reach(call, &target.resource);
        }
        Refusal::Ended(ended)
    }

    /// Reserves the cooldowns of what was admitted; what another attempt has touched meanwhile is refused.
    async fn cool(&self, lease: &Lease, admission: &mut Admission) -> Result<(), AttemptError> {
        let cooldowns = admission.admitted.iter().filter_map(|target| target.cooldown.clone());
        let cooldowns: Vec<_> = cooldowns
            .map(|cooldown| CooldownRequest { key: cooldown.key, cooldown_ms: cooldown.duration_ms })
            .collect();
        if cooldowns.is_empty() {
            return Ok(());
        }
        let now = self.ports.clock.now();
        if now >= lease.until() {
            return Err(
                BackendError::unavailable("reserve", "the claim's lease ran out before anything was done").into()
            );
        }
        match self.ports.claims.reserve(&lease.with(now, cooldowns)).await? {
            Reservation::Held { cooling, .. } => {
                cooling.iter().for_each(|_| self.observer.cooldown_hit(self.name()));
                admission.cool(&cooling);
                Ok(())
            }
            // The claim was lost between the two calls: nothing was done, and whoever holds it now goes on.
            Reservation::Busy { .. } | Reservation::Finished(_) => {
                let lost = "claim was lost before anything was done";
                Err(BackendError::unavailable("reserve", lost).into())
            }
        }
    }
}

impl Admission {
    fn cool(&mut self, cooling: &[(CooldownKey, Timestamp)]) {
        let until = |target: &Target| {
            let key = &target.cooldown.as_ref()?.key;
            cooling.iter().find(|(cooling, _)| cooling == key).map(|(_, until)| *until)
        };
        for target in std::mem::take(&mut self.admitted) {
            match until(&target) {
                None => self.admitted.push(target),
                Some(until) => self.refused.push((target, Refusal::CoolingDown(until))),
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
        "policy refused the action"
    );
}

const fn nanoseconds(at: Timestamp) -> u64 {
    at.0.saturating_mul(1_000_000)
}
