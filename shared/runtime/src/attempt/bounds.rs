//! What bounds an effect: the cooldown of its target, and the budgets that it counts in.

use std::sync::Arc;

use heal_engine::Timestamp;
use heal_engine::catalog::{ActionSpec, Safety};
use heal_engine::template::{Scope, Template, TemplateError};
use heal_guard::limit::BUDGET_MAX;
use heal_guard::{Budget, Counter, Digest, Effect, Guardrails, Halt, Marks, Population, Question};

use super::LEASE_MS;
use super::storm;
use super::variables::EffectVariables;
use crate::action::{Call, Target};
use crate::port::{BudgetKey, BudgetRequest, BudgetUse, CooldownKey, CooldownRequest};

/// The bounds of one action, with the keys of its budgets compiled.
#[derive(Debug)]
pub(super) struct Bounds {
    guardrails: Arc<Guardrails>,
    digest: Digest,
    budgets: Vec<(Budget, Template)>,
}

/// What the effect on one target counts in.
#[derive(Debug, Clone)]
pub(crate) struct Counted {
    pub effect: Effect,
    /// What the store names the target.
    pub key: CooldownKey,
    pub cooldown: Option<CooldownRequest>,
    pub budgets: Vec<BudgetRequest>,
    /// The shares that its budgets allow, in percent.
    pub shares: Vec<Share>,
}

/// What a budget allows of a population.
#[derive(Debug, Clone)]
pub(crate) struct Share {
    key: BudgetKey,
    percent: u32,
    /// `None` while it is not counted, or if it cannot be.
    of: Option<u32>,
}

/// What a store answered about all targets of an attempt.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub cooling: Vec<(CooldownKey, Timestamp)>,
    pub budgets: Vec<BudgetUse>,
}

impl Bounds {
    /// # Errors
    /// The key of a budget is not a template; names the budget.
    pub(super) fn compile(guardrails: &Arc<Guardrails>, spec: &ActionSpec) -> Result<Self, String> {
        let applies = |budget: &&Budget| {
            let actions = &budget.applies_to.actions;
            spec.safety != Safety::ReadOnly && (actions.is_empty() || actions.iter().any(|name| name == spec.name))
        };
        let compile = |budget: &Budget| {
            let key = Template::compile(&budget.key).map_err(|error| format!("budget {:?}: {error}", budget.name))?;
            Ok((budget.clone(), key))
        };
        let budgets = guardrails.budgets.iter().filter(applies).map(compile).collect::<Result<_, String>>()?;
        Ok(Self { digest: guardrails.digest(), guardrails: Arc::clone(guardrails), budgets })
    }

    /// The question about an effect that `marks` are written on the target of. What only reads is in every scope, and no window is for it.
    pub(super) fn question(&self, spec: &ActionSpec, effect: &Effect, marks: &Marks, now: Timestamp) -> Question {
        let question = Question { guardrails: Some(self.digest.clone()), ..Question::new(effect.clone(), now) };
        if spec.safety == Safety::ReadOnly {
            return question;
        }
        let windows = self.guardrails.open_windows(effect, now);
        Question { windows, out_of_scope: self.guardrails.out_of_scope(effect, marks), ..question }
    }

    /// What an effect on `target` counts in.
    ///
    /// # Errors
    /// The key of a budget cannot be rendered.
    pub(super) fn count(
        &self,
        spec: &ActionSpec,
        call: &Call,
        target: &Target,
        storms: &[Halt],
    ) -> Result<Counted, TemplateError> {
        let context = &call.command.context;
        let effect = Effect {
            action: spec.name.to_owned(),
            service: spec.service.to_owned(),
            playbook: context.playbook.clone(),
            target: target.id.clone(),
            workflow_id: context.workflow_id.clone().unwrap_or_default(),
        };
        let own = target.cooldown.as_ref();
        let key = target.key(spec.name);
        if spec.safety == Safety::ReadOnly {
            return Ok(Counted { effect, key, cooldown: None, budgets: Vec::new(), shares: Vec::new() });
        }
        let cooldown_ms = self.guardrails.cooldown_ms(spec.name, own.map(|own| own.duration_ms));
        let cooldown = cooldown_ms.map(|cooldown_ms| CooldownRequest { key: key.clone(), cooldown_ms });
        let (mut budgets, mut shares) = (Vec::new(), Vec::new());
        for (budget, template) in self.budgets.iter().filter(|(budget, _)| budget.applies_to.admits(&effect)) {
            let rendered = template.render(&Scope::new(Arc::new(EffectVariables(effect.clone()))))?;
            let rendered = rendered.as_str().map_or_else(|| rendered.to_string(), ToOwned::to_owned);
            let (counter, window_ms) = if budget.concurrent {
                // After a crash nobody frees the place: it is taken for as long as the attempt may last, and a lease.
                let longest_ms = call.deadline.since_ms(call.started_at);
                (BudgetKey::in_flight(&budget.name, rendered), longest_ms.saturating_add(LEASE_MS))
            } else {
                let counter = BudgetKey { name: budget.name.clone(), key: rendered };
                (counter, budget.window_seconds.saturating_mul(1_000))
            };
            shares.extend(budget.max_percent.map(|percent| Share { key: counter.clone(), percent, of: None }));
            let max = budget.max.clamp(1, BUDGET_MAX);
            budgets.push(BudgetRequest { target: key.clone(), key: counter, max, window_ms });
        }
        // Asked last: whatever else refuses the target takes no place of the trickle.
        budgets.extend(storms.iter().find_map(|halt| storm::place(halt, &key)));
        Ok(Counted { effect, key, cooldown, budgets, shares })
    }
}

impl Counted {
    /// Whether nothing is to be reserved.
    pub(crate) const fn is_free(&self) -> bool {
        self.cooldown.is_none() && self.budgets.is_empty()
    }

    /// Lets the budgets that allow a share of the population have as many places as that is, if it is more than their number.
    pub(super) fn allow_share_of(&mut self, population: Option<u32>) {
        for share in &mut self.shares {
            share.of = population;
            let Some(population) = share.population() else { continue };
            for request in self.budgets.iter_mut().filter(|request| request.key == share.key) {
                request.max = request.max.max(population.places().min(BUDGET_MAX));
            }
        }
    }

    /// Whether the counter that is full is a budget, and not the cooldown; `None` if none is.
    pub(super) fn budget_is_full(&self, counters: &[Counter]) -> Option<bool> {
        let full = counters.iter().position(|counter| counter.full_until.is_some())?;
        Some(full > 0 || self.cooldown.is_none())
    }

    /// The counters as the store answered, the cooldown first; a counter that was not asked is left out.
    pub(super) fn counters(&self, answer: &Answer) -> Vec<Counter> {
        let cooldown = self.cooldown.as_ref().map(|_| {
            let full_until = answer.cooling.iter().find(|(key, _)| *key == self.key).map(|(_, until)| *until);
            let (used, key) = (u32::from(full_until.is_some()), self.key.target.clone());
            Counter {
                name: format!("cooldown of {}", self.effect.action),
                key,
                used,
                limit: 1,
                population: None,
                full_until,
            }
        });
        let budgets = self.budgets.iter().filter_map(|request| {
            let asked = |asked: &&BudgetUse| asked.target == request.target && asked.key == request.key;
            let BudgetUse { used, full_until, .. } = *answer.budgets.iter().find(asked)?;
            let (name, key) = (request.key.budget(), request.key.key.clone());
            let what = if request.key.is_in_flight() { " in flight" } else { "" };
            let population = self.shares.iter().find(|share| share.key == request.key).and_then(Share::population);
            let name = storm::counter_name(name).unwrap_or_else(|| format!("budget {name:?}{what}"));
            Some(Counter { name, key, used, limit: request.max, population, full_until })
        });
        cooldown.into_iter().chain(budgets).collect()
    }
}

impl Share {
    fn population(&self) -> Option<Population> {
        let Self { percent, of, .. } = *self;
        of.map(|of| Population { percent, of })
    }
}

#[cfg(test)]
mod tests;
