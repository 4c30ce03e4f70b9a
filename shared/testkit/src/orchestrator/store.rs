//! The workflows, the changes that the orchestrator makes to them, and the answers it replays by adjustment id.

use std::collections::BTreeMap;
use std::sync::Mutex;

use orchestrator_proto as proto;
use tonic::Status;

use super::workflow::{Allocation, Replanning, Workflow, WorkflowState};
use crate::clock::now_ms;
use crate::lock::lock;
use crate::replay::Replay;

/// How long a replanning is said to take, in seconds.
const REPLANNING_SECONDS: i64 = 30;

/// The orchestrator's state.
#[derive(Debug, Default)]
pub(crate) struct Store {
    held: Mutex<Held>,
}

/// What the lock holds.
#[derive(Debug, Default)]
pub(super) struct Held {
    workflows: BTreeMap<String, Workflow>,
    replannings: Vec<Replanning>,
    adjusted: Replay<proto::AdjustPrioritiesResponse>,
    rebalanced: Replay<proto::RebalanceResourcesResponse>,
    paused: Replay<proto::PauseWorkflowResponse>,
    resumed: Replay<proto::ResumeWorkflowResponse>,
    replanned: Replay<proto::TriggerReplanningResponse>,
}

/// An answer, and what it came from.
pub(super) enum Done<T> {
    /// A change was carried out.
    Effect(T),
    /// There was nothing to change.
    Nothing(T),
    /// The answer of an earlier call with the same id.
    Replayed(T),
}

impl Store {
    /// Replaces every workflow, and forgets the replannings and the answered ids.
    pub(crate) fn seed(&self, workflows: Vec<Workflow>) {
        let workflows = workflows.into_iter().map(|workflow| (workflow.workflow_id.clone(), workflow)).collect();
        *lock(&self.held) = Held { workflows, ..Held::default() };
    }

    /// In the order of their ids.
    pub(crate) fn workflows(&self) -> Vec<Workflow> {
        let mut held = lock(&self.held);
        held.end_pauses(now_ms());
        held.workflows.values().cloned().collect()
    }

    /// In the order in which they were asked for.
    pub(crate) fn replannings(&self) -> Vec<Replanning> {
        lock(&self.held).replannings.clone()
    }

    /// One workflow, as it stands now.
    pub(super) fn workflow(&self, workflow_id: &str) -> Option<Workflow> {
        let mut held = lock(&self.held);
        held.end_pauses(now_ms());
        held.workflows.get(workflow_id).cloned()
    }

    pub(super) fn pause(
        &self,
        wanted: &proto::PauseWorkflowRequest,
    ) -> Result<Done<proto::PauseWorkflowResponse>, Status> {
        let seconds = wanted.pause_duration_seconds.unwrap_or_default();
        if seconds < 0 {
            return Err(Status::invalid_argument("pause_duration_seconds: must not be negative"));
        }
        let mut held = lock(&self.held);
        if let Some(answer) = held.paused.find("", Some(&wanted.adjustment_id)) {
            return Ok(Done::Replayed(answer));
        }
        let now = now_ms();
        let workflow = held.live_workflow(&wanted.workflow_id, now)?;
        let answer = |message: &str, paused_at, scheduled_resume_at| proto::PauseWorkflowResponse {
            success: true,
            message: message.to_owned(),
            paused_at,
            scheduled_resume_at,
        };
        if workflow.state == WorkflowState::Paused {
            let paused_at = workflow.paused_at.unwrap_or(now);
            let answer = answer("workflow was already paused", paused_at, workflow.scheduled_resume_at);
            return Ok(Done::Nothing(answer));
        }
        workflow.paused_at = Some(now);
        workflow.scheduled_resume_at = (seconds > 0).then(|| now.saturating_add(seconds.saturating_mul(1000)));
        workflow.enter(WorkflowState::Paused, &wanted.reason, now);
        let answer = answer("workflow paused", now, workflow.scheduled_resume_at);
        held.paused.keep("", Some(&wanted.adjustment_id), answer.clone());
        Ok(Done::Effect(answer))
    }

    pub(super) fn resume(
        &self,
        wanted: &proto::ResumeWorkflowRequest,
    ) -> Result<Done<proto::ResumeWorkflowResponse>, Status> {
        let mut held = lock(&self.held);
        if let Some(answer) = held.resumed.find("", Some(&wanted.adjustment_id)) {
            return Ok(Done::Replayed(answer));
        }
        let now = now_ms();
        let workflow = held.known_workflow(&wanted.workflow_id, now)?;
        if workflow.state != WorkflowState::Paused {
            return Err(Status::failed_precondition(format!(
                "workflow {} is not paused, it is {}",
                wanted.workflow_id,
                workflow.state.name()
            )));
        }
        let paused_ms = now - workflow.paused_at.take().unwrap_or(now);
        workflow.scheduled_resume_at = None;
        workflow.enter(WorkflowState::Running, &wanted.reason, now);
        let answer = proto::ResumeWorkflowResponse {
            success: true,
            message: "workflow resumed".to_owned(),
            resumed_at: now,
            pause_duration_seconds: paused_ms / 1000,
        };
        held.resumed.keep("", Some(&wanted.adjustment_id), answer.clone());
        Ok(Done::Effect(answer))
    }

    pub(super) fn adjust(
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

    pub(super) fn rebalance(
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

    pub(super) fn replan(
        &self,
        wanted: &proto::TriggerReplanningRequest,
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
            if !workflow.state.is_terminal() {
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
    /// Workflows whose pause has run out are running again.
    fn end_pauses(&mut self, now: i64) {
        for workflow in self.workflows.values_mut() {
            if workflow.state == WorkflowState::Paused && workflow.scheduled_resume_at.is_some_and(|at| at <= now) {
                workflow.paused_at = None;
                workflow.scheduled_resume_at = None;
                workflow.enter(WorkflowState::Running, "the pause ran out", now);
            }
        }
    }

    fn known_workflow(&mut self, workflow_id: &str, now: i64) -> Result<&mut Workflow, Status> {
        if workflow_id.is_empty() {
            return Err(Status::invalid_argument("workflow_id: empty"));
        }
        self.end_pauses(now);
        self.workflows
            .get_mut(workflow_id)
            .ok_or_else(|| Status::not_found(format!("workflow {workflow_id} is not known")))
    }

    fn live_workflow(&mut self, workflow_id: &str, now: i64) -> Result<&mut Workflow, Status> {
        let workflow = self.known_workflow(workflow_id, now)?;
        if workflow.state.is_terminal() {
            let state = workflow.state.name();
            let message = format!("workflow {workflow_id} has ended, it is {state}");
            return Err(Status::failed_precondition(message));
        }
        Ok(workflow)
    }

    /// The one workflow that is named, or all of the plan.
    fn addressed(&mut self, workflow_id: &str, plan_id: &str) -> Result<Vec<&mut Workflow>, Status> {
        let now = now_ms();
        if !workflow_id.is_empty() {
            return Ok(vec![self.known_workflow(workflow_id, now)?]);
        }
        if plan_id.is_empty() {
            return Err(Status::invalid_argument("workflow_id, plan_id: both empty"));
        }
        self.end_pauses(now);
        let found: Vec<_> = self.workflows.values_mut().filter(|workflow| workflow.plan_id == plan_id).collect();
        if found.is_empty() {
            return Err(Status::not_found(format!("plan {plan_id} is not known")));
        }
        Ok(found)
    }

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
