//! What is looked at.

use serde::{Deserialize, Serialize};

use crate::catalog::OutputType;

/// What a check looks at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Probe {
    /// One HTTP exchange; the target is the URL.
    Http(Http),
    /// The standard health service of gRPC (`grpc.health.v1`); the target is the server, or one service of it.
    GrpcHealth(GrpcHealth),
    /// Tickets that should have ended; each is a target.
    OverdueTickets(OverdueTickets),
    /// Workflows that make no progress; each is a target.
    StuckWorkflows(StuckWorkflows),
    /// A service that the engine itself depends on, as the engine is configured to reach it.
    Dependency(Dependency),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    pub url: String,
    pub method: Method,
    /// The statuses that are well.
    pub expect_status: Vec<u16>,
    /// What the answer's body has to contain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect_body_contains: Option<String>,
    pub timeout_seconds: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    Get,
    Head,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrpcHealth {
    pub host: String,
    pub port: u16,
    /// One service of the server; empty: the server as a whole.
    pub service: String,
    /// Mutual TLS with the engine's own identity.
    pub tls: bool,
    /// The SPIFFE ID that the server has to have; none: the one that the orchestrator has to have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spiffe_id: Option<String>,
    pub timeout_seconds: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OverdueTickets {
    /// One of [`TICKET_STATUSES`].
    pub status: String,
    /// How far past its time a ticket may be.
    pub overdue_seconds: u64,
    /// Overdue tickets that one look reports.
    pub limit: u32,
    pub timeout_seconds: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StuckWorkflows {
    /// Empty: those of the tickets that are RUNNING.
    pub workflow_ids: Vec<String>,
    /// One of [`WORKFLOW_STATES`].
    pub state: String,
    /// How long a workflow in that state may go without a change.
    pub stuck_seconds: u64,
    /// Workflows that one look asks about.
    pub limit: u32,
    pub timeout_seconds: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dependency {
    pub service: Service,
    pub timeout_seconds: u64,
}

/// The services that the engine depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Service {
    TicketService,
    Orchestrator,
    Opa,
}

/// What tickets can be looked for by (contracts, section 1).
pub const TICKET_STATUSES: [&str; 6] = ["PENDING", "RUNNING", "COMPLETED", "FAILED", "COMPENSATING", "COMPENSATED"];

/// The states that a workflow can be stuck in: those that are not its end (contracts, section 2).
pub const WORKFLOW_STATES: [&str; 4] = ["PENDING", "RUNNING", "PAUSED", "REPLANNING"];

/// The word that a check file names a probe by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProbeKind {
    Http,
    GrpcHealth,
    OverdueTickets,
    StuckWorkflows,
    Dependency,
}

impl Service {
    pub const ALL: [Self; 3] = [Self::TicketService, Self::Orchestrator, Self::Opa];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TicketService => "ticket_service",
            Self::Orchestrator => "orchestrator",
            Self::Opa => "opa",
        }
    }
}

impl Method {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
        }
    }
}

impl Probe {
    pub const fn kind(&self) -> ProbeKind {
        match self {
            Self::Http(_) => ProbeKind::Http,
            Self::GrpcHealth(_) => ProbeKind::GrpcHealth,
            Self::OverdueTickets(_) => ProbeKind::OverdueTickets,
            Self::StuckWorkflows(_) => ProbeKind::StuckWorkflows,
            Self::Dependency(_) => ProbeKind::Dependency,
        }
    }

    /// Of one look.
    pub const fn timeout_seconds(&self) -> u64 {
        match self {
            Self::Http(Http { timeout_seconds, .. })
            | Self::GrpcHealth(GrpcHealth { timeout_seconds, .. })
            | Self::OverdueTickets(OverdueTickets { timeout_seconds, .. })
            | Self::StuckWorkflows(StuckWorkflows { timeout_seconds, .. })
            | Self::Dependency(Dependency { timeout_seconds, .. }) => *timeout_seconds,
        }
    }
}

impl ProbeKind {
    pub const ALL: [Self; 5] =
        [Self::Http, Self::GrpcHealth, Self::OverdueTickets, Self::StuckWorkflows, Self::Dependency];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::GrpcHealth => "grpc_health",
            Self::OverdueTickets => "overdue_tickets",
            Self::StuckWorkflows => "stuck_workflows",
            Self::Dependency => "dependency",
        }
    }

    /// What templates read as `target.FIELD`. Every target of the kind has every one of them, `null` where it is not known.
    pub const fn fields(self) -> &'static [(&'static str, OutputType)] {
        match self {
            Self::Http => &[("id", OutputType::String), ("url", OutputType::String), ("status", OutputType::Any)],
            Self::GrpcHealth => &[
                ("id", OutputType::String),
                ("address", OutputType::String),
                ("service", OutputType::String),
                ("status", OutputType::Any),
            ],
            Self::OverdueTickets => &[
                ("id", OutputType::String),
                ("ticket_id", OutputType::String),
                ("status", OutputType::String),
                ("worker_id", OutputType::Any),
                ("workflow_id", OutputType::Any),
                ("plan_id", OutputType::Any),
                ("started_at", OutputType::Any),
                ("deadline", OutputType::Integer),
                ("overdue_seconds", OutputType::Integer),
                ("ticket", OutputType::Object),
            ],
            Self::StuckWorkflows => &[
                ("id", OutputType::String),
                ("workflow_id", OutputType::String),
                ("plan_id", OutputType::String),
                ("state", OutputType::String),
                ("progress_percent", OutputType::Number),
                ("started_at", OutputType::Integer),
                ("updated_at", OutputType::Integer),
                ("stuck_seconds", OutputType::Integer),
            ],
            Self::Dependency => &[("id", OutputType::String), ("service", OutputType::String)],
        }
    }
}
