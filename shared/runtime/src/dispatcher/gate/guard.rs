//! What the guard says of the known effects before a run's first one: windows and counters as they stand.
//!
//! A window that denies is certain. A full counter may be free by the time of the effect, so it only warns. What is not known of an effect
//! before it (what is written on its target, a population) has no say here.

use std::sync::Arc;

use heal_engine::gate::{Gate, KnownStep};
use heal_engine::template::{Scope, Template};
use heal_engine::{Plan, State, Timestamp};
use heal_guard::{Budget, Counter, Effect, Guardrails, Question, Verdict, decide};
use serde_json::Value;

use super::GATE_QUESTIONS;
use crate::attempt::EffectVariables;
use crate::halts;
use crate::port::{BudgetKey, CooldownKey, Cooling, Places};

/// The parameters that name the target of an action, the first that is there.
const TARGETS: [&str; 4] = ["ticket_id", "pod_name", "worker_id", "workflow_id"];

/// One effect of a known step.
pub(super) struct KnownEffect<'a> {
    step: &'a KnownStep<'a>,
    effect: Effect,
    pub(super) cooldown: CooldownKey,
    budgets: Vec<(&'a Budget, BudgetKey)>,
}

/// What the store has of one known effect.
pub(super) struct Stored<'a> {
    pub(super) cooldown: Option<Cooling>,
    pub(super) budgets: &'a [Places],
}

/// The effects of the known steps, at most [`GATE_QUESTIONS`].
pub(super) fn known_effects<'a>(
    plan: &Plan,
    state: &State,
    steps: &'a [KnownStep<'a>],
    guardrails: &'a Guardrails,
) -> Vec<KnownEffect<'a>> {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(ToOwned::to_owned);
    let workflow_id = text(state.variables.incident().get("workflow_id")).unwrap_or_default();
    let effect = |step: &KnownStep<'_>, target: String| Effect {
        workflow_id: text(step.parameters.get("workflow_id")).unwrap_or_else(|| workflow_id.clone()),
        service: step.step.spec.service.clone(),
        ..Effect::new(&step.step.spec.kind, &plan.playbook.name, target)
    };
    let effects = steps.iter().flat_map(|step| targets(step).into_iter().map(move |target| (step, target)));
    let known = effects.take(GATE_QUESTIONS).map(|(step, target)| {
        let effect = effect(step, target);
        let cooldown = CooldownKey { action: effect.action.clone(), target: effect.target.clone() };
        // A share of a population may have places where the number alone has none.
        let counted = guardrails.budgets.iter().filter(|it| it.max_percent.is_none() && it.applies_to.admits(&effect));
        let budgets = counted.filter_map(|budget| Some((budget, counter(budget, &effect)?))).collect();
        KnownEffect { step, effect, cooldown, budgets }
    });
    known.collect()
}

fn targets(step: &KnownStep<'_>) -> Vec<String> {
    if let Some(Value::Array(tickets)) = step.parameters.get("affected_tickets") {
        return tickets.iter().filter_map(Value::as_str).map(ToOwned::to_owned).collect();
    }
    let named = TARGETS.iter().find_map(|name| step.parameters.get(*name).and_then(Value::as_str));
    vec![named.unwrap_or_default().to_owned()]
}

/// The counter of `budget` that `effect` counts in; `None` for a key that cannot be rendered: the attempt says so.
pub fn counter(budget: &Budget, effect: &Effect) -> Option<BudgetKey> {
    let scope = Scope::new(Arc::new(EffectVariables(effect.clone())));
    let rendered = Template::compile(&budget.key).ok()?.render(&scope).ok()?;
    let key = rendered.as_str().map_or_else(|| rendered.to_string(), ToOwned::to_owned);
    let in_window = || BudgetKey { name: budget.name.clone(), key: key.clone() };
    Some(if budget.concurrent { BudgetKey::in_flight(&budget.name, key.clone()) } else { in_window() })
}

impl KnownEffect<'_> {
    /// The counters of its budgets.
    pub(super) fn counters(&self) -> impl Iterator<Item = &BudgetKey> {
        self.budgets.iter().map(|(_, key)| key)
    }

    /// Adds to `gate` what the guard says of the effect now.
    pub(super) fn examine(
        &self,
        plan: &Plan,
        guardrails: &Guardrails,
        stored: &Stored<'_>,
        now: Timestamp,
        gate: &mut Gate,
    ) {
        let playbook = &plan.playbook.name;
        // A window that holds the whole run needs no word: the run waits for its end.
        let halts = guardrails.window_halts(now).into_iter().filter(|halt| {
            halt.holds(&self.effect, now) && halts::of_run(std::slice::from_ref(halt), playbook, now).is_none()
        });
        let question = Question {
            halts: halts.collect(),
            windows: guardrails.open_windows(&self.effect, now),
            counters: self.full(stored, now),
            ..Question::new(self.effect.clone(), now)
        };
        let step = &self.step.step.spec.name;
        for reason in decide(&question).reasons {
            match reason.verdict {
                Verdict::Proceed => {}
                Verdict::Deny { .. } => gate.deny(plan, self.step, &reason.text),
                Verdict::Hold { .. } | Verdict::Escalate { .. } | Verdict::NeedsApproval { .. } => {
                    gate.warnings.push(format!("step {step}: {}", reason.text));
                }
            }
        }
        let mut known = std::collections::HashSet::new();
        gate.warnings.retain(|warning| known.insert(warning.clone()));
    }

    /// The counters that are full.
    fn full(&self, stored: &Stored<'_>, now: Timestamp) -> Vec<Counter> {
        let Self { effect, cooldown, budgets, .. } = self;
        let cooling = stored.cooldown.as_ref().filter(|cooling| cooling.until > now).map(|cooling| Counter {
            name: format!("cooldown of {}", effect.action),
            key: cooldown.target.clone(),
            used: 1,
            limit: 1,
            population: None,
            full_until: Some(cooling.until),
        });
        let full = budgets.iter().zip(stored.budgets).filter_map(|((budget, key), places)| {
            let until = places.full_until(budget.max, now)?;
            let (name, key) = (format!("budget {:?}", budget.name), key.key.clone());
            let (used, limit) = (places.taken(now), budget.max);
            Some(Counter { name, key, used, limit, population: None, full_until: Some(until) })
        });
        cooling.into_iter().chain(full).collect()
    }
}
