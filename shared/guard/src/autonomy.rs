//! How far the engine may go alone with a playbook: what the guardrails say, and what people have set.

use heal_engine::Timestamp;
use heal_engine::autonomy::{Autonomy, AutonomyLevel};
use serde::{Deserialize, Serialize};

/// Who is named where the guardrails set the level.
pub const GUARDRAILS: &str = "system:guardrails";

/// The level of one playbook in the guardrails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AutonomyRule {
    /// The playbook's name.
    pub playbook: String,
    /// Its level.
    pub level: AutonomyLevel,
}

/// The level of one playbook as it was set by command, in the stored setting that every process reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AutonomySetting {
    /// The playbook's name.
    pub playbook: String,
    /// Its level.
    pub level: AutonomyLevel,
    /// The identity of who set it.
    pub by: String,
    /// Why, as that person wrote it.
    pub reason: String,
    /// When it was set.
    pub since: Timestamp,
}

/// The level that counts for `playbook`: of the rule in the guardrails and the stored setting the stricter one, and of two equal ones the
/// setting, which has the better reason. `None` if there is neither: then the engine acts alone.
///
/// So a person can lower a playbook at once, and what the file of guardrails forbids no command allows.
pub fn level_of(playbook: &str, rules: &[AutonomyRule], setting: Option<&AutonomySetting>) -> Option<Autonomy> {
    let of_playbook = rules.iter().filter(|rule| rule.playbook == playbook);
    let rule = of_playbook.map(|rule| rule.level).min().map(|level| Autonomy {
        level,
        by: GUARDRAILS.to_owned(),
        reason: "the guardrails hold it at this level".to_owned(),
    });
    let set =
        setting.filter(|setting| setting.playbook == playbook).map(|AutonomySetting { level, by, reason, .. }| {
            Autonomy { level: *level, by: by.clone(), reason: reason.clone() }
        });
    set.into_iter().chain(rule).min_by_key(|autonomy| autonomy.level)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stricter_of_rule_and_setting_counts() {
        let rule = |level| AutonomyRule { playbook: "a".to_owned(), level };
        let setting = |level| AutonomySetting {
            playbook: "a".to_owned(),
            level,
            by: "local:ann".to_owned(),
            reason: "because".to_owned(),
            since: Timestamp(5),
        };
        let own = |level| Autonomy { level, by: "local:ann".to_owned(), reason: "because".to_owned() };
        assert_eq!(level_of("a", &[], None), None);
        assert_eq!(level_of("b", &[rule(AutonomyLevel::Off)], Some(&setting(AutonomyLevel::Off))), None);
        for set in AutonomyLevel::ALL {
            assert_eq!(level_of("a", &[], Some(&setting(set))), Some(own(set)));
            for ruled in AutonomyLevel::ALL {
                let found = level_of("a", &[rule(AutonomyLevel::Auto), rule(ruled)], Some(&setting(set))).unwrap();
                assert_eq!(found.level, set.min(ruled), "{set} {ruled}");
                assert_eq!(found.by == GUARDRAILS, ruled < set, "{set} {ruled}");
            }
        }
    }
}
