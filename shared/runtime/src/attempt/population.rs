//! The population that a budget allows a share of, counted just before the effect.

use std::collections::HashMap;

use super::bounds::Counted;
use super::typed::Attempt;
use crate::action::Action;

impl<A: Action> Attempt<'_, A> {
    /// Counts the population that the budgets of the target allow a share of, once an attempt for each.
    pub(super) async fn allow_shares(
        &self,
        counted: &mut Counted,
        facts: &A::Facts,
        populations: &mut HashMap<String, Option<u32>>,
    ) {
        if counted.shares.is_empty() {
            return;
        }
        let Some(name) = self.action.population(facts) else { return };
        let population = if let Some(known) = populations.get(&name) {
            *known
        } else {
            let found = self.action.count_population(self.call, facts).await;
            if found.is_none() {
                tracing::warn!(population = name, "failed to count a population: budgets allow their number alone");
            }
            populations.insert(name, found);
            found
        };
        counted.allow_share_of(population);
    }
}
