//! A workflow as the orchestrator holds it.

use std::collections::BTreeMap;

use heal_proto as proto;
use serde::{Deserialize, Serialize};

use crate::clock::now_ms;

/// Where a workflow stands; the wire's names without their prefix.
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
    /// Unique.
    pub workflow_id: String,
    /// The plan that it carries out.
    #[serde(default)]
    pub plan_id: String,
    /// Where it stands.
    pub state: WorkflowState,
    /// 1 to 10.
    #[serde(default = "middle_priority")]
    pub priority: i32,
    /// What it may use.
    #[serde(default)]
    pub allocation: Allocation,
    /// 0 to 100.
    #[serde(default)]
    pub progress_percent: f32,
    /// Epoch milliseconds.
    #[serde(default = "now_ms")]
    pub started_at: i64,
    /// Epoch milliseconds.
    #[serde(default = "now_ms")]
    pub updated_at: i64,
    /// Epoch milliseconds; of a paused workflow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused_at: Option<i64>,
    /// When a pause ends by itself, epoch milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled_resume_at: Option<i64>,
    /// Epoch milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sla_deadline: Option<i64>,
    /// What happened to it, oldest first.
    #[serde(default)]
    pub history: Vec<HistoryEvent>,
    /// What callers wrote to it.
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
}

/// What a workflow may use.
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

/// One thing that happened to a workflow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HistoryEvent {
    /// As `PAUSED`.
    pub event_type: String,
    /// Epoch milliseconds.
    pub timestamp: i64,
    /// The caller's reason.
    pub description: String,
}

/// A replanning that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replanning {
    /// Made by the orchestrator.
    pub replanning_id: String,
    /// The plan that is made again.
    pub plan_id: String,
    /// The caller's reason.
    pub reason: String,
    /// The wire's name, as `TRIGGER_TYPE_DRIFT`.
    pub trigger_type: String,
    /// Epoch milliseconds.
    pub triggered_at: i64,
    /// What the caller told of the circumstances.
    pub context: BTreeMap<String, String>,
    /// Whether finished work is kept.
    pub preserve_progress: bool,
    /// 1 to 10; 0 where the caller gave none.
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
    /// A workflow that started ten minutes ago; a paused one was paused one minute ago.
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

    /// Writes down that the workflow came to `state` at `now`.
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
