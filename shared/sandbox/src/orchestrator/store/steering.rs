//! Adjusts priorities, rebalances resources and triggers replanning.

use heal_proto as proto;
use tonic::Status;

use super::{Done, Held, Store};
use crate::orchestrator::{Allocation, Replanning, WorkflowState};
use crate::state::lock;
use crate::wire::now_ms;

/// The estimated duration of a replanning, in seconds.
const REPLANNING_SECONDS: i64 = 30;

impl Store {
    pub(in crate::orchestrator) fn adjust(
        &self,
        wanted: &proto::AdjustPrioritiesRequest,
    ) -> Result<Done<proto::AdjustPrioritiesResponse>, Status> {
        in_range("new_priority", wanted.new_priority, 1)?;
        let mut held = lock(&self.held);
        if let Some(answer) = held.adjusted.find("", Some(&wanted.adjustment_id)) {
            return Ok(Done::Replayed(answer));
        }
        let now = now_ms();
        let mut previous_priority = None;
        for workflow in held.addressed(&wanted.workflow_id, &wanted.plan_id)? {
            previous_priority.get_or_insert(workflow.priority);
            workflow.priority = wanted.new_priority;
            workflow.metadata.extend(wanted.metadata.clone());
            workflow.record("PRIORITY_ADJUSTED", &wanted.reason, now);
        }
        let answer = proto::AdjustPrioritiesResponse {
            success: true,
            message: "priority adjusted".to_owned(),
            previous_priority: previous_priority.unwrap_or_default(),
            applied_priority: wanted.new_priority,
            applied_at: now,
        };
        held.adjusted.keep("", Some(&wanted.adjustment_id), answer.clone());
        Ok(Done::Effect(answer))
    }

    pub(in crate::orchestrator) fn rebalance(
        &self,
        wanted: &proto::RebalanceResourcesRequest,
    ) -> Result<Done<proto::RebalanceResourcesResponse>, Status> {
        if wanted.workflow_ids.is_empty() {
            return Err(Status::invalid_argument("workflow_ids: empty"));
        }
        let mut held = lock(&self.held);
        if let Some(answer) = held.rebalanced.find("", Some(&wanted.rebalance_id)) {
            return Ok(Done::Replayed(answer));
        }
        let now = now_ms();
        let results: Vec<_> = wanted.workflow_ids.iter().map(|id| held.allocate(id, wanted, now)).collect();
        let success = results.iter().all(|result| result.success);
        let any = results.iter().any(|result| result.success);
        let answer = proto::RebalanceResourcesResponse {
            success,
            message: if success { "resources rebalanced" } else { "not every workflow was rebalanced" }.to_owned(),
            results,
            applied_at: now,
        };
        if !any {
            return Ok(Done::Nothing(answer));
        }
        held.rebalanced.keep("", Some(&wanted.rebalance_id), answer.clone());
        Ok(Done::Effect(answer))
    }

    pub(in crate::orchestrator) fn replan(
        &self,
        wanted: &proto::TriggerReplanningRequest,
        hides_state: bool,
    ) -> Result<Done<proto::TriggerReplanningResponse>, Status> {
        if wanted.plan_id.is_empty() {
            return Err(Status::invalid_argument("plan_id: empty"));
        }
        in_range("priority", wanted.priority, 0)?;
        let mut held = lock(&self.held);
        if let Some(answer) = held.replanned.find("", Some(&wanted.adjustment_id)) {
            return Ok(Done::Replayed(answer));
        }
        let now = now_ms();
        for workflow in held.addressed("", &wanted.plan_id)? {
            if hides_state {
                workflow.record(WorkflowState::Replanning.name(), &wanted.reason, now);
            } else if !workflow.state.is_terminal() {
                workflow.paused_at = None;
                workflow.scheduled_resume_at = None;
                workflow.enter(WorkflowState::Replanning, &wanted.reason, now);
            }
        }
        let replanning_id = format!("replanning-{}", held.replannings.len() + 1);
        held.replannings.push(Replanning {
            replanning_id: replanning_id.clone(),
            plan_id: wanted.plan_id.clone(),
            reason: wanted.reason.clone(),
            trigger_type: wanted.trigger_type().as_str_name().to_owned(),
            triggered_at: now,
            context: wanted.context.clone(),
            preserve_progress: wanted.preserve_progress,
            priority: wanted.priority,
        });
        let answer = proto::TriggerReplanningResponse {
            success: true,
            message: "replanning triggered".to_owned(),
            replanning_id,
            triggered_at: now,
            estimated_completion_seconds: Some(REPLANNING_SECONDS),
        };
        held.replanned.keep("", Some(&wanted.adjustment_id), answer.clone());
        Ok(Done::Effect(answer))
    }
}

impl Held {
    fn allocate(
        &mut self,
        workflow_id: &str,
        wanted: &proto::RebalanceResourcesRequest,
        now: i64,
    ) -> proto::WorkflowRebalanceResult {
        let failed = |message: String| proto::WorkflowRebalanceResult {
            workflow_id: workflow_id.to_owned(),
            success: false,
            message,
            previous_allocation: None,
            applied_allocation: None,
        };
        let Some(target) = wanted.target_allocation.get(workflow_id) else {
            return failed("no target allocation".to_owned());
        };
        let workflow = match self.live_workflow(workflow_id, now) {
            Ok(workflow) => workflow,
            Err(status) => return failed(status.message().to_owned()),
        };
        let previous = std::mem::replace(&mut workflow.allocation, Allocation::from(target));
        workflow.record("REBALANCED", &wanted.reason, now);
        proto::WorkflowRebalanceResult {
            workflow_id: workflow_id.to_owned(),
            success: true,
            message: String::new(),
            previous_allocation: Some((&previous).into()),
            applied_allocation: Some(*target),
        }
    }
}

fn in_range(field: &str, priority: i32, least: i32) -> Result<(), Status> {
    if (least..=10).contains(&priority) {
        return Ok(());
    }
    Err(Status::invalid_argument(format!("{field}: {priority}, expected {least} to 10")))
}
