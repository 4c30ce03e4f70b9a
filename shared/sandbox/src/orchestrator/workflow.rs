//! A workflow of the orchestrator, and the replannings requested for it.

use std::collections::BTreeMap;

use heal_proto as proto;
use serde::{Deserialize, Serialize};

use crate::wire::now_ms;

/// The state of a workflow: the wire's names without their prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "the platform's own names")]
pub enum WorkflowState {
    Pending,
    Running,
    Paused,
    Completed,
    Failed,
    Cancelled,
    Replanning,
}

impl WorkflowState {
    /// Whether the workflow has ended.
    pub fn is_terminal(self) -> bool {
        match self {
            Self::Completed | Self::Failed | Self::Cancelled => true,
            Self::Pending | Self::Running | Self::Paused | Self::Replanning => false,
        }
    }

    /// The name without the wire's prefix.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Running => "RUNNING",
            Self::Paused => "PAUSED",
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
            Self::Cancelled => "CANCELLED",
            Self::Replanning => "REPLANNING",
        }
    }
}

impl From<WorkflowState> for proto::WorkflowState {
    fn from(state: WorkflowState) -> Self {
        match state {
            WorkflowState::Pending => Self::Pending,
            WorkflowState::Running => Self::Running,
            WorkflowState::Paused => Self::Paused,
            WorkflowState::Completed => Self::Completed,
            WorkflowState::Failed => Self::Failed,
            WorkflowState::Cancelled => Self::Cancelled,
            WorkflowState::Replanning => Self::Replanning,
        }
    }
}

/// One workflow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Workflow {
    /// The unique id.
    pub workflow_id: String,
    /// The plan that it executes.
    #[serde(default)]
    pub plan_id: String,
    /// The current state.
    pub state: WorkflowState,
    /// The priority, 1 to 10.
    #[serde(default = "middle_priority")]
    pub priority: i32,
    /// The allocated resources.
    #[serde(default)]
    pub allocation: Allocation,
    /// The progress, 0 to 100.
    #[serde(default)]
    pub progress_percent: f32,
    /// Start, in epoch milliseconds.
    #[serde(default = "now_ms")]
    pub started_at: i64,
    /// Last change, in epoch milliseconds.
    #[serde(default = "now_ms")]
    pub updated_at: i64,
    /// When a paused workflow was paused, in epoch milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused_at: Option<i64>,
    /// When the pause expires, in epoch milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled_resume_at: Option<i64>,
    /// The deadline of the SLA, in epoch milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sla_deadline: Option<i64>,
    /// The events of the workflow, oldest first.
    #[serde(default)]
    pub history: Vec<HistoryEvent>,
    /// Metadata that callers wrote.
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
}

/// The resources of a workflow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the wire's own names")]
pub struct Allocation {
    pub cpu_millicores: i32,
    pub memory_mb: i32,
    pub max_parallel_tickets: i32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu_count: Option<i32>,
    #[serde(default)]
    pub scheduling_priority: i32,
}

/// One event of a workflow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HistoryEvent {
    /// The kind of event, such as `PAUSED`.
    pub event_type: String,
    /// Epoch milliseconds.
    pub timestamp: i64,
    /// The reason that the caller gave.
    pub description: String,
}

/// A requested replanning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replanning {
    /// The id that the orchestrator assigned.
    pub replanning_id: String,
    /// The plan to be replanned.
    pub plan_id: String,
    /// The reason that the caller gave.
    pub reason: String,
    /// The name on the wire, such as `TRIGGER_TYPE_DRIFT`.
    pub trigger_type: String,
    /// Epoch milliseconds.
    pub triggered_at: i64,
    /// The context that the caller gave.
    pub context: BTreeMap<String, String>,
    /// Whether completed work is kept.
    pub preserve_progress: bool,
    /// The priority, 1 to 10; 0 if the caller gave none.
    pub priority: i32,
}

fn middle_priority() -> i32 {
    5
}

impl Default for Allocation {
    fn default() -> Self {
        Self {
            cpu_millicores: 2_000,
            memory_mb: 4_096,
            max_parallel_tickets: 10,
            gpu_count: None,
            scheduling_priority: 0,
        }
    }
}

impl Workflow {
    /// A workflow that started ten minutes ago; if `state` is PAUSED, it was paused one minute ago.
    pub fn new(workflow_id: &str, plan_id: &str, state: WorkflowState) -> Self {
        let now = now_ms();
        Self {
            workflow_id: workflow_id.to_owned(),
            plan_id: plan_id.to_owned(),
            state,
            priority: middle_priority(),
            allocation: Allocation::default(),
            progress_percent: if state == WorkflowState::Completed { 100.0 } else { 40.0 },
            started_at: now - 600_000,
            updated_at: now - 60_000,
            paused_at: (state == WorkflowState::Paused).then_some(now - 60_000),
            scheduled_resume_at: None,
            sla_deadline: Some(now + 3_600_000),
            history: Vec::new(),
            metadata: BTreeMap::new(),
        }
    }

    /// Moves the workflow to `state` at `now` (epoch milliseconds) and records the event.
    pub(super) fn enter(&mut self, state: WorkflowState, reason: &str, now: i64) {
        self.state = state;
        self.updated_at = now;
        self.record(state.name(), reason, now);
    }

    pub(super) fn record(&mut self, event_type: &str, description: &str, now: i64) {
        self.updated_at = now;
        self.history.push(HistoryEvent {
            event_type: event_type.to_owned(),
            timestamp: now,
            description: description.to_owned(),
        });
    }
}

impl From<&Allocation> for proto::ResourceAllocation {
    fn from(allocation: &Allocation) -> Self {
        Self {
            cpu_millicores: allocation.cpu_millicores,
            memory_mb: allocation.memory_mb,
            max_parallel_tickets: allocation.max_parallel_tickets,
            gpu_count: allocation.gpu_count,
            scheduling_priority: allocation.scheduling_priority,
        }
    }
}

impl From<&proto::ResourceAllocation> for Allocation {
    fn from(allocation: &proto::ResourceAllocation) -> Self {
        Self {
            cpu_millicores: allocation.cpu_millicores,
            memory_mb: allocation.memory_mb,
            max_parallel_tickets: allocation.max_parallel_tickets,
            gpu_count: allocation.gpu_count,
            scheduling_priority: allocation.scheduling_priority,
        }
    }
}
