//! One call on the wire: deadline, metadata, and at most one retry.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use heal_proto::orchestrator_strategic_client::OrchestratorStrategicClient;
use tokio::time::Instant;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::{Request, Response, Status};

use super::SERVICE;
use super::status;
use crate::call::CallContext;
use crate::config::{OrchestratorConfig, keys};
use crate::error::{Effect, Error, Misconfiguration, Outage, OutageKind, chain};
use crate::grpc::{ConnectError, Connection, Misfit, Security, Sender, Setting};
use crate::identity::{IdentityProvider, JwtSvid};

/// Longest answer that is decoded, in bytes.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;

/// The variables that say where the orchestrator is: a wrong one leads to another server.
pub(super) const ADDRESS: &str = "ORCHESTRATOR_GRPC_HOST or ORCHESTRATOR_GRPC_PORT";

pub(super) type Stub = OrchestratorStrategicClient<Sender>;

/// What distinguishes one kind of call from another, apart from its message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kind {
    pub operation: &'static str,
    /// The effect that a call may have had if its answer is lost: `NotApplied` for a read.
    pub at_stake: Effect,
    /// Whether a lost call may be sent again without reading the state first.
    pub repeatable: bool,
}

/// The connection to the orchestrator, with what every call on it needs.
#[derive(Debug)]
pub(super) struct Rpc {
    connection: Connection,
    identity: Arc<dyn IdentityProvider>,
    audience: String,
    pub(super) timeout: Duration,
}

impl Rpc {
    pub(super) fn new(config: &OrchestratorConfig, identity: &Arc<dyn IdentityProvider>) -> Self {
        let security = if config.use_tls {
            Security::Mutual { identity: Arc::clone(identity), server_id: config.server_id.clone() }
        } else {
            Security::Plain
        };
        Self {
            connection: Connection::new(&config.host, config.port, security),
            identity: Arc::clone(identity),
            audience: config.jwt_audience.clone(),
            timeout: config.timeout,
        }
    }

    /// Sends the call; retries once if it was not sent, or if the connection broke and the call is repeatable. Ends before `limit`.
    pub(super) async fn call<M: Clone, A, F>(
        &self,
        kind: Kind,
        message: M,
        limit: Instant,
        context: &CallContext,
        invoke: impl Fn(Stub, Request<M>) -> F,
    ) -> Result<A, Error>
    where
        F: Future<Output = Result<Response<A>, Status>>,
    {
        let first = match Box::pin(self.call_once(kind, message.clone(), limit, context, &invoke)).await {
            Err(Error::Unavailable(outage)) => outage,
            result => return result,
        };
        let may_retry = first.kind.is_of_the_connection() && (kind.repeatable || first.effect == Effect::NotApplied);
        if !may_retry || Instant::now() >= limit {
            return Err(Error::Unavailable(first));
        }
        tracing::debug!(service = SERVICE, operation = kind.operation, error = first.detail, "call.repeated");
        Box::pin(self.call_once(kind, message, limit, context, &invoke)).await.map_err(|error| match error {
            Error::Unavailable(mut second) => {
                if first.effect == Effect::Unknown {
                    second.effect = Effect::Unknown;
                }
                Error::Unavailable(second)
            }
            refused @ (Error::Invalid { .. } | Error::Misconfigured(_) | Error::Refused(_)) => refused,
        })
    }

    async fn call_once<M, A, F>(
        &self,
        kind: Kind,
        message: M,
        limit: Instant,
        context: &CallContext,
        invoke: &impl Fn(Stub, Request<M>) -> F,
    ) -> Result<A, Error>
    where
        F: Future<Output = Result<Response<A>, Status>>,
    {
        let mut sent = false;
        let exchange = async {
            let sender = self.connection.sender().await.map_err(|fault| not_connected(kind, fault))?;
            let token = if self.connection.is_protected() { self.identity.jwt(&self.audience).await } else { None };
            let request = request(message, limit, context, token.as_ref());
            sent = true;
            invoke(self.stub(sender)?, request)
                .await
                .map(Response::into_inner)
                .map_err(|status| status::error_from(kind.operation, kind.at_stake, &status))
        };
        let result = if let Ok(result) = tokio::time::timeout_at(limit, exchange).await {
            result
        } else {
            let effect = if sent { kind.at_stake } else { Effect::NotApplied };
            let detail =
                if sent { "no answer before the call's deadline" } else { "not connected before the call's deadline" };
            Err(outage(kind, OutageKind::Timeout, effect, detail.to_owned()))
        };
        if let Err(Error::Unavailable(outage)) = &result
            && matches!(outage.kind, OutageKind::Timeout | OutageKind::Reset)
        {
            self.connection.forget().await;
        }
        result
    }

    fn stub(&self, sender: Sender) -> Result<Stub, Error> {
        let origin = self.connection.origin().parse().map_err(|error: http::uri::InvalidUri| Error::Invalid {
            field: "ORCHESTRATOR_GRPC_HOST",
            problem: chain(&error),
        })?;
        Ok(OrchestratorStrategicClient::with_origin(sender, origin).max_decoding_message_size(MAX_ANSWER_BYTES))
    }
}

fn request<M>(message: M, limit: Instant, context: &CallContext, token: Option<&JwtSvid>) -> Request<M> {
    let mut request = Request::new(message);
    request.set_timeout(limit.saturating_duration_since(Instant::now()));
    if let Some(traceparent) = context.outgoing_traceparent() {
        // An unusable trace context must not fail the call.
        match traceparent.parse() {
            Ok(value) => drop(request.metadata_mut().insert("traceparent", value)),
            Err(error) => tracing::debug!(%error, "call.traceparent_dropped"),
        }
    }
    if let Some(token) = token {
        match format!("Bearer {}", token.token()).parse::<MetadataValue<Ascii>>() {
            Ok(mut value) => {
                value.set_sensitive(true);
                request.metadata_mut().insert("authorization", value);
            }
            Err(error) => tracing::warn!(%error, "identity.token_dropped"),
        }
    }
    request
}

fn not_connected(kind: Kind, fault: ConnectError) -> Error {
    match fault {
        ConnectError::Outage { kind: cause, detail } => outage(kind, cause, Effect::NotApplied, detail),
        ConnectError::Misfit(Misfit { setting, observed, expected }) => {
            let variable = match setting {
                Setting::ServerId => keys::ENV_SPIFFE_SERVER_ID,
                Setting::TrustDomain => keys::ENV_SPIFFE_TRUST_DOMAIN,
                Setting::Tls => keys::ENV_ORCHESTRATOR_USE_TLS,
                Setting::Address => ADDRESS,
            };
            let operation = kind.operation;
            Error::Misconfigured(Misconfiguration { service: SERVICE, operation, variable, observed, expected })
        }
    }
}

pub(super) fn outage(kind: Kind, outage: OutageKind, effect: Effect, detail: String) -> Error {
    let outage =
        Outage { service: SERVICE, operation: kind.operation, kind: outage, retry_after: None, effect, detail };
    outage.into_error()
}
