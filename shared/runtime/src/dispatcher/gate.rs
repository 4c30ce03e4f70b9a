//! The plan gate: before a run's first effect, policy and guard are asked about every effect that is known by then.

use std::sync::Arc;

use futures_util::future::join_all;
use heal_engine::gate::{Gate, KnownStep, known_steps};
use heal_engine::message::Violation;
use heal_engine::{Plan, State, Timestamp};
use heal_guard::Guardrails;
use heal_telemetry::trace;
use serde_json::Value;

use crate::observe::Observer;
use crate::port::{
    self, BudgetKey, ClaimStore, CooldownKey, Cooling, Decision, Peeked, Policy, PolicyContext, PolicyInput,
    PolicyResource, Result,
};
use guard::{KnownEffect, Stored};

mod guard;

pub use guard::counter as budget_counter;

/// Questions to the policy before one run; further targets are asked about only at the point of effect.
pub const GATE_QUESTIONS: usize = 20;

/// Examines a plan before its run starts. It reads cooldowns and budgets, asks the policy, and touches nothing.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "ports are behaviour, there is nothing to print")]
pub struct Gatekeeper {
    /// Asked about every effect that is known.
    pub policy: Arc<dyn Policy>,
    /// Says when a target was last touched, and how full the budgets are.
    pub claims: Arc<dyn ClaimStore>,
    /// The bounds that people set.
    pub guardrails: Arc<Guardrails>,
}

/// One target of a known step.
struct Known<'a> {
    step: &'a KnownStep<'a>,
    resource: PolicyResource,
}

impl Gatekeeper {
    /// What speaks against the plan; `None` if nothing does. `state` is that of the run before its first effect.
    ///
    /// A step that is denied for some of its targets only does not stop the run. A policy that cannot decide stops nothing either: it is asked
    /// again at the point of effect.
    ///
    /// # Errors
    /// The cooldowns or the budgets cannot be read.
    pub(super) async fn examine(
        &self,
        plan: &Plan,
        state: &State,
        now: Timestamp,
        observer: &dyn Observer,
    ) -> Result<Option<Gate>> {
        let steps = known_steps(plan, state);
        let is_asked = |step: &&KnownStep<'_>| {
            let spec = &step.step.spec;
            spec.critical || self.policy.validates(&spec.kind)
        };
        let targets = |step| resources(step).into_iter().map(move |resource| Known { step, resource });
        let known: Vec<_> = steps.iter().filter(is_asked).flat_map(targets).take(GATE_QUESTIONS).collect();
        let effects = guard::known_effects(plan, state, &steps, &self.guardrails);
        let (touched, peeked) = self.peek(&known, &effects, now).await?;
        let mut gate = Gate::default();
        let inputs: Vec<_> =
            known.iter().zip(touched).map(|(known, last)| input(plan, state, known, last, now)).collect();
        let answers = join_all(inputs.iter().map(|input| self.policy.decide(input))).await;
        for (input, answer) in inputs.iter().zip(&answers) {
            observer.policy_decided(input, answer);
            if let Decision::Deny { violations, .. } = answer {
                log_denial(state, input, violations);
            }
        }
        for step in &steps {
            let own = || known.iter().zip(&answers).filter(|(known, _)| std::ptr::eq(known.step, step));
            let denials: Vec<_> = own().filter_map(|(known, answer)| denial(known, answer)).collect();
            match denials.first() {
                Some(why) if denials.len() == own().count() => gate.deny(plan, step, why),
                Some(why) => gate.warnings.push(format!("step {}: {why}", step.step.spec.name)),
                None => {}
            }
        }
        let mut budgets = peeked.budgets.as_slice();
        for (effect, cooldown) in effects.iter().zip(peeked.cooldowns) {
            let (own, others) = budgets.split_at_checked(effect.counters().count()).unwrap_or((budgets, &[]));
            budgets = others;
            let stored = Stored { cooldown, budgets: own };
            effect.examine(plan, &self.guardrails, &stored, now, &mut gate);
        }
        Ok((!gate.is_clear()).then_some(gate))
    }

    /// When each of the known targets was last touched, and what is stored of the effects; by the one read that a run may cost.
    async fn peek(
        &self,
        known: &[Known<'_>],
        effects: &[KnownEffect<'_>],
        now: Timestamp,
    ) -> Result<(Vec<Option<Timestamp>>, Peeked)> {
        let key = |known: &Known<'_>| {
            let target = known.resource.ticket_id.clone();
            (!target.is_empty()).then(|| CooldownKey { action: known.step.step.spec.kind.clone(), target })
        };
        let keys: Vec<_> = known.iter().map(key).collect();
        let named = keys.iter().flatten().cloned();
        let cooldowns: Vec<_> = effects.iter().map(|effect| effect.cooldown.clone()).chain(named).collect();
        let budgets: Vec<BudgetKey> = effects.iter().flat_map(KnownEffect::counters).cloned().collect();
        if cooldowns.iter().all(|key| key.target.is_empty()) && budgets.is_empty() {
            let nothing = Peeked { cooldowns: vec![None; effects.len()], budgets: Vec::new() };
            return Ok((vec![None; known.len()], nothing));
        }
        let mut peeked = self.claims.peek(&cooldowns, &budgets).await?;
        // Of what a wrong clock reserved in the future, the worker asks the store, which puts it right.
        let has_passed = |cooling: Option<Cooling>| cooling.filter(|cooling| port::has_passed(cooling.since, now));
        peeked.cooldowns = peeked.cooldowns.into_iter().map(has_passed).collect();
        let mut touched = peeked.cooldowns.split_off(effects.len().min(peeked.cooldowns.len())).into_iter();
        let since = |cooling: Option<Cooling>| cooling.map(|cooling| cooling.since);
        let touched = keys.into_iter().map(|key| key.and_then(|_| touched.next().flatten()));
        Ok((touched.map(since).collect(), peeked))
    }
}

/// What the policy reads of each target of the step, from the parameters of these names.
fn resources(step: &KnownStep<'_>) -> Vec<PolicyResource> {
    let text = |name: &str| match step.parameters.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(_) | None => String::new(),
    };
    let of = |ticket_id: String| PolicyResource {
        action: step.step.spec.kind.clone(),
        ticket_id,
        workflow_id: text("workflow_id"),
        plan_id: text("plan_id"),
        reason: text("reason"),
        affected_tickets: Vec::new(),
    };
    match step.parameters.get("affected_tickets") {
        Some(Value::Array(tickets)) => tickets.iter().filter_map(Value::as_str).map(|id| of(id.to_owned())).collect(),
        Some(_) | None => vec![of(text("ticket_id"))],
    }
}

fn input(plan: &Plan, state: &State, known: &Known<'_>, last: Option<Timestamp>, now: Timestamp) -> PolicyInput {
    let nanoseconds = |at: Timestamp| at.0.saturating_mul(1_000_000);
    let workflow_id = || state.variables.incident().get("workflow_id").and_then(Value::as_str).unwrap_or_default();
    let mut resource = known.resource.clone();
    if resource.workflow_id.is_empty() {
        workflow_id().clone_into(&mut resource.workflow_id);
    }
    PolicyInput {
        resource,
        context: PolicyContext {
            last_reallocation_timestamp: last.map_or(0, nanoseconds),
            incident_id: state.incident_id.clone(),
            playbook_name: plan.playbook.name.clone(),
            now_ns: nanoseconds(now),
            ..PolicyContext::default()
        },
        traceparent: trace::current().or_else(|| state.traceparent.clone()),
        critical: known.step.step.spec.critical,
    }
}

/// The guide's event of a denial, as the worker logs it.
fn log_denial(state: &State, input: &PolicyInput, violations: &[Violation]) {
    let rules: Vec<_> = violations.iter().map(|violation| violation.rule.as_str()).collect();
    tracing::warn!(
        event = "playbook_executor.opa_validation_denied",
        run_id = %state.run_id,
        incident_id = state.incident_id,
        playbook = input.context.playbook_name,
        action = input.resource.action,
        target_id = input.resource.ticket_id,
        rules = rules.join(","),
        "policy denies the action before the run's first effect"
    );
}

/// Why the target is denied, as a part of a sentence.
fn denial(known: &Known<'_>, answer: &Decision) -> Option<String> {
    let Decision::Deny { violations, .. } = answer else { return None };
    let rules: Vec<_> = violations.iter().map(|violation| format!("{} ({})", violation.msg, violation.rule)).collect();
    let rules = if rules.is_empty() { "the policy names no rule".to_owned() } else { rules.join(", ") };
    Some(match known.resource.ticket_id.as_str() {
        "" => rules,
        ticket_id => format!("ticket {ticket_id}: {rules}"),
    })
}
