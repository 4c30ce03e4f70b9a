//! Probe of any server's gRPC health service (`grpc.health.v1`).

use std::sync::Arc;

use heal_proto::code_name;
use heal_proto::health::HealthCheckRequest;
use heal_proto::health::health_check_response::ServingStatus;
use heal_proto::health::health_client::HealthClient;
use heal_runtime::checks::{GrpcHealth, Observation};
use serde_json::Value;
use tonic::{Code, Request, Status};

use super::failing;
use crate::call::CallContext;
use crate::config::SpiffeId;
use crate::error::{OutageKind, chain, one_line};
use crate::grpc::{ConnectError, Connection, Security};
use crate::identity::IdentityProvider;

/// Longest response that is read; a correct one has a few bytes.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// The outcome of one health call.
enum HealthOutcome {
    Status(ServingStatus),
    /// The server did not respond, or with an error: it is failing.
    Failed(String),
    /// This process could not call, or the server does not report its health to it.
    Unknown(String),
}

/// Opens a new connection for every probe, so that a server that accepts none fails.
pub(super) async fn probe(
    probe: &GrpcHealth,
    identity: &Arc<dyn IdentityProvider>,
    default_id: &SpiffeId,
    context: &CallContext,
) -> Observation {
    let outcome = tokio::time::timeout_at(context.deadline, call_health(probe, identity, default_id)).await;
    let outcome = outcome
        .unwrap_or_else(|_| HealthOutcome::Failed(format!("no response within {} seconds", probe.timeout_seconds)));
    let address = format!("{}:{}", probe.host, probe.port);
    let (status, reason) = match outcome {
        HealthOutcome::Status(ServingStatus::Serving) => return Observation::well(),
        HealthOutcome::Unknown(reason) => return Observation::unknown(format!("{address}: {reason}")),
        HealthOutcome::Status(status) => (Some(status.as_str_name()), format!("it is {}", status.as_str_name())),
        HealthOutcome::Failed(reason) => (None, reason),
    };
    let (id, what) = match probe.service.as_str() {
        "" => (address.clone(), address.clone()),
        service => (format!("{address}/{service}"), format!("{service} of {address}")),
    };
    let fields = [
        ("address", Value::from(address)),
        ("service", Value::from(probe.service.as_str())),
        ("status", Value::from(status)),
    ];
    Observation::failing(failing(&id, fields, format!("{what}: {reason}")))
}

async fn call_health(probe: &GrpcHealth, identity: &Arc<dyn IdentityProvider>, default_id: &SpiffeId) -> HealthOutcome {
    let security = match security(probe, identity, default_id) {
        Ok(security) => security,
        Err(problem) => return HealthOutcome::Unknown(problem),
    };
    let connection = Connection::new(&bracketed(&probe.host), probe.port, security);
    let sender = match connection.sender().await {
        Ok(sender) => sender,
        Err(ConnectError::Outage { kind: OutageKind::NoIdentity | OutageKind::OwnTrouble, detail }) => {
            return HealthOutcome::Unknown(detail);
        }
        // The probe names another server than the one that answers, or calls it in the wrong way.
        Err(ConnectError::Misfit(misfit)) => return HealthOutcome::Unknown(misfit.to_string()),
        Err(error @ ConnectError::Outage { .. }) => return HealthOutcome::Failed(chain(&error)),
    };
    let origin = match connection.origin().parse::<http::Uri>() {
        Ok(origin) => origin,
        Err(error) => return HealthOutcome::Unknown(chain(&error)),
    };
    let mut client = HealthClient::with_origin(sender, origin).max_decoding_message_size(MAX_ANSWER_BYTES);
    let request = HealthCheckRequest { service: probe.service.clone() };
    match client.check(Request::new(request)).await {
        Ok(answer) => HealthOutcome::Status(answer.into_inner().status()),
        Err(status) => error_outcome(&status),
    }
}

/// Interprets an error status.
fn error_outcome(status: &Status) -> HealthOutcome {
    if let Some(cause) = std::error::Error::source(status) {
        // Created by the client: the server did not respond.
        return HealthOutcome::Failed(chain(cause));
    }
    let detail = format!("{}: {}", code_name(status.code()), one_line(status.message()));
    match status.code() {
        Code::Unimplemented | Code::Unauthenticated | Code::PermissionDenied | Code::InvalidArgument => {
            HealthOutcome::Unknown(detail)
        }
        Code::Ok
        | Code::Cancelled
        | Code::Unknown
        | Code::DeadlineExceeded
        | Code::NotFound
        | Code::AlreadyExists
        | Code::ResourceExhausted
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::OutOfRange
        | Code::Internal
        | Code::Unavailable
        | Code::DataLoss => HealthOutcome::Failed(detail),
    }
}

fn security(
    probe: &GrpcHealth,
    identity: &Arc<dyn IdentityProvider>,
    default_id: &SpiffeId,
) -> Result<Security, String> {
    if !probe.tls {
        return Ok(Security::Plain);
    }
    let server_id = match &probe.spiffe_id {
        Some(id) => SpiffeId::parse(id).map_err(|expected| format!("spiffe_id: expected {expected}"))?,
        None => default_id.clone(),
    };
    Ok(Security::Mutual { identity: Arc::clone(identity), server_id })
}

/// Puts an IPv6 address in brackets, as a port requires.
fn bracketed(host: &str) -> String {
    if host.parse::<std::net::Ipv6Addr>().is_ok() { format!("[{host}]") } else { host.to_owned() }
}
