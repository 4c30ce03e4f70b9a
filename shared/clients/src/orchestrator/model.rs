//! The orchestrator's answers, without its wire types. Times are epoch milliseconds.

use std::collections::BTreeMap;
use std::fmt;

use heal_proto as proto;
use serde::Serialize;

/// The state of a workflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WorkflowState {
    /// The orchestrator does not know the workflow.
    Unspecified,
    /// Not started yet.
    Pending,
    /// Executing tickets.
    Running,
    /// Suspended until it is resumed or its pause ends.
    Paused,
    /// Ended with success.
    Completed,
    /// Ended with failure.
    Failed,
    /// Ended by a cancellation.
    Cancelled,
    /// Its plan is being replaced.
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

    /// Whether the workflow has ended: it can be neither paused nor resumed.
    pub fn is_terminal(self) -> bool {
        match self {
            Self::Completed | Self::Failed | Self::Cancelled => true,
            Self::Unspecified | Self::Pending | Self::Running | Self::Paused | Self::Replanning | Self::Unknown(_) => {
                false
            }
        }
    }

    fn from_wire(number: i32) -> Self {
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

/// How a change was confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirmation {
    /// The orchestrator answered the call.
    Answer,
    /// The answer was lost; the workflow, read afterwards, was in this state, which proves the change.
    State(WorkflowState),
}

/// The outcome of a pause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paused {
    /// The orchestrator's message, or how the pause was confirmed without it.
    pub message: String,
    /// Epoch milliseconds; the workflow's last change if only its state is known.
    pub paused_at_ms: Option<i64>,
    /// When the pause ends by itself, in epoch milliseconds; `None` if it is open-ended or only the state is known.
    pub scheduled_resume_at_ms: Option<i64>,
    /// How the pause was confirmed.
    pub confirmed: Confirmation,
}

/// The outcome of a resume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resumed {
    /// The orchestrator's message, or how the resume was confirmed without it.
    pub message: String,
    /// Epoch milliseconds; the workflow's last change if only its state is known.
    pub resumed_at_ms: Option<i64>,
    /// How long the workflow was paused, in seconds; `None` if only the state is known.
    pub pause_duration_seconds: Option<i64>,
    /// How the resume was confirmed.
    pub confirmed: Confirmation,
}

/// The outcome of a replanning request: the orchestrator has begun to replan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replanned {
    /// The orchestrator's message.
    pub message: String,
    /// The orchestrator's id of this replanning.
    pub replanning_id: String,
    /// Epoch milliseconds.
    pub triggered_at_ms: i64,
    /// The orchestrator's estimate of the time until the new plan is ready, in seconds.
    pub estimated_completion_seconds: Option<i64>,
}

/// A workflow's status.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WorkflowStatus {
    /// The workflow.
    pub workflow_id: String,
    /// The plan that it executes.
    pub plan_id: String,
    /// Its state when the orchestrator answered.
    pub state: WorkflowState,
    /// 1 to 10.
    pub current_priority: i32,
    /// What the workflow may use, if resources were allocated.
    pub allocated_resources: Option<ResourceAllocation>,
    /// Only if the caller asked for the ticket counts.
    pub tickets: Option<TicketSummary>,
    /// 0 to 100.
    pub progress_percent: f32,
    /// Epoch milliseconds; 0 if the orchestrator gave none.
    pub started_at_ms: i64,
    /// The last change, in epoch milliseconds; 0 if the orchestrator gave none.
    pub updated_at_ms: i64,
    /// Epoch milliseconds.
    pub sla_deadline_ms: Option<i64>,
    /// Seconds until the SLA's deadline.
    pub sla_remaining_seconds: Option<i64>,
    /// Always empty: this client does not request the history.
    pub history: Vec<WorkflowEvent>,
    /// Further facts, as the orchestrator sent them.
    pub metadata: BTreeMap<String, String>,
}

/// Counts of a workflow's tickets, by status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct TicketSummary {
    /// Tickets in any status.
    pub total: i32,
    /// Tickets in status `COMPLETED`.
    pub completed: i32,
    /// Tickets in status `PENDING`.
    pub pending: i32,
    /// Tickets in status `RUNNING`.
    pub running: i32,
    /// Tickets in status `FAILED`.
    pub failed: i32,
}

/// The resources that a workflow may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ResourceAllocation {
    /// Thousandths of a CPU core.
    pub cpu_millicores: i32,
    /// Megabytes.
    pub memory_mb: i32,
    /// Tickets that may run at the same time.
    pub max_parallel_tickets: i32,
    /// GPUs, if the orchestrator reports any.
    pub gpu_count: Option<i32>,
    /// The scheduler's priority, as the orchestrator sent it.
    pub scheduling_priority: i32,
}

/// One entry of a workflow's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WorkflowEvent {
    /// The orchestrator's name for the kind of event.
    pub event_type: String,
    /// Epoch milliseconds.
    pub at_ms: i64,
    /// What happened, for people.
    pub description: String,
    /// Further facts, as the orchestrator sent them.
    pub metadata: BTreeMap<String, String>,
}

impl WorkflowStatus {
    /// Whether the orchestrator knows the workflow. One that it does not know, it reports as `UNSPECIFIED`, or as `PENDING` without a
    /// plan and without times (contracts, section 8).
    pub fn is_known(&self) -> bool {
        let is_blank = self.plan_id.is_empty() && self.started_at_ms == 0 && self.updated_at_ms == 0;
        !(self.state == WorkflowState::Unspecified || (self.state == WorkflowState::Pending && is_blank))
    }
}

impl From<proto::GetWorkflowStatusResponse> for WorkflowStatus {
    fn from(wire: proto::GetWorkflowStatusResponse) -> Self {
        Self {
            workflow_id: wire.workflow_id,
            plan_id: wire.plan_id,
            state: WorkflowState::from_wire(wire.state),
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
