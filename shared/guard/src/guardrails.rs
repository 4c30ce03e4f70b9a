//! The guardrails: the bounds that people set, as plain data with every default filled in.
//!
//! `heal-language` reads them from `guardrails.yaml`; functions are deployed with their canonical JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::autonomy::{AutonomyRule, Demote};
use crate::dependency::DependencyRule;
use crate::effect::Effect;
use crate::scope::ScopeRule;
use crate::storm::Storms;
use crate::window::Window;

mod admission;
mod text;

pub use admission::{Admission, LiveBounds};
pub use text::BadGuardrails;

/// The names that the template of a budget's `key` may use. An unknown workflow is an empty text.
pub const KEY_NAMES: [&str; 5] = ["action", "service", "playbook", "target", "workflow_id"];

/// All bounds of a home. The default is safe: no file at all, or an empty one, means exactly this.
///
/// A text with a bound that this build does not know is refused: a bound that is silently ignored would be worse than none.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Guardrails {
    /// Cooldowns per target that differ from the action's own; of two for one action the last counts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cooldowns: Vec<CooldownRule>,
    /// Bounds on the number of effects in a window.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub budgets: Vec<Budget>,
    /// When the same remedy for the same target is handed to a person.
    pub repeats: Repeats,
    /// Who may approve.
    #[serde(skip_serializing_if = "Approvals::is_default")]
    pub approvals: Approvals,
    /// How far a playbook may act by itself, at most one rule a playbook; `auto` where none names it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub autonomy: Vec<AutonomyRule>,
    /// How many runs may be live at the same time.
    #[serde(skip_serializing_if = "Admission::is_default")]
    pub admission: Admission,
    /// Times in which effects are held, denied, or need an approval.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<Window>,
    /// Which targets are in reach, by what is written on them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scope: Vec<ScopeRule>,
    /// When so many targets of a service are sick that the fault is elsewhere.
    #[serde(skip_serializing_if = "Storms::is_default")]
    pub storms: Storms,
    /// What waits while something that it depends on is sick.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dependencies: Vec<DependencyRule>,
}

/// How long a target is left alone by one action after an effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CooldownRule {
    /// The action's name.
    pub action: String,
    /// Seconds from the effect's end; 0: no cooldown.
    pub seconds: u64,
}

/// At most `max` effects in every window of `window_seconds`, or at any one time, per rendered key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// Unique among the budgets; names the counter's rows, so a renamed budget starts to count anew.
    pub name: String,
    /// The effects that count.
    #[serde(default, skip_serializing_if = "Selector::is_everything")]
    pub applies_to: Selector,
    /// A template over [`KEY_NAMES`]; an empty text: one counter for all.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub key: String,
    /// Effects in a window: 1 to [`limit::BUDGET_MAX`](crate::limit::BUDGET_MAX).
    pub max: u32,
    /// The share of the target's population, in percent, that is allowed where that is more than `max`: of the pods of its controller, or of
    /// the tickets of its workflow. `None`: `max` alone counts, as it does where the population is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_percent: Option<u32>,
    /// Seconds of a window; 0 if it counts what is in flight.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub window_seconds: u64,
    /// Whether it counts the effects that are in flight, each until its attempt ends, instead of those in a window.
    #[serde(default, skip_serializing_if = "is_false")]
    pub concurrent: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// Which effects a rule is for; an empty list admits all.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Selector {
    /// Names of actions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<String>,
    /// Names of playbooks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub playbooks: Vec<String>,
    /// Names of services.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<String>,
}

/// The runs of one playbook on one target are counted whatever their outcome. The run that would be number `escalate_at` in the window ends
/// `ESCALATED` before any effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Repeats {
    /// At least 2.
    pub escalate_at: u32,
    /// Seconds of the window.
    pub window_seconds: u64,
}

/// Who may approve what the engine must not do by itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Approvals {
    /// The members of each group, as identities `KIND:NAME` such as `local:anna`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub groups: BTreeMap<String, Vec<String>>,
}

impl Approvals {
    fn is_default(&self) -> bool {
        self.groups.is_empty()
    }
}

impl Default for Repeats {
    /// Two tries in an hour; the third incident about the same target goes to a person.
    fn default() -> Self {
        Self { escalate_at: 3, window_seconds: 3_600 }
    }
}

impl Selector {
    /// Whether every effect is admitted.
    pub const fn is_everything(&self) -> bool {
        self.actions.is_empty() && self.playbooks.is_empty() && self.services.is_empty()
    }

    /// Whether `effect` is admitted.
    pub fn admits(&self, effect: &Effect) -> bool {
        let has = |wanted: &[String], found: &str| wanted.is_empty() || wanted.iter().any(|name| name == found);
        has(&self.actions, &effect.action)
            && has(&self.playbooks, &effect.playbook)
            && has(&self.services, &effect.service)
    }
}

impl Guardrails {
    /// Milliseconds for which `action` leaves a target alone; `own_ms` where no rule names the action.
    pub fn cooldown_ms(&self, action: &str, own_ms: Option<u64>) -> Option<u64> {
        let rule = self.cooldowns.iter().rev().find(|rule| rule.action == action);
        rule.map_or(own_ms, |rule| Some(rule.seconds.saturating_mul(1_000))).filter(|ms| *ms > 0)
    }

    /// When the level of `playbook` goes down by itself.
    pub fn demotion(&self, playbook: &str) -> Demote {
        let rule = self.autonomy.iter().find(|rule| rule.playbook == playbook);
        rule.and_then(|rule| rule.demote).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_actions_own_cooldown_holds_unless_a_rule_names_the_action() {
        let rule = |seconds| CooldownRule { action: "restart_pod".to_owned(), seconds };
        let of = |cooldowns: Vec<CooldownRule>, own_ms| {
            Guardrails { cooldowns, ..Guardrails::default() }.cooldown_ms("restart_pod", own_ms)
        };
        assert_eq!(of(vec![], None), None);
        assert_eq!(of(vec![], Some(5)), Some(5));
        assert_eq!(of(vec![rule(60), rule(90)], Some(5)), Some(90_000));
        assert_eq!(of(vec![rule(0)], Some(5)), None);
    }

    #[test]
    fn a_playbook_is_lowered_by_its_own_rule_and_any_other_by_the_default() {
        let demote = Demote { below_percent: 40, of_last: 20 };
        let rule = |playbook: &str, demote| {
            let level = heal_engine::autonomy::AutonomyLevel::Auto;
            AutonomyRule { playbook: playbook.to_owned(), level, demote }
        };
        let rails = Guardrails { autonomy: vec![rule("a", None), rule("b", Some(demote))], ..Guardrails::default() };
        let found = ["a", "b", "c"].map(|playbook| rails.demotion(playbook));
        assert_eq!(found, [Demote::default(), demote, Demote::default()]);
    }
}
