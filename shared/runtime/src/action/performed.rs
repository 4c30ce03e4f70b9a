//! How the effect ended, and which targets it is proven not to have touched.

use std::collections::HashSet;

use heal_engine::message::AttemptResult;

use super::Admitted;
use crate::attempt::Counted;
use crate::port::CooldownKey;

/// The outcome of `perform`.
#[derive(Debug, Clone, PartialEq)]
pub struct Performed {
    /// The attempt's result.
    pub result: AttemptResult,
    /// Ids of targets whose effect is proven not to have happened: their cooldowns and their places in budgets are freed.
    pub proven_not_applied: Vec<String>,
}

impl Performed {
    /// A result of a call on one target that is proven not to have taken effect.
    pub fn not_applied(target: impl Into<String>, result: AttemptResult) -> Self {
        Self { result, proven_not_applied: vec![target.into()] }
    }

    fn proven(&self) -> HashSet<&str> {
        self.proven_not_applied.iter().map(String::as_str).collect()
    }

    /// Those of `targets` that are proven untouched and have something reserved, by the names that the store has for them.
    pub(crate) fn untouched<F>(&self, targets: &[Admitted<F>], counted: &[Counted]) -> Vec<CooldownKey> {
        let proven = self.proven();
        let both = targets.iter().zip(counted).filter(|(one, _)| proven.contains(one.target.id.as_str()));
        both.filter(|(_, counted)| !counted.is_free()).map(|(_, counted)| counted.key.clone()).collect()
    }

    /// Whether the effect on each of `targets` is proven not to have happened.
    pub(crate) fn is_untouched<F>(&self, targets: &[Admitted<F>]) -> bool {
        let proven = self.proven();
        targets.iter().all(|admitted| proven.contains(admitted.target.id.as_str()))
    }
}

impl From<AttemptResult> for Performed {
    /// Every target counts as touched.
    fn from(result: AttemptResult) -> Self {
        Self { result, proven_not_applied: Vec::new() }
    }
}
