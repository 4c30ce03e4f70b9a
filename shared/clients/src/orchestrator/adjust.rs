//! Replanning and priorities. Both are recognised by their `adjustment_id`, so a lost call may be sent again.

use std::collections::BTreeMap;

use heal_proto as proto;

use super::client::{Client, accepted, adjustment_id, given};
use super::model::{Prioritised, Replanned, ReplanningTrigger};
use super::rpc::{Kind, Stub};
use crate::call::CallContext;
use crate::error::{Effect, Error};

const REPLAN: Kind = Kind { operation: "trigger_replanning", at_stake: Effect::Unknown, repeatable: true };
const PRIORITISE: Kind = Kind { operation: "adjust_priorities", at_stake: Effect::Unknown, repeatable: true };

/// The priorities that the orchestrator has.
const PRIORITIES: std::ops::RangeInclusive<i32> = 1..=10;

/// A plan to be made again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replanning {
    pub plan_id: String,
    pub reason: String,
    pub trigger: ReplanningTrigger,
    pub context: BTreeMap<String, String>,
    /// Whether what is done stays done.
    pub preserve_progress: bool,
    /// 1 to 10.
    pub priority: i32,
}

impl Replanning {
    /// With nothing more said: progress kept, priority 5.
    pub fn new(plan_id: impl Into<String>, reason: impl Into<String>, trigger: ReplanningTrigger) -> Self {
        Self {
            plan_id: plan_id.into(),
            reason: reason.into(),
            trigger,
            context: BTreeMap::new(),
            preserve_progress: true,
            priority: 5,
        }
    }
}

/// A priority to be changed, of a workflow or a whole plan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PriorityAdjustment {
    pub workflow_id: String,
    pub plan_id: String,
    /// 1 to 10.
    pub new_priority: i32,
    pub reason: String,
    pub metadata: BTreeMap<String, String>,
}

impl Client {
    /// Has a plan made again.
    pub async fn trigger_replanning(&self, replanning: &Replanning, context: &CallContext) -> Result<Replanned, Error> {
        let span = tracing::info_span!(
            "self_healing.orchestrator.trigger_replanning",
            plan_id = replanning.plan_id,
            outcome = tracing::field::Empty
        );
        self.changing(REPLAN, span, async {
            given("plan_id", &replanning.plan_id)?;
            in_range("priority", replanning.priority)?;
            let message = proto::TriggerReplanningRequest {
                plan_id: replanning.plan_id.clone(),
                reason: replanning.reason.clone(),
                trigger_type: replanning.trigger.to_wire(),
                adjustment_id: adjustment_id(context)?,
                context: replanning.context.clone(),
                preserve_progress: replanning.preserve_progress,
                priority: replanning.priority,
            };
            let limit = self.limit(REPLAN, context)?;
            let invoke = |mut stub: Stub, request| async move { stub.trigger_replanning(request).await };
            let answer = self.rpc.call(REPLAN, message, limit, context, invoke).await?;
            accepted(REPLAN, answer.success, &answer.message)?;
            Ok(Replanned {
                message: answer.message,
                replanning_id: answer.replanning_id,
                triggered_at_ms: answer.triggered_at,
                estimated_completion_seconds: answer.estimated_completion_seconds,
            })
        })
        .await
    }

    /// Gives a workflow, or a whole plan, another priority.
    pub async fn adjust_priorities(
        &self,
        adjustment: &PriorityAdjustment,
        context: &CallContext,
    ) -> Result<Prioritised, Error> {
        let span = tracing::info_span!(
            "self_healing.orchestrator.adjust_priorities",
            workflow_id = adjustment.workflow_id,
            plan_id = adjustment.plan_id,
            outcome = tracing::field::Empty
        );
        self.changing(PRIORITISE, span, async {
            if adjustment.plan_id.is_empty() {
                given("workflow_id", &adjustment.workflow_id)?;
            }
            in_range("new_priority", adjustment.new_priority)?;
            let message = proto::AdjustPrioritiesRequest {
                workflow_id: adjustment.workflow_id.clone(),
                plan_id: adjustment.plan_id.clone(),
                new_priority: adjustment.new_priority,
                reason: adjustment.reason.clone(),
                adjustment_id: adjustment_id(context)?,
                metadata: adjustment.metadata.clone(),
            };
            let limit = self.limit(PRIORITISE, context)?;
            let invoke = |mut stub: Stub, request| async move { stub.adjust_priorities(request).await };
            let answer = self.rpc.call(PRIORITISE, message, limit, context, invoke).await?;
            accepted(PRIORITISE, answer.success, &answer.message)?;
            Ok(Prioritised {
                message: answer.message,
                previous_priority: answer.previous_priority,
                applied_priority: answer.applied_priority,
                applied_at_ms: answer.applied_at,
            })
        })
        .await
    }
}

fn in_range(field: &'static str, priority: i32) -> Result<(), Error> {
    if PRIORITIES.contains(&priority) {
        return Ok(());
    }
    let problem = format!("is {priority}, expected {} to {}", PRIORITIES.start(), PRIORITIES.end());
    Err(Error::Invalid { field, problem })
}
