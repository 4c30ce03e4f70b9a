//! What a check probes.

use serde::{Deserialize, Serialize};

use crate::catalog::OutputType;

/// What a check probes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Probe {
    /// One HTTP request; the target is the URL.
    Http(Http),
    /// The standard health service of gRPC (`grpc.health.v1`); the target is the server, or one service of it.
    GrpcHealth(GrpcHealth),
    /// Tickets that should have ended; each is a target.
    OverdueTickets(OverdueTickets),
    /// Workflows that make no progress; each is a target.
    StuckWorkflows(StuckWorkflows),
    /// A service that the engine depends on, as configured for the engine.
    Dependency(Dependency),
}

/// See [`Probe::Http`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// http or https, without credentials.
    pub url: String,
    /// The method of the request.
    pub method: Method,
    /// The healthy statuses.
    pub expect_status: Vec<u16>,
    /// A text that the response body has to contain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect_body_contains: Option<String>,
    /// Deadline of one probe.
    pub timeout_seconds: u64,
}

/// The methods that a probe may use: those without an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// `GET`.
    Get,
    /// `HEAD`: a response without a body.
    Head,
}

/// See [`Probe::GrpcHealth`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrpcHealth {
    /// A host name or address.
    pub host: String,
    /// 1 to 65535.
    pub port: u16,
    /// One service of the server; empty: the whole server.
    pub service: String,
    /// Mutual TLS with the identity of the engine.
    pub tls: bool,
    /// The SPIFFE ID that the server has to present; `None`: that of the orchestrator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spiffe_id: Option<String>,
    /// Deadline of one probe.
    pub timeout_seconds: u64,
}

/// See [`Probe::OverdueTickets`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OverdueTickets {
    /// One of [`TICKET_STATUSES`].
    pub status: String,
    /// How long after its deadline a ticket may still run.
    pub overdue_seconds: u64,
    /// Overdue tickets that one probe reports.
    pub limit: u32,
    /// Deadline of one probe.
    pub timeout_seconds: u64,
}

/// See [`Probe::StuckWorkflows`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StuckWorkflows {
    /// Empty: those of the tickets that are RUNNING.
    pub workflow_ids: Vec<String>,
    /// One of [`WORKFLOW_STATES`].
    pub state: String,
    /// How long a workflow may stay in that state without a change.
    pub stuck_seconds: u64,
    /// Workflows that one probe asks about.
    pub limit: u32,
    /// Deadline of one probe.
    pub timeout_seconds: u64,
}

/// See [`Probe::Dependency`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dependency {
    /// The service to probe.
    pub service: Service,
    /// Deadline of one probe.
    pub timeout_seconds: u64,
}

/// The services that the engine depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Service {
    /// The execution ticket service.
    TicketService,
    /// The workflow orchestrator.
    Orchestrator,
    /// The server of the policy.
    Opa,
}

/// The statuses by which tickets can be listed (contracts, section 1).
pub const TICKET_STATUSES: [&str; 6] = ["PENDING", "RUNNING", "COMPLETED", "FAILED", "COMPENSATING", "COMPENSATED"];

/// The states in which a workflow can be stuck: all that are not terminal (contracts, section 2).
pub const WORKFLOW_STATES: [&str; 4] = ["PENDING", "RUNNING", "PAUSED", "REPLANNING"];

/// The `type` of a probe in a check file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProbeKind {
    /// [`Probe::Http`].
    Http,
    /// [`Probe::GrpcHealth`].
    GrpcHealth,
    /// [`Probe::OverdueTickets`].
    OverdueTickets,
    /// [`Probe::StuckWorkflows`].
    StuckWorkflows,
    /// [`Probe::Dependency`].
    Dependency,
}

impl Service {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::TicketService, Self::Orchestrator, Self::Opa];

    /// The word of check files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TicketService => "ticket_service",
            Self::Orchestrator => "orchestrator",
            Self::Opa => "opa",
        }
    }
}

impl Method {
    /// The word of check files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
        }
    }
}

impl Probe {
    /// Its type.
    pub const fn kind(&self) -> ProbeKind {
        match self {
            Self::Http(_) => ProbeKind::Http,
            Self::GrpcHealth(_) => ProbeKind::GrpcHealth,
            Self::OverdueTickets(_) => ProbeKind::OverdueTickets,
            Self::StuckWorkflows(_) => ProbeKind::StuckWorkflows,
            Self::Dependency(_) => ProbeKind::Dependency,
        }
    }

    /// Deadline of one probe.
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
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Http, Self::GrpcHealth, Self::OverdueTickets, Self::StuckWorkflows, Self::Dependency];

    /// The word of check files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::GrpcHealth => "grpc_health",
            Self::OverdueTickets => "overdue_tickets",
            Self::StuckWorkflows => "stuck_workflows",
            Self::Dependency => "dependency",
        }
    }

    /// The fields that templates read as `target.FIELD`. Every target of the kind has all of them, `null` if unknown.
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
