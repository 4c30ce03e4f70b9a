//! Everything that a decision depends on.

use heal_engine::Timestamp;
use heal_engine::id::Digest;
use heal_engine::message::{Approved, Violation};
use serde::{Deserialize, Serialize};

use crate::effect::Effect;
use crate::halt::Halt;
use crate::scope::OutOfScope;
use crate::window::{OpenWindow, WindowKind};

/// The input of a decision. It is recorded as it was asked, so a decision can be made again from the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// What is to be done.
    pub effect: Effect,
    /// When it was asked.
    pub now: Timestamp,
    /// The digest of the guardrails in force; `None` where none were given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guardrails: Option<Digest>,
    /// The halts that match the effect.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub halts: Vec<Halt>,
    /// The windows that are open for the effect, but for those that hold it: they are halts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<OpenWindow>,
    /// The rules of scope that keep the target out of reach.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub out_of_scope: Vec<OutOfScope>,
    /// The policy's answer.
    #[serde(default)]
    pub policy: PolicyAnswer,
    /// The digest of what is to be done, which an approval has to be for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters_digest: Option<Digest>,
    /// What people have approved, if they were asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved: Option<Approved>,
    /// The cooldowns and budgets that the effect counts in, as the store answered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub counters: Vec<Counter>,
}

impl Question {
    /// A question in which nothing speaks against `effect`.
    pub const fn new(effect: Effect, now: Timestamp) -> Self {
        Self {
            effect,
            now,
            guardrails: None,
            halts: Vec::new(),
            windows: Vec::new(),
            out_of_scope: Vec::new(),
            policy: PolicyAnswer::NotAsked,
            parameters_digest: None,
            approved: None,
            counters: Vec::new(),
        }
    }

    /// The approval, if it is for exactly what is to be done.
    pub fn valid_approval(&self) -> Option<&Approved> {
        self.approved.as_ref().filter(|approved| Some(&approved.digest) == self.parameters_digest.as_ref())
    }

    /// Whether one of `approvers` has approved exactly what is to be done.
    pub(crate) fn is_approved_by(&self, approvers: &[String]) -> bool {
        self.valid_approval().is_some_and(|approved| approved.is_by_one_of(approvers))
    }

    /// The rules that ask for an approval which is not given yet: the policy's, and those of open windows.
    pub fn asking(&self) -> Vec<Violation> {
        let policy = match &self.policy {
            PolicyAnswer::RequireApproval { violations, approvers, .. } if !self.is_approved_by(approvers) => {
                violations.as_slice()
            }
            PolicyAnswer::RequireApproval { .. }
            | PolicyAnswer::NotAsked
            | PolicyAnswer::Allow { .. }
            | PolicyAnswer::Deny { .. } => &[],
        };
        let asks = |window: &&OpenWindow| window.kind == WindowKind::Ask && !self.is_approved_by(&window.approvers);
        policy.iter().cloned().chain(self.windows.iter().filter(asks).map(OpenWindow::violation)).collect()
    }
}

/// What the policy said.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum PolicyAnswer {
    /// It was not asked: the action is not validated, or another part had spoken before.
    #[default]
    NotAsked,
    /// The effect may happen.
    Allow {
        /// Who decided, such as `server` or `bundled`.
        source: String,
    },
    /// The effect must not happen.
    Deny {
        /// Who decided.
        source: String,
        /// The broken rules.
        violations: Vec<Violation>,
    },
    /// The effect may happen if people approve it.
    RequireApproval {
        /// Who decided.
        source: String,
        /// The rules that ask for it.
        violations: Vec<Violation>,
        /// The groups that may approve; empty: everybody but the requester.
        approvers: Vec<String>,
    },
}

impl PolicyAnswer {
    /// The rules that speak against the effect, or ask for an approval.
    pub fn violations(&self) -> &[Violation] {
        match self {
            Self::NotAsked | Self::Allow { .. } => &[],
            Self::Deny { violations, .. } | Self::RequireApproval { violations, .. } => violations,
        }
    }
}

/// A cooldown or a budget after the store was asked to reserve a place in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counter {
    /// The rule, as `cooldown of restart_pod` or `budget "restarts"`.
    pub name: String,
    /// What the rule counts by, rendered.
    pub key: String,
    /// Places taken in the window, this effect's not included.
    pub used: u32,
    /// Places that there are.
    pub limit: u32,
    /// The population whose share is allowed; `None` if the limit is a number alone, or the population is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub population: Option<Population>,
    /// When the next place is free, if none was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full_until: Option<Timestamp>,
}

/// A population that a budget allows a share of, as it was counted just before the effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Population {
    /// The share that is allowed.
    pub percent: u32,
    /// How many there are.
    pub of: u32,
}

impl Population {
    /// The share in whole places, rounded down.
    pub fn places(self) -> u32 {
        let places = u64::from(self.of) * u64::from(self.percent) / 100;
        u32::try_from(places).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(name: &str) -> Violation {
        let [policy, rule, msg, severity] = ["heal", name, "not today", "high"].map(ToOwned::to_owned);
        Violation { policy, rule, msg, severity }
    }

    #[test]
    fn the_policy_asks_until_one_of_its_approvers_has_approved() {
        let (source, approvers) = ("server".to_owned(), vec!["local:anna".to_owned()]);
        let policy = PolicyAnswer::RequireApproval { source, violations: vec![rule("night")], approvers };
        let digest = Digest::of(b"this");
        let effect = Effect::new("restart_pod", "p", "worker-1");
        for (by, asks) in [("local:ben", true), ("local:anna", false)] {
            let (by, groups) = (vec![by.to_owned()], Vec::new());
            let approved = Some(Approved { digest: digest.clone(), by, groups });
            let (policy, parameters_digest) = (policy.clone(), Some(digest.clone()));
            let question =
                Question { policy, parameters_digest, approved, ..Question::new(effect.clone(), Timestamp(1)) };
            assert_eq!(question.asking(), if asks { vec![rule("night")] } else { vec![] });
        }
        let question = Question { policy, ..Question::new(effect, Timestamp(1)) };
        assert_eq!(question.asking(), [rule("night")]);
    }

    #[test]
    fn the_policy_names_rules_only_where_it_denies_or_asks() {
        let (source, violations) = (|| "server".to_owned(), || vec![rule("night")]);
        let asks = PolicyAnswer::RequireApproval { source: source(), violations: violations(), approvers: Vec::new() };
        let denies = PolicyAnswer::Deny { source: source(), violations: violations() };
        for (answer, named) in
            [(asks, 1), (denies, 1), (PolicyAnswer::Allow { source: source() }, 0), (PolicyAnswer::NotAsked, 0)]
        {
            assert_eq!(answer.violations().len(), named, "{answer:?}");
        }
    }
}
