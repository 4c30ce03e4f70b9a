//! The orchestrator: its workflows, the gRPC service over them, and gRPC's own health service beside it.

mod describe;
mod health;
mod rpc;
mod store;
mod workflow;

use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use heal_proto::health::health_server::HealthServer;
use heal_proto::orchestrator_strategic_server::OrchestratorStrategicServer;
use http::Request;
use http::request::Parts;
use tower::ServiceExt;

pub use workflow::{Allocation, HistoryEvent, Replanning, Workflow, WorkflowState};

pub(crate) use store::Store;

use crate::connection::Peer;
use crate::gateway::{Answer, Backend, header};
use crate::journal::{Described, Entry};
use crate::tickets;
use crate::tls::TlsMaterial;
use rpc::Rpc;

/// What a fault of the orchestrator may name.
pub const OPERATIONS: &[&str] = &[
    "AdjustPriorities",
    "RebalanceResources",
    "PauseWorkflow",
    "ResumeWorkflow",
    "TriggerReplanning",
    "GetWorkflowStatus",
    "Check",
];

/// Where and how the orchestrator listens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrchestratorConfig {
    /// 0 = a free port.
    pub port: u16,
    /// mTLS; absent: plain text.
    pub tls: Option<TlsMaterial>,
    /// The SPIFFE ids that may call, under TLS; empty: every id that the authorities vouch for.
    /// Another one is answered with `PERMISSION_DENIED`, a client without an id with `UNAUTHENTICATED`.
    pub clients: Vec<String>,
    /// Whether a call without `authorization: Bearer …` is answered with `UNAUTHENTICATED`.
    pub bearer_required: bool,
    /// What `GetWorkflowStatus` says of a workflow that is not there.
    pub unknown_workflow: UnknownWorkflow,
    /// The services that the health service calls `NOT_SERVING`; empty text: the server as a whole.
    pub not_serving: Vec<String>,
}

/// The two ways of saying that a workflow is not there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnknownWorkflow {
    /// The status `NOT_FOUND`.
    #[default]
    NotFound,
    /// An answer whose state is `WORKFLOW_STATE_UNSPECIFIED`.
    Unspecified,
}

/// The running service.
pub(crate) struct Orchestrator {
    config: OrchestratorConfig,
    server: OrchestratorStrategicServer<Rpc>,
    health: HealthServer<health::Rpc>,
}

impl Orchestrator {
    pub(crate) fn new(config: OrchestratorConfig, store: Arc<Store>, tickets: Arc<tickets::Store>) -> Self {
        let rpc = Rpc { store, tickets, unknown: config.unknown_workflow };
        let health = HealthServer::new(health::Rpc { not_serving: config.not_serving.clone() });
        Self { config, server: OrchestratorStrategicServer::new(rpc), health }
    }

    fn refused(&self, parts: &Parts, peer: &Peer) -> Option<tonic::Status> {
        if self.config.tls.is_some() {
            let Some(id) = &peer.spiffe_id else {
                return Some(tonic::Status::unauthenticated("the client certificate has no SPIFFE id"));
            };
            if !self.config.clients.is_empty() && !self.config.clients.contains(id) {
                return Some(tonic::Status::permission_denied(format!("{id} may not call")));
            }
        }
        let bearer = header(&parts.headers, "authorization");
        if self.config.bearer_required && !bearer.is_some_and(|value| value.starts_with("Bearer ")) {
            return Some(tonic::Status::unauthenticated("no bearer token"));
        }
        None
    }
}

impl Backend for Orchestrator {
    fn describe(&self, parts: &Parts, body: &Bytes) -> Described {
        describe::describe(parts.uri.path(), body)
    }

    fn perform(&self, request: Request<Bytes>, peer: &Peer, entry: &Entry) -> Answer<'_> {
        let (mut parts, body) = request.into_parts();
        if let Some(status) = self.refused(&parts, peer) {
            return Box::pin(std::future::ready(status.into_http()));
        }
        parts.extensions.insert(entry.clone());
        let request = Request::from_parts(parts, Body::from(body));
        let (server, health) = (self.server.clone(), self.health.clone());
        Box::pin(async move {
            let answer = if request.uri().path().starts_with(health::PATH) {
                health.oneshot(request).await
            } else {
                server.oneshot(request).await
            };
            match answer {
                Ok(response) => response.map(Body::new),
                Err(never) => match never {},
            }
        })
    }
}
