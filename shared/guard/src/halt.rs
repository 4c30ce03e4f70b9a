//! The kill switch: a person's order that some effects, or all, do not happen for a time.

use std::fmt;

use heal_engine::Timestamp;
use serde::{Deserialize, Serialize};

use crate::effect::Effect;
use crate::guardrails::Selector;
use crate::storm::Storm;

/// An order to stop. It ends by the clock: a row that is still stored after `until` halts nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Halt {
    /// Unique among the halts of a home.
    pub id: String,
    /// What is halted.
    pub scope: HaltScope,
    /// When it was ordered.
    pub since: Timestamp,
    /// When it ends by itself.
    pub until: Timestamp,
    /// Why, as a person wrote it.
    pub reason: String,
    /// The identity of who ordered it.
    pub by: String,
    /// If the engine itself found a storm; `None` for the order of a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storm: Option<Storm>,
}

/// The effects that a halt holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "scope", rename_all = "snake_case")]
pub enum HaltScope {
    /// Every effect.
    All,
    /// Those of runs of one playbook.
    Playbook {
        /// The playbook's name.
        name: String,
    },
    /// Those of one action.
    Action {
        /// The action's name.
        name: String,
    },
    /// Those of the actions that call one service.
    Service {
        /// The service's name.
        name: String,
    },
    /// Those on one target, by whichever action.
    Target {
        /// What people call the target.
        name: String,
    },
    /// Those of an open window of the guardrails. Nobody orders it, and no store keeps it.
    Window {
        /// The window's name.
        name: String,
        /// The effects that it is for.
        applies_to: Selector,
    },
    /// Those that depend on a service that is sick. The engine orders it, by a rule of the guardrails.
    Dependency {
        /// The rule's name.
        name: String,
        /// The effects that depend on it.
        applies_to: Selector,
    },
}

impl HaltScope {
    /// Whether `effect` is halted.
    pub fn holds(&self, effect: &Effect) -> bool {
        match self {
            Self::All => true,
            Self::Playbook { name } => *name == effect.playbook,
            Self::Action { name } => *name == effect.action,
            Self::Service { name } => *name == effect.service,
            Self::Target { name } => *name == effect.target,
            Self::Window { applies_to, .. } | Self::Dependency { applies_to, .. } => applies_to.admits(effect),
        }
    }
}

impl fmt::Display for HaltScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("everything"),
            Self::Playbook { name } => write!(f, "playbook {name}"),
            Self::Action { name } => write!(f, "action {name}"),
            Self::Service { name } => write!(f, "service {name}"),
            Self::Target { name } => write!(f, "target {name}"),
            Self::Window { name, .. } => write!(f, "window {name}"),
            Self::Dependency { name, .. } => write!(f, "what depends on {name}"),
        }
    }
}

impl Halt {
    /// Whether `effect` must not happen at `now`.
    pub fn holds(&self, effect: &Effect, now: Timestamp) -> bool {
        now < self.until && self.scope.holds(effect)
    }

    /// What is held, and why.
    pub fn why(&self) -> String {
        let Self { scope, reason, .. } = self;
        match scope {
            HaltScope::Window { name, .. } if reason.is_empty() => format!("window {name} is open"),
            HaltScope::Window { name, .. } => format!("window {name} is open: {reason}"),
            HaltScope::Dependency { name, .. } => format!("{name} is sick: {reason}"),
            HaltScope::All
            | HaltScope::Playbook { .. }
            | HaltScope::Action { .. }
            | HaltScope::Service { .. }
            | HaltScope::Target { .. } => format!("{scope} is halted: {reason}"),
        }
    }
}
