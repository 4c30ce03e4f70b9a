//! The looks of scheduled checks: every probe, over the clients of the services. Nothing here changes anything.
//!
//! A service that does not answer is what a look at that service finds out; for a look at tickets or workflows it means that nothing can
//! be told, and never that there is nothing to find.

mod dependency;
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
use crate::error::Error;
use crate::identity::IdentityProvider;

pub use tickets::{PAGE, PAGES};
pub use workflows::CONCURRENT;

use heal_runtime::checks::{Failing, Observation, OverdueTickets, Probe, StuckWorkflows};

/// Looks at the services that the configuration names, and at those that checks name themselves.
///
/// A client that cannot be made from the configuration costs the looks that need it, and no others.
pub struct Prober {
    tickets: Made<crate::tickets::Client>,
    orchestrator: Made<crate::orchestrator::Client>,
    policy: Made<crate::policy::Client>,
    /// Where it is false nobody depends on the policy server.
    is_policy_enabled: bool,
    http: http::Client,
    identity: Arc<dyn IdentityProvider>,
    /// The id that a gRPC server has to have where the check names none.
    server_id: SpiffeId,
}

/// A client, or why there is none.
type Made<C> = Result<C, Error>;

impl fmt::Debug for Prober {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prober").field("tickets", &self.tickets).finish_non_exhaustive()
    }
}

impl Prober {
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
            Ok(tickets) => tickets::look(tickets, probe, now, context).await,
            Err(error) => Observation::unknown(error.to_string()),
        }
    }

    async fn stuck(&self, probe: &StuckWorkflows, now: Timestamp, context: &CallContext) -> Observation {
        match (&self.orchestrator, &self.tickets) {
            (Ok(orchestrator), Ok(tickets)) => workflows::look(orchestrator, tickets, probe, now, context).await,
            (Err(error), _) | (_, Err(error)) => Observation::unknown(error.to_string()),
        }
    }
}

#[async_trait]
impl port::Prober for Prober {
    async fn probe(&self, probe: &Probe, now: Timestamp) -> Observation {
        let context = CallContext::within(Duration::from_secs(probe.timeout_seconds()));
        match probe {
            Probe::Http(probe) => self.http.look(probe, &context).await,
            Probe::GrpcHealth(probe) => grpc_health::look(probe, &self.identity, &self.server_id, &context).await,
            Probe::OverdueTickets(probe) => self.overdue(probe, now, &context).await,
            Probe::StuckWorkflows(probe) => self.stuck(probe, now, &context).await,
            Probe::Dependency(probe) => self.dependency(probe.service, &context).await,
        }
    }
}

/// A target that is not well. `fields` gets the id too.
fn failing<const N: usize>(id: &str, fields: [(&str, Value); N], reason: String) -> Failing {
    let own = fields.into_iter().map(|(name, value)| (name.to_owned(), value));
    let fields: Map<String, Value> = own.chain([("id".to_owned(), id.into())]).collect();
    Failing { id: id.to_owned(), fields, reason }
}

/// Epoch milliseconds as the services write them; none for what is no moment.
fn moment(milliseconds: Option<i64>) -> Option<u64> {
    milliseconds.and_then(|milliseconds| u64::try_from(milliseconds).ok()).filter(|moment| *moment > 0)
}
