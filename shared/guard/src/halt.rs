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

#[cfg(test)]
mod tests {
    use super::*;

    /// Each scope with the name `NAME` in it, as a person reads it, and why its effects are held.
    fn scopes(name: &str) -> [(HaltScope, String, String); 7] {
        let (owned, applies_to) = (name.to_owned(), Selector { actions: vec![name.to_owned()], ..Selector::default() });
        let ordered = |kind: &str| (format!("{kind} {name}"), format!("{kind} {name} is halted: wait"));
        let with = |scope, (text, why): (String, String)| (scope, text, why);
        [
            with(HaltScope::All, ("everything".to_owned(), "everything is halted: wait".to_owned())),
            with(HaltScope::Playbook { name: owned.clone() }, ordered("playbook")),
            with(HaltScope::Action { name: owned.clone() }, ordered("action")),
            with(HaltScope::Service { name: owned.clone() }, ordered("service")),
            with(HaltScope::Target { name: owned.clone() }, ordered("target")),
            with(
                HaltScope::Window { name: owned.clone(), applies_to: applies_to.clone() },
                (format!("window {name}"), format!("window {name} is open: wait")),
            ),
            with(
                HaltScope::Dependency { name: owned, applies_to },
                (format!("what depends on {name}"), format!("{name} is sick: wait")),
            ),
        ]
    }

    fn halt(scope: HaltScope, reason: &str) -> Halt {
        let (id, by) = ("halt-1".to_owned(), "local:anna".to_owned());
        Halt { id, scope, since: Timestamp(0), until: Timestamp(9), reason: reason.to_owned(), by, storm: None }
    }

    #[test]
    fn a_scope_holds_the_effects_that_it_names_and_no_others() {
        let effect = |place: usize| {
            let name = |own: usize| if own == place { "named" } else { "other" }.to_owned();
            let (playbook, action, service, target) = (name(1), name(2), name(3), name(4));
            Effect { action, service, playbook, target, ..Effect::default() }
        };
        for (place, (scope, text, _)) in scopes("named").into_iter().enumerate() {
            // Windows and dependencies of this test select by the action.
            let own = if place > 4 { 2 } else { place };
            let held: Vec<_> = (0..=4).filter(|other| scope.holds(&effect(*other))).collect();
            let expected = if scope == HaltScope::All { vec![0, 1, 2, 3, 4] } else { vec![own] };
            assert_eq!(held, expected, "{text}");
        }
    }

    #[test]
    fn a_halt_says_what_is_held_and_why() {
        for (scope, text, why) in scopes("x") {
            assert_eq!((scope.to_string(), halt(scope, "wait").why()), (text, why));
        }
        let window = HaltScope::Window { name: "night".to_owned(), applies_to: Selector::default() };
        assert_eq!(halt(window, "").why(), "window night is open");
    }
}
