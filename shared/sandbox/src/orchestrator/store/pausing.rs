//! Pauses and resumes workflows.

use heal_proto as proto;
use tonic::Status;

use super::{Done, Store};
use crate::orchestrator::{UnknownWorkflow, Workflow, WorkflowState};
use crate::state::lock;
use crate::wire::now_ms;

impl Store {
    pub(in crate::orchestrator) fn pause(
        &self,
        wanted: &proto::PauseWorkflowRequest,
        unknown: UnknownWorkflow,
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
        let id = &wanted.workflow_id;
        if unknown == UnknownWorkflow::Pending && !id.is_empty() {
            held.workflows.entry(id.clone()).or_insert_with(|| Workflow::new(id, "", WorkflowState::Pending));
        }
        let workflow = held.live_workflow(id, now)?;
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

    pub(in crate::orchestrator) fn resume(
        &self,
        wanted: &proto::ResumeWorkflowRequest,
        unknown: UnknownWorkflow,
    ) -> Result<Done<proto::ResumeWorkflowResponse>, Status> {
        let mut held = lock(&self.held);
        if let Some(answer) = held.resumed.find("", Some(&wanted.adjustment_id)) {
            return Ok(Done::Replayed(answer));
        }
        let now = now_ms();
        let id = &wanted.workflow_id;
        let not_paused = |state: WorkflowState| {
            Status::failed_precondition(format!("workflow {id} is not paused, it is {}", state.name()))
        };
        if unknown == UnknownWorkflow::Pending && !id.is_empty() && !held.workflows.contains_key(id) {
            return Err(not_paused(WorkflowState::Pending));
        }
        let workflow = held.known_workflow(id, now)?;
        if workflow.state != WorkflowState::Paused {
            return Err(not_paused(workflow.state));
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
}
