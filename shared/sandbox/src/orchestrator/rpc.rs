//! The gRPC service over the store.

use std::sync::Arc;

use async_trait::async_trait;
use heal_proto as proto;
use proto::orchestrator_strategic_server::OrchestratorStrategic;
use tonic::{Request, Response, Status};

use super::store::Done;
use super::workflow::Workflow;
use super::{Store, UnknownWorkflow};
use crate::clock::now_ms;
use crate::journal::Entry;
use crate::tickets::{self, TicketStatus};

pub(super) struct Rpc {
    pub(super) store: Arc<Store>,
    pub(super) tickets: Arc<tickets::Store>,
    pub(super) unknown: UnknownWorkflow,
}

/// The answer, with its effect written to the call's line.
fn noted<T>(entry: Option<Entry>, done: Done<T>) -> Response<T> {
    let answer = match done {
        Done::Nothing(answer) => answer,
        Done::Effect(answer) => {
            entry.inspect(Entry::effect);
            answer
        }
        Done::Replayed(answer) => {
            entry.inspect(Entry::replayed);
            answer
        }
    };
    Response::new(answer)
}

fn split<T>(request: Request<T>) -> (Option<Entry>, T) {
    let (_, mut extensions, message) = request.into_parts();
    (extensions.remove::<Entry>(), message)
}

#[async_trait]
impl OrchestratorStrategic for Rpc {
    async fn adjust_priorities(
        &self,
        request: Request<proto::AdjustPrioritiesRequest>,
    ) -> Result<Response<proto::AdjustPrioritiesResponse>, Status> {
        let (entry, wanted) = split(request);
        Ok(noted(entry, self.store.adjust(&wanted)?))
    }

    async fn rebalance_resources(
        &self,
        request: Request<proto::RebalanceResourcesRequest>,
    ) -> Result<Response<proto::RebalanceResourcesResponse>, Status> {
        let (entry, wanted) = split(request);
        Ok(noted(entry, self.store.rebalance(&wanted)?))
    }

    async fn pause_workflow(
        &self,
        request: Request<proto::PauseWorkflowRequest>,
    ) -> Result<Response<proto::PauseWorkflowResponse>, Status> {
        let (entry, wanted) = split(request);
        Ok(noted(entry, self.store.pause(&wanted)?))
    }

    async fn resume_workflow(
        &self,
        request: Request<proto::ResumeWorkflowRequest>,
    ) -> Result<Response<proto::ResumeWorkflowResponse>, Status> {
        let (entry, wanted) = split(request);
        Ok(noted(entry, self.store.resume(&wanted)?))
    }

    async fn trigger_replanning(
        &self,
        request: Request<proto::TriggerReplanningRequest>,
    ) -> Result<Response<proto::TriggerReplanningResponse>, Status> {
        let (entry, wanted) = split(request);
        Ok(noted(entry, self.store.replan(&wanted)?))
    }

    async fn get_workflow_status(
        &self,
        request: Request<proto::GetWorkflowStatusRequest>,
    ) -> Result<Response<proto::GetWorkflowStatusResponse>, Status> {
        let wanted = request.into_inner();
        let id = &wanted.workflow_id;
        if id.is_empty() {
            return Err(Status::invalid_argument("workflow_id: empty"));
        }
        match (self.store.workflow(id), self.unknown) {
            (Some(workflow), _) => Ok(Response::new(self.status(workflow, &wanted))),
            (None, UnknownWorkflow::NotFound) => Err(Status::not_found(format!("workflow {id} is not known"))),
            (None, UnknownWorkflow::Unspecified) => {
                Ok(Response::new(proto::GetWorkflowStatusResponse { workflow_id: id.clone(), ..Default::default() }))
            }
        }
    }
}

impl Rpc {
    fn status(&self, workflow: Workflow, wanted: &proto::GetWorkflowStatusRequest) -> proto::GetWorkflowStatusResponse {
        let history = workflow.history.iter().map(|event| proto::WorkflowEvent {
            event_type: event.event_type.clone(),
            timestamp: event.timestamp,
            description: event.description.clone(),
            ..Default::default()
        });
        proto::GetWorkflowStatusResponse {
            state: proto::WorkflowState::from(workflow.state).into(),
            current_priority: workflow.priority,
            allocated_resources: Some((&workflow.allocation).into()),
            tickets: wanted.include_tickets.then(|| self.ticket_summary(&workflow.workflow_id)),
            progress_percent: workflow.progress_percent,
            started_at: workflow.started_at,
            updated_at: workflow.updated_at,
            sla_deadline: workflow.sla_deadline,
            sla_remaining_seconds: workflow.sla_deadline.map(|at| (at - now_ms()) / 1000),
            history: if wanted.include_history { history.collect() } else { Vec::new() },
            metadata: workflow.metadata,
            workflow_id: workflow.workflow_id,
            plan_id: workflow.plan_id,
        }
    }

    fn ticket_summary(&self, workflow_id: &str) -> proto::TicketSummary {
        let mut summary = proto::TicketSummary::default();
        let tickets = self.tickets.tickets();
        for ticket in tickets.iter().filter(|ticket| ticket.workflow_id == workflow_id) {
            summary.total += 1;
            match ticket.status {
                TicketStatus::Completed => summary.completed += 1,
                TicketStatus::Pending => summary.pending += 1,
                TicketStatus::Running => summary.running += 1,
                TicketStatus::Failed => summary.failed += 1,
                TicketStatus::Compensating | TicketStatus::Compensated => {}
            }
        }
        summary
    }
}
