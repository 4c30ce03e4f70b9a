//! Pausing and resuming.

use heal_proto as proto;
use tonic::Status;

use super::{Done, Store};
use crate::clock::now_ms;
use crate::lock::lock;
use crate::orchestrator::WorkflowState;

impl Store {
    pub(in crate::orchestrator) fn pause(
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

    pub(in crate::orchestrator) fn resume(
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
}
