//! What the guard answers.

use heal_engine::Timestamp;
use heal_engine::message::Violation;
use serde::{Deserialize, Serialize};

/// The guard's answer, with the reason of every part that had a say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// What has to happen.
    pub verdict: Verdict,
    /// Of every part that was asked, in the order of [`Part`].
    pub reasons: Vec<Reason>,
}

/// What has to happen with an effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// It may happen.
    Proceed,
    /// Not now: nothing is lost, and everything is decided anew later.
    Hold {
        /// When it is worth asking again; `None` if only a person knows.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// Not in this run.
    Deny {
        /// The broken rules; empty if the policy named none.
        rules: Vec<Violation>,
    },
    /// Not by the engine: a person has to look.
    Escalate {
        /// Why, as a sentence.
        why: String,
    },
    /// Only if people approve exactly this.
    NeedsApproval {
        /// The groups that may approve; empty: everybody but the requester.
        who: Vec<String>,
    },
}

impl Verdict {
    /// Of two verdicts the greater one decides.
    pub(crate) const fn rank(&self) -> u8 {
        match self {
            Self::Proceed => 0,
            Self::NeedsApproval { .. } => 1,
            Self::Escalate { .. } => 2,
            Self::Deny { .. } => 3,
            Self::Hold { .. } => 4,
        }
    }

    /// The verdict's word in logs and metrics.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Proceed => "proceed",
            Self::Hold { .. } => "hold",
            Self::Deny { .. } => "deny",
            Self::Escalate { .. } => "escalate",
            Self::NeedsApproval { .. } => "needs_approval",
        }
    }
}

/// The parts of a decision, in the order in which they are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The kill switch, and the windows that hold.
    Switches,
    /// The windows that deny or ask.
    Windows,
    /// What is written on the target.
    Scope,
    /// The policy, by a server or in process.
    Policy,
    /// What people have approved.
    Approvals,
    /// Cooldowns and budgets.
    Counters,
}

/// What one part says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// The part that speaks.
    pub part: Part,
    /// What it wants.
    pub verdict: Verdict,
    /// Why, as a sentence.
    pub text: String,
}
