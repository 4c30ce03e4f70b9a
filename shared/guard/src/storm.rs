//! Storms: so many targets of one service are sick at once that the fault is elsewhere, and healing each of them does harm.

use heal_engine::{RunId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::halt::{Halt, HaltScope};

/// The identity by which the engine itself halts a service.
pub const STORM_BY: &str = "system:storm";

/// When healing of one service is held, and how much of it goes on meanwhile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StormRule {
    /// The service, as `ActionSpec::service` names it.
    pub service: String,
    /// The actions that change something of the service: a run counts if its playbook has a step of one of them.
    pub actions: Vec<String>,
    /// Distinct targets in a window that are a storm; 0: never.
    pub targets: u32,
    /// Seconds of the window.
    pub window_seconds: u64,
    /// Seconds without a new target after which the storm is over; at least the window.
    pub quiet_seconds: u64,
    /// Effects on the service in each window while the storm lasts.
    pub trickle: u32,
}

/// The rules of all services that have one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Storms(pub Vec<StormRule>);

/// What makes a halt a storm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Storm {
    /// The escalated run that stands for the storm: to acknowledge it ends the storm.
    pub run_id: RunId,
    /// Distinct targets seen so far.
    pub targets: u32,
    /// Effects on the service in each window.
    pub trickle: u32,
    /// Milliseconds of the window.
    pub window_ms: u64,
}

impl StormRule {
    /// The rule of workers that are pods: 5 sick ones within 5 minutes are hardly 5 faults, so one is restarted every 5 minutes until no
    /// further one has been sick for 10 minutes.
    fn workers() -> Self {
        Self {
            service: "kubernetes".to_owned(),
            actions: vec!["restart_pod".to_owned()],
            targets: 5,
            window_seconds: 300,
            quiet_seconds: 600,
            trickle: 1,
        }
    }

    /// The rule of a service of which a file says only some keys.
    pub fn new(service: &str, actions: Vec<String>) -> Self {
        Self { service: service.to_owned(), actions, ..Self::workers() }
    }
}

impl Default for Storms {
    /// Only pods: a ticket or a workflow is work, and many of them at once are a busy hour and not a sick service.
    fn default() -> Self {
        Self(vec![StormRule::workers()])
    }
}

impl Storms {
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// The rules that can find a storm.
    pub fn active(&self) -> impl Iterator<Item = &StormRule> {
        self.0.iter().filter(|rule| rule.targets > 0)
    }
}

impl Halt {
    /// Whether this is the storm of `service`, and lasts at `now`.
    pub fn is_storm_of(&self, service: &str, now: Timestamp) -> bool {
        let is_of_service = matches!(&self.scope, HaltScope::Service { name } if name == service);
        self.storm.is_some() && is_of_service && now < self.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pods_have_a_storm_by_default_and_a_rule_without_targets_finds_none() {
        let mut storms = Storms::default();
        let services: Vec<_> = storms.active().map(|rule| rule.service.clone()).collect();
        assert_eq!(services, ["kubernetes"]);
        storms.0[0].targets = 0;
        assert_eq!(storms.active().count(), 0);
        assert!(!storms.is_default());
    }

    #[test]
    fn a_halt_is_the_storm_of_its_own_service_while_it_lasts() {
        let storm = Storm { run_id: RunId::new("run-1"), targets: 5, trickle: 1, window_ms: 300_000 };
        let halt = |scope, storm| {
            let [id, reason, by] = ["halt-1", "5 targets", STORM_BY].map(ToOwned::to_owned);
            Halt { id, scope, since: Timestamp(0), until: Timestamp(9), reason, by, storm }
        };
        let service = || HaltScope::Service { name: "kubernetes".to_owned() };
        let is_storm = |halt: &Halt, now| halt.is_storm_of("kubernetes", Timestamp(now));
        let of_service = halt(service(), Some(storm.clone()));
        assert_eq!([0, 8, 9, 10].map(|now| is_storm(&of_service, now)), [true, true, false, false]);
        assert!(!of_service.is_storm_of("orchestrator", Timestamp(0)));
        assert!(!is_storm(&halt(service(), None), 0));
        assert!(!is_storm(&halt(HaltScope::All, Some(storm)), 0));
    }
}
