//! The canonical JSON of the guardrails, with which functions are deployed, and its digest.

use heal_engine::id::Digest;
use heal_engine::template::Template;

use super::{Budget, Guardrails, KEY_NAMES};
use crate::autonomy::AutonomyRule;
use crate::dependency::DependencyRule;
use crate::limit;
use crate::scope::ScopeRule;
use crate::storm::StormRule;
use crate::window::{Schedule, Window};

/// A text that is not the canonical JSON of usable guardrails.
#[derive(Debug, thiserror::Error)]
pub enum BadGuardrails {
    /// It is not JSON of this shape, or has a bound that this build does not know.
    #[error("guardrails: the text has another shape; compile them with this version of `heal guardrails compile`")]
    Shape(#[source] serde_json::Error),
    /// A number or a list is outside its limits.
    #[error("guardrails: {field} is {observed}, expected {least} to {most}")]
    Outside {
        /// The rule and its key, such as `max of budget restarts`.
        field: String,
        /// What it is, in the unit of the field.
        observed: u64,
        /// The least allowed.
        least: u64,
        /// The most allowed.
        most: u64,
    },
    /// A budget's `key` is not a template over [`KEY_NAMES`].
    #[error("guardrails: the key of budget {budget} cannot be used: {detail}")]
    Key {
        /// The budget's name.
        budget: String,
        /// What is wrong with it.
        detail: String,
    },
    /// A rule contradicts itself.
    #[error("guardrails: {rule} {fault}")]
    Contradiction {
        /// The rule.
        rule: String,
        /// What is wrong with it, as the rest of a sentence.
        fault: &'static str,
    },
}

impl Guardrails {
    /// The canonical text, which the digest is of.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The digest of the canonical text.
    pub fn digest(&self) -> Digest {
        Digest::of(self.to_json().as_bytes())
    }

    /// Reads the canonical text, or any JSON of its shape.
    ///
    /// # Errors
    /// It has another shape, an unknown bound, or a bound outside of [`limit`].
    pub fn from_json(text: &str) -> Result<Self, BadGuardrails> {
        let guardrails: Self = serde_json::from_str(text).map_err(BadGuardrails::Shape)?;
        guardrails.check()?;
        Ok(guardrails)
    }

    fn check(&self) -> Result<(), BadGuardrails> {
        for rule in &self.cooldowns {
            within(|| format!("the cooldown of {}", rule.action), rule.seconds, 0, limit::WINDOW_SECONDS)?;
        }
        within(|| "the number of budgets".to_owned(), self.budgets.len() as u64, 0, limit::BUDGETS as u64)?;
        self.budgets.iter().try_for_each(Budget::check)?;
        for (key, max) in self.admission.live.each() {
            within(|| format!("{key} in admission.live"), max.into(), 1, limit::LIVE_MAX.into())?;
        }
        let live = &self.admission.live;
        let names = live.playbooks.len().max(live.services.len());
        within(|| "the number of names in admission.live".to_owned(), names as u64, 0, limit::LIVE_NAMES as u64)?;
        within(|| "the number of windows".to_owned(), self.windows.len() as u64, 0, limit::WINDOWS as u64)?;
        self.windows.iter().try_for_each(Window::check)?;
        within(|| "the number of rules of scope".to_owned(), self.scope.len() as u64, 0, limit::SCOPE_RULES as u64)?;
        self.scope.iter().try_for_each(ScopeRule::check)?;
        self.autonomy.iter().try_for_each(AutonomyRule::check)?;
        self.storms.0.iter().try_for_each(StormRule::check)?;
        let dependencies = self.dependencies.len() as u64;
        within(|| "the number of dependencies".to_owned(), dependencies, 0, limit::DEPENDENCIES as u64)?;
        self.dependencies.iter().try_for_each(DependencyRule::check)?;
        let repeats = self.repeats;
        let (least, most) = (limit::REPEATS_LEAST, limit::REPEATS);
        within(|| "escalate_at of repeats".to_owned(), repeats.escalate_at.into(), least.into(), most.into())?;
        let least = limit::REPEATS_WINDOW_LEAST_SECONDS;
        within(|| "window_seconds of repeats".to_owned(), repeats.window_seconds, least, limit::WINDOW_SECONDS)
    }
}

impl Budget {
    fn check(&self) -> Result<(), BadGuardrails> {
        let name = &self.name;
        within(|| format!("max of budget {name}"), self.max.into(), 1, limit::BUDGET_MAX.into())?;
        let (least, most) = if self.concurrent { (0, 0) } else { (1, limit::WINDOW_SECONDS) };
        within(|| format!("window_seconds of budget {name}"), self.window_seconds, least, most)?;
        let percent = self.max_percent.unwrap_or(1);
        within(|| format!("max_percent of budget {name}"), percent.into(), 1, limit::PERCENT.into())?;
        let bad_key = |detail: String| BadGuardrails::Key { budget: name.clone(), detail };
        let template = Template::compile(&self.key).map_err(|error| bad_key(error.to_string()))?;
        match template.names().into_iter().find(|name| !KEY_NAMES.contains(&name.as_str())) {
            Some(unknown) => Err(bad_key(format!("unknown name `{unknown}`, the names are {}", KEY_NAMES.join(", ")))),
            None => Ok(()),
        }
    }
}

impl Window {
    fn check(&self) -> Result<(), BadGuardrails> {
        let is_never_open = match &self.schedule {
            Schedule::Daily { from, to, .. } => from == to,
            Schedule::Once { start, end } => start >= end,
        };
        if is_never_open {
            let fault = "is never open: it ends where it starts, or before";
            return Err(BadGuardrails::Contradiction { rule: format!("window {}", self.name), fault });
        }
        let bytes = self.reason.len() as u64;
        within(|| format!("bytes of the reason of window {}", self.name), bytes, 0, limit::REASON_BYTES as u64)
    }
}

impl ScopeRule {
    fn check(&self) -> Result<(), BadGuardrails> {
        if self.opt_out.is_some() == self.opt_in.is_some() {
            let fault = "needs exactly one of opt_out and opt_in";
            return Err(BadGuardrails::Contradiction { rule: "a rule of scope".to_owned(), fault });
        }
        let marks = [&self.opt_out, &self.opt_in].into_iter().flatten();
        let mut bytes = marks.map(|mark| mark.text().len() as u64);
        bytes.try_for_each(|bytes| within(|| "bytes of a mark".to_owned(), bytes, 1, limit::MARK_BYTES as u64))
    }
}

impl AutonomyRule {
    fn check(&self) -> Result<(), BadGuardrails> {
        let Some(demote) = self.demote else { return Ok(()) };
        let field = |key: &str| format!("{key} of the autonomy of {}", self.playbook);
        within(|| field("below_percent"), demote.below_percent.into(), 0, limit::PERCENT.into())?;
        let (least, most) = (limit::DEMOTE_LEAST.into(), limit::DEMOTE_MOST.into());
        within(|| field("of_last"), demote.of_last.into(), least, most)
    }
}

impl DependencyRule {
    fn check(&self) -> Result<(), BadGuardrails> {
        let fault = if self.breaker.is_none() && self.check.is_none() {
            "needs a breaker or a check"
        } else if self.holds.is_everything() {
            "holds everything, also what would heal it"
        } else {
            return Ok(());
        };
        Err(BadGuardrails::Contradiction { rule: format!("dependency {}", self.name), fault })
    }
}

impl StormRule {
    fn check(&self) -> Result<(), BadGuardrails> {
        let Self { service, targets, trickle, window_seconds, quiet_seconds, actions: _ } = self;
        let of = |key: &str| format!("{key} of the storm of {service}");
        if *targets > 0 {
            let (least, most) = (limit::STORM_TARGETS_LEAST.into(), limit::STORM_TARGETS.into());
            within(|| of("targets"), (*targets).into(), least, most)?;
        }
        let (least, most) = (limit::STORM_WINDOW_LEAST_SECONDS, limit::STORM_WINDOW_SECONDS);
        within(|| of("window_seconds"), *window_seconds, least, most)?;
        within(|| of("quiet_seconds"), *quiet_seconds, *window_seconds, most)?;
        within(|| of("trickle"), (*trickle).into(), 0, limit::STORM_TRICKLE.into())
    }
}

fn within(field: impl FnOnce() -> String, observed: u64, least: u64, most: u64) -> Result<(), BadGuardrails> {
    if (least..=most).contains(&observed) {
        return Ok(());
    }
    Err(BadGuardrails::Outside { field: field(), observed, least, most })
}

#[cfg(test)]
mod tests;
