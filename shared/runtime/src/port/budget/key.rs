//! The name of a budget's counter.

use crate::port::CooldownKey;

/// The beginning of the names of counters whose places are free at the end of their attempt. The name of a budget has no `/`.
const IN_FLIGHT: &str = "in-flight/";

/// Names the counter of one budget.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BudgetKey {
    /// The budget's name.
    pub name: String,
    /// What the budget counts by, rendered; empty if there is one counter for all.
    pub key: String,
}

impl BudgetKey {
    /// The counter of the effects that are in flight: a place in it is free once the attempt has ended, whatever its result.
    pub fn in_flight(budget: &str, key: String) -> Self {
        Self { name: format!("{IN_FLIGHT}{budget}"), key }
    }

    /// Whether it counts effects in flight.
    pub fn is_in_flight(&self) -> bool {
        self.name.starts_with(IN_FLIGHT)
    }

    /// The budget's name.
    pub fn budget(&self) -> &str {
        self.name.strip_prefix(IN_FLIGHT).unwrap_or(&self.name)
    }

    /// Whether the end of an attempt frees its place for `target`.
    pub fn is_freed(&self, target: &CooldownKey, proven_not_applied: &[CooldownKey]) -> bool {
        self.is_in_flight() || proven_not_applied.contains(target)
    }
}
