//! gRPC's own health service (`grpc.health.v1`), beside the orchestrator's.

use async_trait::async_trait;
use heal_proto::health::health_check_response::ServingStatus;
use heal_proto::health::health_server::Health;
use heal_proto::health::{HealthCheckRequest, HealthCheckResponse};
use tonic::{Request, Response, Status};

/// The path of its calls.
pub(super) const PATH: &str = "/grpc.health.v1.Health/";

/// The service of the server that health is known of, beside the server as a whole.
const ORCHESTRATOR: &str = "orchestrator.OrchestratorStrategic";

#[derive(Clone)]
pub(super) struct Rpc {
    pub(super) not_serving: Vec<String>,
}

#[async_trait]
impl Health for Rpc {
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
