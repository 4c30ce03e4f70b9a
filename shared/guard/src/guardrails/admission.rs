//! Admission: how many runs may be live at the same time.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Bounds on the runs that are live at the same time. A run over a bound waits as `PENDING`, and its deadline does not run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Admission {
    /// The bounds on live runs.
    pub live: LiveBounds,
}

/// How many runs may be live at the same time. A shadow run, and one that awaits approval before its first step, do not count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LiveBounds {
    /// Runs of one playbook, unless `playbooks` names it: 1 to [`limit::LIVE_MAX`](crate::limit::LIVE_MAX).
    pub per_playbook: u32,
    /// Runs that may change something at one service, unless `services` names it; in the same limits.
    pub per_service: u32,
    /// Runs of each of these playbooks.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub playbooks: BTreeMap<String, u32>,
    /// Runs that may change something at each of these services.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub services: BTreeMap<String, u32>,
}

impl Default for LiveBounds {
    /// A run of the shipped playbooks takes seconds, so this is ten runs a second and more of one playbook; what exceeds it is a storm, and the
    /// services are spared.
    fn default() -> Self {
        Self { per_playbook: 100, per_service: 200, playbooks: BTreeMap::new(), services: BTreeMap::new() }
    }
}

impl Admission {
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl LiveBounds {
    /// The runs of `playbook` that may be live at the same time.
    pub fn of_playbook(&self, playbook: &str) -> u32 {
        self.playbooks.get(playbook).copied().unwrap_or(self.per_playbook)
    }

    /// The runs that may be live at the same time and change something at `service`.
    pub fn of_service(&self, service: &str) -> u32 {
        self.services.get(service).copied().unwrap_or(self.per_service)
    }

    /// Every bound, with its key.
    pub(super) fn each(&self) -> impl Iterator<Item = (String, u32)> + '_ {
        let general = [("per_playbook".to_owned(), self.per_playbook), ("per_service".to_owned(), self.per_service)];
        let playbooks = self.playbooks.iter().map(|(name, max)| (format!("{name} of playbooks"), *max));
        let services = self.services.iter().map(|(name, max)| (format!("{name} of services"), *max));
        general.into_iter().chain(playbooks).chain(services)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_its_own_bound_and_any_other_the_general_one() {
        let live = LiveBounds {
            playbooks: BTreeMap::from([("restart".to_owned(), 3)]),
            services: BTreeMap::from([("kubernetes".to_owned(), 7)]),
            ..LiveBounds::default()
        };
        assert_eq!((live.of_playbook("restart"), live.of_playbook("replan")), (3, 100));
        assert_eq!((live.of_service("kubernetes"), live.of_service("orchestrator")), (7, 200));
    }
}
