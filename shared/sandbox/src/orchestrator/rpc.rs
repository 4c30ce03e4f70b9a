//! The gRPC services: the orchestrator's over its store, and gRPC's own health service (`grpc.health.v1`).

use std::sync::Arc;

use async_trait::async_trait;
use heal_proto as proto;
use heal_proto::health::health_check_response::ServingStatus;
use heal_proto::health::health_server::Health;
use heal_proto::health::{HealthCheckRequest, HealthCheckResponse};
use proto::orchestrator_strategic_server::OrchestratorStrategic;
use tonic::{Request, Response, Status};

use super::store::Done;
use super::workflow::{Workflow, WorkflowState};
use super::{Store, UnknownWorkflow};
use crate::journal::Entry;
use crate::tickets::{self, TicketStatus};
use crate::wire::now_ms;

/// The path of the health service.
pub(super) const HEALTH_PATH: &str = "/grpc.health.v1.Health/";
/// The one service that the health service knows, beside the server as a whole.
const ORCHESTRATOR: &str = "orchestrator.OrchestratorStrategic";

pub(super) struct Rpc {
    pub(super) store: Arc<Store>,
    pub(super) tickets: Arc<tickets::Store>,
    pub(super) unknown: UnknownWorkflow,
    pub(super) hides_replanning: bool,
}

#[derive(Clone)]
pub(super) struct HealthRpc {
    pub(super) not_serving: Vec<String>,
}

/// The response, with its effect recorded in the journal.
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
        Ok(noted(entry, self.store.pause(&wanted, self.unknown)?))
    }

    async fn resume_workflow(
        &self,
        request: Request<proto::ResumeWorkflowRequest>,
    ) -> Result<Response<proto::ResumeWorkflowResponse>, Status> {
        let (entry, wanted) = split(request);
        Ok(noted(entry, self.store.resume(&wanted, self.unknown)?))
    }

    async fn trigger_replanning(
        &self,
        request: Request<proto::TriggerReplanningRequest>,
    ) -> Result<Response<proto::TriggerReplanningResponse>, Status> {
        let (entry, wanted) = split(request);
        Ok(noted(entry, self.store.replan(&wanted, self.hides_replanning)?))
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
        if let Some(workflow) = self.store.workflow(id) {
            return Ok(Response::new(self.status(workflow, &wanted)));
        }
        let state = match self.unknown {
            UnknownWorkflow::NotFound => return Err(Status::not_found(format!("workflow {id} is not known"))),
            UnknownWorkflow::Unspecified => proto::WorkflowState::Unspecified,
            UnknownWorkflow::Pending => proto::WorkflowState::Pending,
        };
        let workflow_id = id.clone();
        Ok(Response::new(proto::GetWorkflowStatusResponse { workflow_id, state: state.into(), ..Default::default() }))
    }
}

#[async_trait]
impl Health for HealthRpc {
    async fn check(&self, request: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        let service = request.into_inner().service;
        if !["", ORCHESTRATOR].contains(&service.as_str()) {
            return Err(Status::not_found("unknown service"));
        }
        let is_serving = !self.not_serving.contains(&service);
        let status = if is_serving { ServingStatus::Serving } else { ServingStatus::NotServing };
        Ok(Response::new(HealthCheckResponse { status: status.into() }))
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
        let is_hidden = self.hides_replanning && workflow.state == WorkflowState::Replanning;
        let state = if is_hidden { WorkflowState::Running } else { workflow.state };
        proto::GetWorkflowStatusResponse {
            state: proto::WorkflowState::from(state).into(),
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
