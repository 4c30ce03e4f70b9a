//! The services of the platform, and the names of their operations.

use std::fmt;

use crate::{kubernetes, opa, orchestrator, tickets};

/// One service of the stand-in platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Service {
    /// The Execution Ticket Service, HTTP.
    Tickets,
    /// The orchestrator, gRPC.
    Orchestrator,
    /// The pod calls of the Kubernetes API, HTTP.
    Kubernetes,
    /// The policy server, HTTP.
    Opa,
}

impl Service {
    /// Every service, in the order in which they are listed to people.
    pub const ALL: [Self; 4] = [Self::Tickets, Self::Orchestrator, Self::Kubernetes, Self::Opa];

    /// The name in faults, journal and control calls.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tickets => "tickets",
            Self::Orchestrator => "orchestrator",
            Self::Kubernetes => "kubernetes",
            Self::Opa => "opa",
        }
    }

    /// The operations that a fault may name and that the journal reports.
    pub fn operations(self) -> &'static [&'static str] {
        match self {
            Self::Tickets => tickets::OPERATIONS,
            Self::Orchestrator => orchestrator::OPERATIONS,
            Self::Kubernetes => kubernetes::OPERATIONS,
            Self::Opa => opa::OPERATIONS,
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
