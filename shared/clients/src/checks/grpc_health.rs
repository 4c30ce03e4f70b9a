//! The standard health service of gRPC (`grpc.health.v1`), of any server.

use std::sync::Arc;

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
use crate::grpc::{ConnectFault, Connection, Security};
use crate::identity::IdentityProvider;
use crate::orchestrator::status::name;

/// Most that is read of an answer, which has a few bytes.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// What a server said, or did not say.
enum Said {
    Status(ServingStatus),
    /// No answer to the question: that is what the look finds out.
    Nothing(String),
    /// Why this process could not ask, or the server has no answer to give.
    CannotTell(String),
}

/// Makes a connection of its own each time: whether one can be made is a part of the question.
pub(super) async fn look(
    probe: &GrpcHealth,
    identity: &Arc<dyn IdentityProvider>,
    default_id: &SpiffeId,
    context: &CallContext,
) -> Observation {
    let said = tokio::time::timeout_at(context.deadline.into(), ask(probe, identity, default_id)).await;
    let said = said.unwrap_or_else(|_| Said::Nothing(format!("no answer within {} seconds", probe.timeout_seconds)));
    let address = format!("{}:{}", probe.host, probe.port);
    let (status, reason) = match said {
        Said::Status(ServingStatus::Serving) => return Observation::well(),
        Said::CannotTell(reason) => return Observation::unknown(format!("{address}: {reason}")),
        Said::Status(status) => (Some(status.as_str_name()), format!("it is {}", status.as_str_name())),
        Said::Nothing(reason) => (None, reason),
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

async fn ask(probe: &GrpcHealth, identity: &Arc<dyn IdentityProvider>, default_id: &SpiffeId) -> Said {
    let security = match security(probe, identity, default_id) {
        Ok(security) => security,
        Err(problem) => return Said::CannotTell(problem),
    };
    let connection = Connection::new(&bracketed(&probe.host), probe.port, security);
    let sender = match connection.sender().await {
        Ok(sender) => sender,
        Err(ConnectFault { kind: OutageKind::NoIdentity, detail }) => return Said::CannotTell(detail),
        Err(fault) => return Said::Nothing(chain(&fault)),
    };
    let origin = match connection.origin().parse::<http::Uri>() {
        Ok(origin) => origin,
        Err(error) => return Said::CannotTell(chain(&error)),
    };
    let mut client = HealthClient::with_origin(sender, origin).max_decoding_message_size(MAX_ANSWER_BYTES);
    let question = HealthCheckRequest { service: probe.service.clone() };
    match client.check(Request::new(question)).await {
        Ok(answer) => Said::Status(answer.into_inner().status()),
        Err(status) => refused(&status),
    }
}

/// A status that is no answer to the question.
fn refused(status: &Status) -> Said {
    if let Some(cause) = std::error::Error::source(status) {
        // Made on this side: the server said nothing.
        return Said::Nothing(chain(cause));
    }
    let said = format!("{}: {}", name(status.code()), one_line(status.message()));
    match status.code() {
        Code::Unimplemented | Code::Unauthenticated | Code::PermissionDenied | Code::InvalidArgument => {
            Said::CannotTell(said)
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
        | Code::DataLoss => Said::Nothing(said),
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

/// An IPv6 address in brackets, as it stands before a port.
fn bracketed(host: &str) -> String {
    if host.parse::<std::net::Ipv6Addr>().is_ok() { format!("[{host}]") } else { host.to_owned() }
}
