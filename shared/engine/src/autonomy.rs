//! How far the engine may go alone with one playbook.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What happens with an incident of a playbook. The order is from the strictest level to the freest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AutonomyLevel {
    /// The incident is recorded, and nothing is done.
    Off,
    /// The run reads and decides as a live one, and changes nothing.
    Shadow,
    /// A person approves the run first.
    Approve,
    /// The engine acts alone.
    #[default]
    Auto,
}

/// The level that a run was started at, and who set it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Autonomy {
    /// The level.
    pub level: AutonomyLevel,
    /// The identity of who set it, as `local:anna` or `system:guardrails`.
    pub by: String,
    /// Why, as that person wrote it.
    pub reason: String,
}

/// Whether a run may change its targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunMode {
    /// It may.
    #[default]
    Live,
    /// It may not: each attempt ends just before its effect, and says what it would have done.
    Shadow,
}

impl AutonomyLevel {
    /// Every level, the strictest first.
    pub const ALL: [Self; 4] = [Self::Off, Self::Shadow, Self::Approve, Self::Auto];

    /// The level's word in files, rows and interfaces.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Shadow => "shadow",
            Self::Approve => "approve",
            Self::Auto => "auto",
        }
    }

    /// The level of this word; `None` for another text.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.as_str() == word)
    }
}

impl fmt::Display for AutonomyLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl RunMode {
    /// Whether runs of this mode change nothing.
    pub const fn is_shadow(self) -> bool {
        match self {
            Self::Live => false,
            Self::Shadow => true,
        }
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    pub(crate) const fn is_live(&self) -> bool {
        !self.is_shadow()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_has_one_word_everywhere() {
        for level in AutonomyLevel::ALL {
            let word = serde_json::to_value(level).unwrap();
            assert_eq!(word, level.as_str());
            assert_eq!(word, level.to_string());
            assert_eq!(AutonomyLevel::parse(level.as_str()), Some(level));
        }
        assert_eq!(AutonomyLevel::parse("AUTO"), None);
    }
}
