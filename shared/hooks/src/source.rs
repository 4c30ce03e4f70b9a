//! Who sends alerts.

use serde::{Deserialize, Serialize};

/// A kind of sender; each has a path of its own, `/hooks/NAME`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// Prometheus' Alertmanager, webhook version 4.
    Alertmanager,
    /// Grafana's alerting, which sends what Alertmanager does and more.
    Grafana,
    /// `PagerDuty`'s webhooks, version 3.
    Pagerduty,
    /// `CloudEvents` 1.0 over HTTP: structured, batched or binary.
    Cloudevents,
    /// Any JSON object.
    Generic,
}

impl Source {
    /// Every source, in the order of the docs.
    pub const ALL: [Self; 5] = [Self::Alertmanager, Self::Grafana, Self::Pagerduty, Self::Cloudevents, Self::Generic];

    /// Its name, as in the path and in the mapping file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Alertmanager => "alertmanager",
            Self::Grafana => "grafana",
            Self::Pagerduty => "pagerduty",
            Self::Cloudevents => "cloudevents",
            Self::Generic => "generic",
        }
    }

    /// The source of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.as_str() == name)
    }

    /// Whether its deliveries can carry a signature over their body.
    pub const fn can_sign(self) -> bool {
        match self {
            Self::Grafana | Self::Pagerduty | Self::Cloudevents | Self::Generic => true,
            Self::Alertmanager => false,
        }
    }

    /// Whether its deliveries say themselves which alert they are about and whether that is over. The rules say it for the others.
    pub const fn has_fingerprints(self) -> bool {
        match self {
            Self::Alertmanager | Self::Grafana | Self::Pagerduty => true,
            Self::Cloudevents | Self::Generic => false,
        }
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
