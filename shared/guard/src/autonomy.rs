//! How far the engine may go alone with a playbook: what the guardrails say, and what people have set.

use heal_engine::Timestamp;
use heal_engine::autonomy::{Autonomy, AutonomyLevel};
use heal_engine::event::RunOutcome;
use serde::{Deserialize, Serialize};

/// Who is named where the guardrails set the level.
pub const GUARDRAILS: &str = "system:guardrails";

/// Who is named where a level went down by itself.
pub const DEMOTION: &str = "system:demotion";

/// The level of one playbook in the guardrails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AutonomyRule {
    /// The playbook's name.
    pub playbook: String,
    /// Its level.
    pub level: AutonomyLevel,
    /// When it goes down by itself; `None`: by the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub demote: Option<Demote>,
}

/// When the level of a playbook goes down by itself: fewer than `below_percent` of its `of_last` live runs healed.
///
/// A run counts once it has ended `HEALED` or `COMPLETED` (good), or `NOT_HEALED`, `FAILED` or `TIMEOUT` (bad). Every other end says nothing
/// about the remedy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Demote {
    /// 0: never.
    pub below_percent: u32,
    /// Runs that count; with fewer, nothing is decided.
    pub of_last: u32,
}

/// How many of the last runs of a playbook healed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// Those that healed.
    pub good: u32,
    /// All that counted.
    pub of: u32,
}

/// One level that a playbook had by a stored setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AutonomyChange {
    /// The level.
    pub level: AutonomyLevel,
    /// The identity of who set it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When it was set.
    pub since: Timestamp,
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
    /// The levels before it, the newest first; at most [`limit::AUTONOMY_HISTORY`](crate::limit::AUTONOMY_HISTORY).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<AutonomyChange>,
}

impl Default for Demote {
    /// Of ten runs, fewer than five healed: then a person should look before the eleventh.
    fn default() -> Self {
        Self { below_percent: 50, of_last: 10 }
    }
}

impl Demote {
    /// The share of the newest runs that healed, if it is under the bound. `outcomes` are those of the playbook's live runs that have ended,
    /// the newest first.
    pub fn fallen(self, outcomes: impl IntoIterator<Item = RunOutcome>) -> Option<Share> {
        let counted = outcomes.into_iter().filter_map(is_good);
        let last: Vec<bool> = counted.take(usize::try_from(self.of_last).ok()?).collect();
        let count = |runs: usize| u32::try_from(runs).unwrap_or(u32::MAX);
        let share = Share { good: count(last.iter().filter(|good| **good).count()), of: count(last.len()) };
        let is_under = u64::from(share.good) * 100 < u64::from(share.of) * u64::from(self.below_percent);
        (share.of == self.of_last && is_under).then_some(share)
    }
}

/// Whether the remedy helped; `None` if the outcome does not say.
pub const fn is_good(outcome: RunOutcome) -> Option<bool> {
    match outcome {
        RunOutcome::Healed | RunOutcome::Completed => Some(true),
        RunOutcome::NotHealed | RunOutcome::Failed | RunOutcome::Timeout => Some(false),
        RunOutcome::Degraded
        | RunOutcome::Denied
        | RunOutcome::Escalated
        | RunOutcome::Cancelled
        | RunOutcome::Shadowed => None,
    }
}

/// The level below `level`, for a playbook that does not heal; `None` if its runs change nothing by themselves already.
pub const fn lowered(level: AutonomyLevel) -> Option<AutonomyLevel> {
    match level {
        AutonomyLevel::Auto => Some(AutonomyLevel::Approve),
        AutonomyLevel::Approve => Some(AutonomyLevel::Shadow),
        AutonomyLevel::Shadow | AutonomyLevel::Off => None,
    }
}

impl AutonomySetting {
    /// This setting in place of `before`, which becomes its history.
    #[must_use]
    pub fn after(self, before: Option<Self>) -> Self {
        let Some(Self { level, by, reason, since, history, .. }) = before else { return self };
        let before = AutonomyChange { level, by, reason, since };
        let history = std::iter::once(before).chain(history).take(crate::limit::AUTONOMY_HISTORY).collect();
        Self { history, ..self }
    }
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
        let rule = |level| AutonomyRule { playbook: "a".to_owned(), level, demote: None };
        let setting = |level| AutonomySetting {
            playbook: "a".to_owned(),
            level,
            by: "local:ann".to_owned(),
            reason: "because".to_owned(),
            since: Timestamp(5),
            history: Vec::new(),
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

    #[test]
    fn the_share_of_the_last_runs_falls_under_the_bound_only_if_enough_of_them_count() {
        let demote = Demote { below_percent: 50, of_last: 4 };
        let (good, bad, other) = (RunOutcome::Healed, RunOutcome::NotHealed, RunOutcome::Denied);
        for (outcomes, fallen) in [
            (vec![bad, bad, bad], None),
            (vec![bad, bad, bad, other, other], None),
            (vec![bad, other, bad, bad, other, good], Some(Share { good: 1, of: 4 })),
            (vec![bad, bad, good, good, bad, bad], None),
            (vec![bad, bad, bad, bad, good, good], Some(Share { good: 0, of: 4 })),
            (vec![RunOutcome::Completed, good, RunOutcome::Timeout, RunOutcome::Failed], None),
        ] {
            assert_eq!(demote.fallen(outcomes.clone()), fallen, "{outcomes:?}");
        }
        assert_eq!(Demote { below_percent: 0, of_last: 3 }.fallen([bad; 3]), None);
    }

    #[test]
    fn a_level_goes_down_one_at_a_time_and_never_below_shadow() {
        let down: Vec<_> = AutonomyLevel::ALL.map(lowered).into_iter().flatten().collect();
        assert_eq!(down.len(), 2);
        assert_eq!(lowered(AutonomyLevel::Auto).and_then(lowered), Some(AutonomyLevel::Shadow));
        assert_eq!(lowered(AutonomyLevel::Shadow), None);
    }

    #[test]
    fn a_setting_keeps_those_before_it_the_newest_first() {
        let setting = |since| AutonomySetting {
            playbook: "a".to_owned(),
            level: AutonomyLevel::Auto,
            by: "local:ann".to_owned(),
            reason: String::new(),
            since: Timestamp(since),
            history: Vec::new(),
        };
        let all = (1..30).fold(setting(0), |before, since| setting(since).after(Some(before)));
        assert_eq!(all.history.len(), crate::limit::AUTONOMY_HISTORY);
        assert_eq!(
            (all.since, all.history[0].since, all.history[1].since),
            (Timestamp(29), Timestamp(28), Timestamp(27))
        );
    }
}
