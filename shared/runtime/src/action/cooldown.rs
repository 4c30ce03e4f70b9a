//! How long a target is left alone.

use crate::port::CooldownKey;

/// A target is left alone for this long after an effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cooldown {
    /// What the reservation is stored under.
    pub key: CooldownKey,
    /// Milliseconds from the effect's end, unless the guardrails name the action.
    pub duration_ms: u64,
    /// Whether the policy is told when the target was last reserved, which costs a read.
    pub is_policy_fact: bool,
}

impl Cooldown {
    /// A cooldown of `action` that the policy is not told of.
    pub fn new(action: &str, target: impl Into<String>, duration_ms: u64) -> Self {
        let key = CooldownKey { action: action.to_owned(), target: target.into() };
        Self { key, duration_ms, is_policy_fact: false }
    }
}
