//! The probes of scheduled checks, over the clients of the services. Every probe only reads.
//!
//! A service that does not respond is failing for the probe of that service. For the probes of tickets and workflows it makes the
//! observation unknown, never empty.

mod grpc_health;
mod http;
mod tickets;
mod workflows;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use heal_runtime::Timestamp;
use heal_runtime::port;
use serde_json::{Map, Value};

use crate::call::{CallContext, Wiring};
use crate::config::{Config, SpiffeId};
use crate::error::{Error, OutageKind};
use crate::identity::IdentityProvider;

pub use tickets::{PAGE, PAGES};
pub use workflows::CONCURRENT;

use heal_runtime::checks::{Failing, Observation, OverdueTickets, Probe, Service, StuckWorkflows};

/// Probes the services of the configuration, and the addresses that checks name themselves.
///
/// A client with an invalid configuration fails only the probes that need it.
pub struct Prober {
    tickets: Configured<crate::tickets::Client>,
    orchestrator: Configured<crate::orchestrator::Client>,
    policy: Configured<crate::policy::Client>,
    /// If false, the engine does not call the policy server, so its dependency probe passes.
    is_policy_enabled: bool,
    http: http::Client,
    identity: Arc<dyn IdentityProvider>,
    /// The SPIFFE ID expected of a gRPC server if the check names none.
    server_id: SpiffeId,
}

/// A client, or why its configuration is invalid.
type Configured<C> = Result<C, Error>;

impl fmt::Debug for Prober {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prober").field("tickets", &self.tickets).finish_non_exhaustive()
    }
}

impl Prober {
    /// A prober with one client per configured service.
    pub fn new(config: &Config, wiring: &Wiring) -> Self {
        Self {
            tickets: crate::tickets::Client::new(&config.tickets, wiring),
            orchestrator: crate::orchestrator::Client::new(&config.orchestrator, wiring),
            policy: crate::policy::Client::new(&config.policy, wiring),
            is_policy_enabled: config.policy.enabled,
            http: http::Client::default(),
            identity: Arc::clone(&wiring.identity),
            server_id: config.orchestrator.server_id.clone(),
        }
    }

    async fn overdue(&self, probe: &OverdueTickets, now: Timestamp, context: &CallContext) -> Observation {
        match &self.tickets {
            Ok(tickets) => tickets::probe(tickets, probe, now, context).await,
            Err(error) => Observation::unknown(error.to_string()),
        }
    }

    async fn stuck(&self, probe: &StuckWorkflows, now: Timestamp, context: &CallContext) -> Observation {
        match (&self.orchestrator, &self.tickets) {
            (Ok(orchestrator), Ok(tickets)) => workflows::probe(orchestrator, tickets, probe, now, context).await,
            (Err(error), _) | (_, Err(error)) => Observation::unknown(error.to_string()),
        }
    }

    async fn dependency(&self, service: Service, context: &CallContext) -> Observation {
        match self.call_health(service, context).await {
            Ok(()) => Observation::well(),
            // A fault of this process, not of the service.
            Err(Error::Unavailable(outage))
                if matches!(outage.kind, OutageKind::NoIdentity | OutageKind::OwnTrouble) =>
            {
                Observation::unknown(outage.to_string())
            }
            Err(error @ (Error::Invalid { .. } | Error::Misconfigured(_))) => Observation::unknown(error.to_string()),
            Err(error @ (Error::Unavailable(_) | Error::Refused(_))) => {
                let name = service.as_str();
                Observation::failing(failing(name, [("service", Value::from(name))], error.to_string()))
            }
        }
    }

    async fn call_health(&self, service: Service, context: &CallContext) -> Result<(), Error> {
        match service {
            Service::TicketService => available(&self.tickets)?.health(context).await,
            Service::Orchestrator => available(&self.orchestrator)?.health(context).await,
            Service::Opa if !self.is_policy_enabled => Ok(()),
            Service::Opa => available(&self.policy)?.health(context).await,
        }
    }
}

#[async_trait]
impl port::Prober for Prober {
    async fn probe(&self, probe: &Probe, now: Timestamp) -> Observation {
        let context = CallContext::within(Duration::from_secs(probe.timeout_seconds()));
        match probe {
            Probe::Http(probe) => self.http.probe(probe, &context).await,
            Probe::GrpcHealth(probe) => grpc_health::probe(probe, &self.identity, &self.server_id, &context).await,
            Probe::OverdueTickets(probe) => self.overdue(probe, now, &context).await,
            Probe::StuckWorkflows(probe) => self.stuck(probe, now, &context).await,
            Probe::Dependency(probe) => self.dependency(probe.service, &context).await,
        }
    }
}

fn available<C>(client: &Configured<C>) -> Result<&C, Error> {
    client.as_ref().map_err(Clone::clone)
}

/// A failing target. Adds `id` to `fields`.
fn failing<const N: usize>(id: &str, fields: [(&str, Value); N], reason: String) -> Failing {
    let own = fields.into_iter().map(|(name, value)| (name.to_owned(), value));
    let fields: Map<String, Value> = own.chain([("id".to_owned(), id.into())]).collect();
    Failing { id: id.to_owned(), fields, reason }
}

/// Epoch milliseconds of a service's response; `None` for zero and for negative values, which mean "not set".
fn epoch_ms(milliseconds: Option<i64>) -> Option<u64> {
    milliseconds.and_then(|milliseconds| u64::try_from(milliseconds).ok()).filter(|time| *time > 0)
}
