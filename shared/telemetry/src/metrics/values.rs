//! The values that labels may have, and the bounds of buckets.

/// Bucket bounds for one call to a service, in seconds: from a loopback answer up to the longest default timeout.
pub const CALL_SECONDS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
/// Bucket bounds for a step, a run, or the wait for a first action, in seconds: past a run's usual deadline, up to an hour.
pub const RUN_SECONDS: &[f64] = &[0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0];
/// Bucket bounds for the commands of one run: one step fans out to at most 10,000 elements.
pub const COMMANDS_PER_RUN: &[f64] = &[1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 500.0, 1000.0, 10_000.0];

/// How a call to a service ended.
pub const STATUSES: &[&str] = &["success", "error", "skipped", "denied"];
/// The policy's decisions.
pub const RESULTS: &[&str] = &["allow", "deny", "disabled", "error", "fail_open", "fallback", "require_approval"];
/// Verdicts of the guard on one effect.
pub const VERDICTS: &[&str] = &["proceed", "hold", "deny", "escalate", "needs_approval"];
/// What windows and scope do.
pub const GUARDED: &[&str] = &["window_denied", "window_asked", "out_of_scope"];
/// Who decided.
pub const SOURCES: &[&str] = &["server", "bundled", "fail_open", "disabled", "not_validated", "none"];
/// Why tickets are reallocated: the reasons of the guide and of the shipped playbooks.
pub const REASONS: &[&str] = &["timeout_recovery", "worker_failure", "sla_violation", "inconsistency", "manual"];
/// A ticket's statuses on the wire.
pub const TICKET_STATUSES: &[&str] = &["PENDING", "RUNNING", "COMPLETED", "FAILED", "COMPENSATING", "COMPENSATED"];
/// The calls to the orchestrator, as in the span names.
pub const OPERATIONS: &[&str] = &["get_workflow_status", "pause_workflow", "resume_workflow", "trigger_replanning"];
/// Services that have a circuit breaker.
pub const SERVICES: &[&str] = &["execution-ticket-service", "orchestrator", "kubernetes", "opa"];
/// How a run ended.
pub const RUN_OUTCOMES: &[&str] = &[
    "HEALED",
    "COMPLETED",
    "DEGRADED",
    "NOT_HEALED",
    "FAILED",
    "DENIED",
    "TIMEOUT",
    "CANCELLED",
    "ESCALATED",
    "SHADOWED",
];
/// How a step ended.
pub const STEP_OUTCOMES: &[&str] = &[
    "succeeded",
    "skipped",
    "no_op",
    "condition_false",
    "denied",
    "cooling_down",
    "failed",
    "timed_out",
    "unknown",
    "shadowed",
];
/// The outcomes of an attempt, in the words of the guide's metrics; `shadowed` is that of a shadow run.
pub const ATTEMPT_STATUSES: &[&str] = &["success", "denied", "skipped", "error", "shadowed"];
/// The outcomes of a message on the incidents queue.
pub const INCIDENTS: &[&str] = &["started", "known", "joined", "withdrawn", "rejected", "ignored"];
/// Who sends alerts.
pub const ALERT_SOURCES: &[&str] = &["alertmanager", "grafana", "pagerduty", "cloudevents", "generic"];
/// What becomes of an alert; of a `faulty` one a field could not be rendered, so a person has to approve its run.
pub const ALERTS: &[&str] = &["raised", "faulty", "withdrawn", "ignored"];
/// Why a delivery of alerts is refused.
pub const ALERT_REFUSALS: &[&str] =
    &["unsigned", "malformed_signature", "wrong_signature", "outside_window", "replayed", "unreadable", "unauthorized"];
/// How far the wait for an approval is.
pub const APPROVALS: &[&str] = &["requested", "expiring", "approved", "rejected", "lapsed"];
/// Kinds of channels for notices; `none` for a notice that no channel takes.
pub const CHANNELS: &[&str] = &["slack", "teams", "pagerduty", "opsgenie", "sns", "email", "webhook", "none"];
/// What becomes of a notice at a channel, and of one that no channel gets.
pub const NOTIFICATIONS: &[&str] = &["sent", "failed", "refused", "dropped", "lost"];
/// The severities of incidents that the engine knows, and `none` if the incident has none.
pub const SEVERITIES: &[&str] = &["critical", "high", "medium", "low", "info", "none"];
/// `self_healing_circuit_breaker_state` of a closed breaker.
pub const BREAKER_CLOSED: u64 = 0;
/// `self_healing_circuit_breaker_state` of a half-open breaker.
pub const BREAKER_HALF_OPEN: u64 = 1;
/// `self_healing_circuit_breaker_state` of an open breaker.
pub const BREAKER_OPEN: u64 = 2;

/// Where a clock was set to; see [`Id::ClockJumps`](super::Id::ClockJumps).
pub const JUMPS: &[&str] = &["ahead", "back", "far_back"];

/// Why the HTTP API refuses a request or a connection.
pub const REFUSALS: &[&str] = &[
    "host",
    "origin",
    "content_type",
    "no_identity",
    "credentials",
    "role",
    "rate",
    "busy",
    "connections",
    "peer_connections",
];
