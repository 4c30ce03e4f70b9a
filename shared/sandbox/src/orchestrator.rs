//! The orchestrator: its workflows, the gRPC service over them, and gRPC's own health service.

mod describe;
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

use crate::gateway::{Answer, Backend, Peer, header};
use crate::journal::{Described, Entry};
use crate::tickets;
use crate::tls::TlsMaterial;
use rpc::{HEALTH_PATH, HealthRpc, Rpc};

/// Where the orchestrator listens and how it behaves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrchestratorConfig {
    /// The port; 0 takes a free one.
    pub port: u16,
    /// The material for mTLS; `None` serves plain text.
    pub tls: Option<TlsMaterial>,
    /// The SPIFFE ids that may call over TLS; empty allows every id of the client authorities.
    /// Any other id gets `PERMISSION_DENIED`, a client without an id `UNAUTHENTICATED`.
    pub clients: Vec<String>,
    /// Whether a call without `authorization: Bearer …` gets `UNAUTHENTICATED`.
    pub bearer_required: bool,
    /// How it treats a workflow that it does not know.
    pub unknown_workflow: UnknownWorkflow,
    /// Whether it never reports REPLANNING: a replanning leaves the state of its workflows as it was.
    pub hides_replanning: bool,
    /// The services that the health service reports as `NOT_SERVING`; the empty text is the server as a whole.
    pub not_serving: Vec<String>,
}

/// How the orchestrator treats a workflow that it does not know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnknownWorkflow {
    /// Every call gets `NOT_FOUND`.
    #[default]
    NotFound,
    /// `GetWorkflowStatus` reports the state UNSPECIFIED, every other call gets `NOT_FOUND`.
    Unspecified,
    /// `GetWorkflowStatus` reports PENDING with an empty plan and no times, `PauseWorkflow` succeeds and creates the
    /// workflow, every other call fails.
    Pending,
}

/// The running service.
pub(crate) struct Orchestrator {
    config: OrchestratorConfig,
    server: OrchestratorStrategicServer<Rpc>,
    health: HealthServer<HealthRpc>,
}

impl Orchestrator {
    pub(crate) fn new(config: OrchestratorConfig, store: Arc<Store>, tickets: Arc<tickets::Store>) -> Self {
        let rpc = Rpc { store, tickets, unknown: config.unknown_workflow, hides_replanning: config.hides_replanning };
        let health = HealthServer::new(HealthRpc { not_serving: config.not_serving.clone() });
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
            let answer = if request.uri().path().starts_with(HEALTH_PATH) {
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
