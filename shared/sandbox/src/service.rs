//! The services of the platform, and the names of their operations.

use std::fmt;

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
    /// Every service, in display order.
    pub const ALL: [Self; 4] = [Self::Tickets, Self::Orchestrator, Self::Kubernetes, Self::Opa];

    /// The name in faults, in the journal and on the control port.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tickets => "tickets",
            Self::Orchestrator => "orchestrator",
            Self::Kubernetes => "kubernetes",
            Self::Opa => "opa",
        }
    }

    /// The operations that a fault can name and that the journal records.
    pub fn operations(self) -> &'static [&'static str] {
        match self {
            Self::Tickets => &[
                "get_ticket",
                "list_tickets",
                "reallocate_ticket",
                "update_ticket",
                "update_ticket_status",
                "compensate_ticket",
                "health",
            ],
            Self::Orchestrator => &[
                "AdjustPriorities",
                "RebalanceResources",
                "PauseWorkflow",
                "ResumeWorkflow",
                "TriggerReplanning",
                "GetWorkflowStatus",
                "Check",
            ],
            Self::Kubernetes => &["get_pod", "list_pods", "delete_pod", "version", "readyz"],
            Self::Opa => &["evaluate", "health"],
        }
    }

    /// Whether a call of this operation asks for a change, whatever becomes of it. An operation that the service does not have may be one.
    pub fn is_write(self, operation: &str) -> bool {
        let reads: &[&str] = match self {
            Self::Tickets => &["get_ticket", "list_tickets", "health"],
            Self::Orchestrator => &["GetWorkflowStatus", "Check"],
            Self::Kubernetes => &["get_pod", "list_pods", "version", "readyz"],
            Self::Opa => self.operations(),
        };
        let is_connection = matches!(operation, "connect" | "handshake");
        !is_connection && !reads.contains(&operation)
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
