//! What the orchestrator says, without its wire types. Times are epoch milliseconds.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use heal_proto as proto;
use serde::Serialize;

/// The state of a workflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WorkflowState {
    Unspecified,
    Pending,
    Running,
    Paused,
    Completed,
    Failed,
    Cancelled,
    Replanning,
    /// A number that this build has no name for.
    Unknown(i32),
}

impl WorkflowState {
    /// The bare name, such as `PAUSED`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unspecified => "UNSPECIFIED",
            Self::Pending => "PENDING",
            Self::Running => "RUNNING",
            Self::Paused => "PAUSED",
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
            Self::Cancelled => "CANCELLED",
            Self::Replanning => "REPLANNING",
            Self::Unknown(_) => "UNKNOWN",
        }
    }

    /// Whether the workflow is over: it can neither be paused nor resumed.
    pub fn is_terminal(self) -> bool {
        match self {
            Self::Completed | Self::Failed | Self::Cancelled => true,
            Self::Unspecified | Self::Pending | Self::Running | Self::Paused | Self::Replanning | Self::Unknown(_) => {
                false
            }
        }
    }

    fn of_wire(number: i32) -> Self {
        match proto::WorkflowState::try_from(number) {
            Ok(proto::WorkflowState::Unspecified) => Self::Unspecified,
            Ok(proto::WorkflowState::Pending) => Self::Pending,
            Ok(proto::WorkflowState::Running) => Self::Running,
            Ok(proto::WorkflowState::Paused) => Self::Paused,
            Ok(proto::WorkflowState::Completed) => Self::Completed,
            Ok(proto::WorkflowState::Failed) => Self::Failed,
            Ok(proto::WorkflowState::Cancelled) => Self::Cancelled,
            Ok(proto::WorkflowState::Replanning) => Self::Replanning,
            Err(_) => Self::Unknown(number),
        }
    }
}

impl fmt::Display for WorkflowState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Unknown(number) = self {
            return write!(f, "UNKNOWN({number})");
        }
        f.write_str(self.as_str())
    }
}

impl Serialize for WorkflowState {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.as_str())
    }
}

/// How a change is known to have been made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirmation {
    /// The orchestrator answered the call.
    Answer,
    /// The answer was lost; the state, read afterwards, is the one that was asked for.
    State(WorkflowState),
}

/// A workflow that is paused now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paused {
    pub message: String,
    /// `None` where only the state is known.
    pub paused_at_ms: Option<i64>,
    pub scheduled_resume_at_ms: Option<i64>,
    pub confirmed: Confirmation,
}

/// A workflow that goes on now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resumed {
    pub message: String,
    /// `None` where only the state is known.
    pub resumed_at_ms: Option<i64>,
    pub pause_duration_seconds: Option<i64>,
    pub confirmed: Confirmation,
}

/// A plan that is being made again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replanned {
    pub message: String,
    pub replanning_id: String,
    pub triggered_at_ms: i64,
    pub estimated_completion_seconds: Option<i64>,
}

/// A workflow or plan that has another priority now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prioritised {
    pub message: String,
    pub previous_priority: i32,
    pub applied_priority: i32,
    pub applied_at_ms: i64,
}

/// Where a workflow stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WorkflowStatus {
    pub workflow_id: String,
    pub plan_id: String,
    pub state: WorkflowState,
    pub current_priority: i32,
    pub allocated_resources: Option<ResourceAllocation>,
    /// Only where they were asked for.
    pub tickets: Option<TicketSummary>,
    /// 0 to 100.
    pub progress_percent: f32,
    pub started_at_ms: i64,
    pub updated_at_ms: i64,
    pub sla_deadline_ms: Option<i64>,
    pub sla_remaining_seconds: Option<i64>,
    pub history: Vec<WorkflowEvent>,
    pub metadata: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct TicketSummary {
    pub total: i32,
    pub completed: i32,
    pub pending: i32,
    pub running: i32,
    pub failed: i32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ResourceAllocation {
    pub cpu_millicores: i32,
    pub memory_mb: i32,
    pub max_parallel_tickets: i32,
    pub gpu_count: Option<i32>,
    pub scheduling_priority: i32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WorkflowEvent {
    pub event_type: String,
    pub at_ms: i64,
    pub description: String,
    pub metadata: BTreeMap<String, String>,
}

impl From<proto::GetWorkflowStatusResponse> for WorkflowStatus {
    fn from(wire: proto::GetWorkflowStatusResponse) -> Self {
        Self {
            workflow_id: wire.workflow_id,
            plan_id: wire.plan_id,
            state: WorkflowState::of_wire(wire.state),
            current_priority: wire.current_priority,
            allocated_resources: wire.allocated_resources.map(|it| ResourceAllocation {
                cpu_millicores: it.cpu_millicores,
                memory_mb: it.memory_mb,
                max_parallel_tickets: it.max_parallel_tickets,
                gpu_count: it.gpu_count,
                scheduling_priority: it.scheduling_priority,
            }),
            tickets: wire.tickets.map(|it| TicketSummary {
                total: it.total,
                completed: it.completed,
                pending: it.pending,
                running: it.running,
                failed: it.failed,
            }),
            progress_percent: wire.progress_percent,
            started_at_ms: wire.started_at,
            updated_at_ms: wire.updated_at,
            sla_deadline_ms: wire.sla_deadline,
            sla_remaining_seconds: wire.sla_remaining_seconds,
            history: wire.history.into_iter().map(WorkflowEvent::from).collect(),
            metadata: wire.metadata,
        }
    }
}

impl From<proto::WorkflowEvent> for WorkflowEvent {
    fn from(wire: proto::WorkflowEvent) -> Self {
        Self {
            event_type: wire.event_type,
            at_ms: wire.timestamp,
            description: wire.description,
            metadata: wire.metadata,
        }
    }
}

/// Why a plan is made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplanningTrigger {
    Drift,
    Failure,
    Strategic,
    SlaViolation,
    ResourceConstraint,
}

impl ReplanningTrigger {
    pub const ALL: [Self; 5] =
        [Self::Drift, Self::Failure, Self::Strategic, Self::SlaViolation, Self::ResourceConstraint];

    /// The bare name, such as `SLA_VIOLATION`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Drift => "DRIFT",
            Self::Failure => "FAILURE",
            Self::Strategic => "STRATEGIC",
            Self::SlaViolation => "SLA_VIOLATION",
            Self::ResourceConstraint => "RESOURCE_CONSTRAINT",
        }
    }

    pub(super) fn to_wire(self) -> i32 {
        match self {
            Self::Drift => proto::ReplanningTriggerType::TriggerTypeDrift,
            Self::Failure => proto::ReplanningTriggerType::TriggerTypeFailure,
            Self::Strategic => proto::ReplanningTriggerType::TriggerTypeStrategic,
            Self::SlaViolation => proto::ReplanningTriggerType::TriggerTypeSlaViolation,
            Self::ResourceConstraint => proto::ReplanningTriggerType::TriggerTypeResourceConstraint,
        }
        .into()
    }
}

/// The text is no trigger.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no replanning trigger, expected one of DRIFT, FAILURE, STRATEGIC, SLA_VIOLATION, RESOURCE_CONSTRAINT"
)]
pub struct UnknownTrigger(pub String);

impl FromStr for ReplanningTrigger {
    type Err = UnknownTrigger;

    /// Any case, with or without `TRIGGER_TYPE_` before it.
    fn from_str(text: &str) -> Result<Self, UnknownTrigger> {
        let upper = text.trim().to_ascii_uppercase();
        let bare = upper.strip_prefix("TRIGGER_TYPE_").unwrap_or(&upper);
        Self::ALL.into_iter().find(|trigger| trigger.as_str() == bare).ok_or_else(|| UnknownTrigger(text.to_owned()))
    }
}
