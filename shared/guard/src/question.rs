//! Everything that a decision depends on.

use heal_engine::Timestamp;
use heal_engine::id::Digest;
use heal_engine::message::{Approved, Violation};
use serde::{Deserialize, Serialize};

use crate::effect::Effect;
use crate::halt::Halt;

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
    /// When the next place is free, if none was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full_until: Option<Timestamp>,
}
