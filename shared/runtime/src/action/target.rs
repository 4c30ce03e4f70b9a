//! What an attempt touches, and what is read of it first.

use heal_engine::Timestamp;
use heal_guard::Marks;

use crate::port::{CooldownKey, PolicyResource};

/// One thing that an attempt touches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// What people call it, such as the ticket's id.
    pub id: String,
    /// What the policy reads of it. The driver fills in `action`.
    pub resource: PolicyResource,
    /// How long it is left alone afterwards; `None` if it is not, unless the guardrails say so.
    pub cooldown: Option<Cooldown>,
}

impl Target {
    /// A target without a cooldown.
    pub fn new(id: impl Into<String>, resource: PolicyResource) -> Self {
        Self { id: id.into(), resource, cooldown: None }
    }

    /// What the store names the target of `action`.
    pub(crate) fn key(&self, action: &str) -> CooldownKey {
        let own = self.cooldown.as_ref().map(|cooldown| cooldown.key.clone());
        own.unwrap_or_else(|| CooldownKey { action: action.to_owned(), target: self.id.clone() })
    }

    /// The target with a cooldown.
    #[must_use]
    pub fn cooling(self, cooldown: Cooldown) -> Self {
        Self { cooldown: Some(cooldown), ..self }
    }
}

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

/// What was read of one target at the point of effect.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts<F> {
    /// For the policy.
    pub policy: PolicyFacts,
    /// What is written on the target, for the rules of scope.
    pub marks: Marks,
    /// The target by the id that its service answers, if that is another one than was given, such as the same letters in lower case: cooldowns
    /// and budgets go by it.
    pub answered: Option<Target>,
    /// For the action itself, in `perform`.
    pub own: F,
}

impl<F> From<F> for Facts<F> {
    /// Nothing for the policy, nothing written on the target, and the id as it was given.
    fn from(own: F) -> Self {
        Self { policy: PolicyFacts::default(), marks: Marks::default(), answered: None, own }
    }
}

/// What the policy has to know of a target besides its [`PolicyResource`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PolicyFacts {
    /// Bare, such as `PAUSED`.
    pub workflow_state: Option<String>,
    /// In upper case, such as `COMPLETED`.
    pub ticket_status: Option<String>,
    /// When the service itself says that the target was last reallocated, if it says so.
    pub last_reallocation: Option<Timestamp>,
}

/// A target that the guard let proceed, with the facts that the action read of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted<F> {
    /// The target.
    pub target: Target,
    /// What [`Action::facts`](super::Action::facts) read.
    pub facts: F,
}
