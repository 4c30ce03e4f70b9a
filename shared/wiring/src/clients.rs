//! The clients of one program.

use std::sync::Arc;

use heal_clients::config::{Config, Invalid, Strings};
use heal_clients::{Observer, Wiring, checks, identity, kubernetes, orchestrator, policy, tickets};
use heal_runtime::port::{BreakerStore, Clock, SystemClock};

use crate::aws;

/// Why the clients cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The environment is wrong; the cause names every wrong variable.
    #[error("invalid configuration, `heal doctor` lists every variable")]
    Configuration(#[from] Invalid),
    /// AWS does not give what the configuration names there.
    #[error("failed to set up the {part} from AWS")]
    Aws {
        /// The part that needs AWS.
        part: &'static str,
        /// What AWS answered.
        #[source]
        cause: aws::AwsError,
    },
    /// A client cannot be made from the configuration.
    #[error("failed to set up the {part}")]
    Client {
        /// The part, such as `orchestrator client`.
        part: &'static str,
        /// What is missing or wrong.
        #[source]
        cause: heal_clients::Error,
    },
}

/// Makes clients that share identity, breakers and observer.
#[derive(Debug, Clone)]
pub struct Clients {
    config: Config,
    wiring: Wiring,
}

impl Clients {
    /// Reads the whole configuration, and gets the workload identity. Connects to AWS only where the configuration names something there.
    ///
    /// # Errors
    /// Every fault of the configuration at once; or the identity is not available.
    pub async fn new(
        strings: &dyn Strings,
        breakers: Arc<dyn BreakerStore>,
        observer: Arc<dyn Observer>,
    ) -> Result<Self, Error> {
        let mut clients = Self::unshared(Config::read(strings)?).observed_by(observer).with_identity().await?;
        clients.wiring.breaker_store = Some(breakers);
        Ok(clients)
    }

    /// Clients for single calls from outside a run: without identity and observer, with breakers of their own.
    pub fn unshared(config: Config) -> Self {
        Self { config, wiring: Wiring::default() }
    }

    /// The same clients, which report their calls to `observer`.
    #[must_use]
    pub fn observed_by(mut self, observer: Arc<dyn Observer>) -> Self {
        self.wiring.observer = observer;
        self
    }

    /// The same clients with the configured workload identity.
    ///
    /// # Errors
    /// The identity is not available.
    pub async fn with_identity(mut self) -> Result<Self, Error> {
        const PART: &str = "workload identity";
        let secrets = aws::secret_reader(&self.config.identity).await;
        let secrets = secrets.map_err(|cause| Error::Aws { part: PART, cause })?;
        self.wiring.identity = identity::provider(&self.config.identity, secrets).map_err(client_error(PART))?;
        Ok(self)
    }

    /// The configuration that the clients are made from.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// What the clients share.
    pub const fn wiring(&self) -> &Wiring {
        &self.wiring
    }

    /// A client of the execution ticket service.
    ///
    /// # Errors
    /// It cannot be made from the configuration.
    pub fn tickets(&self) -> Result<Arc<tickets::Client>, Error> {
        let client = tickets::Client::new(&self.config.tickets, &self.wiring);
        client.map(Arc::new).map_err(client_error("ticket service client"))
    }

    /// A client of the orchestrator.
    ///
    /// # Errors
    /// It cannot be made from the configuration, such as mutual TLS without an identity.
    pub fn orchestrator(&self) -> Result<Arc<orchestrator::Client>, Error> {
        let client = orchestrator::Client::new(&self.config.orchestrator, &self.wiring);
        client.map(Arc::new).map_err(client_error("orchestrator client"))
    }

    /// The policy: a client of the OPA server, with the bundled policy behind it.
    ///
    /// # Errors
    /// It cannot be made from the configuration.
    pub fn policy(&self) -> Result<Arc<policy::Client>, Error> {
        let client = policy::Client::new(&self.config.policy, &self.wiring);
        client.map(Arc::new).map_err(client_error("policy client"))
    }

    /// A client of the Kubernetes API. Asks AWS for the endpoint where the configuration names an EKS cluster.
    ///
    /// # Errors
    /// AWS does not describe the cluster, or the client cannot be made from the configuration.
    pub async fn kubernetes(&self) -> Result<Arc<kubernetes::Client>, Error> {
        const PART: &str = "Kubernetes client";
        let eks = aws::cluster(&self.config.kubernetes).await;
        let eks = eks.map_err(|cause| Error::Aws { part: PART, cause })?;
        let client = kubernetes::Client::new(&self.config.kubernetes, eks.as_ref(), &self.wiring).await;
        client.map(Arc::new).map_err(client_error(PART))
    }

    /// The prober of the scheduled checks, with breakers of its own.
    ///
    /// A failed probe never opens the breaker of an action: the checks write no row but their own.
    pub fn prober(&self) -> Arc<checks::Prober> {
        let wiring = Wiring { breaker_store: None, ..self.wiring.clone() };
        Arc::new(checks::Prober::new(&self.config, &wiring))
    }

    /// The wall clock, by which deadlines of attempts are set.
    pub fn clock() -> Arc<dyn Clock> {
        Arc::new(SystemClock)
    }
}

fn client_error(part: &'static str) -> impl Fn(heal_clients::Error) -> Error {
    move |cause| Error::Client { part, cause }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use heal_clients::CallContext;
    use heal_clients::observe::NoopObserver;
    use heal_clients::tickets::Filter;
    use heal_runtime::Timestamp;
    use heal_runtime::checks::{Observation, OverdueTickets, Probe};
    use heal_runtime::port::Prober as _;
    use heal_testkit::memory::{Breakers, Faults};

    use super::*;

    /// No service listens there.
    const NOWHERE: [(&str, &str); 2] =
        [("EXECUTION_TICKET_SERVICE_URL", "http://127.0.0.1:1"), ("SPIFFE_IDENTITY_SOURCE", "none")];
    /// More failures than open a breaker.
    const PROBES: usize = 8;

    #[tokio::test]
    async fn the_prober_does_not_touch_the_shared_breakers() {
        let touched = Arc::new(AtomicUsize::new(0));
        let faults = Faults::default();
        faults.decide_by({
            let touched = Arc::clone(&touched);
            move |_| {
                touched.fetch_add(1, Ordering::Relaxed);
                None
            }
        });
        let breakers = Arc::new(Breakers::new(faults));
        let clients = Clients::new(&NOWHERE, breakers, Arc::new(NoopObserver)).await.unwrap();
        let prober = clients.prober();
        let status = "RUNNING".to_owned();
        let probe = Probe::OverdueTickets(OverdueTickets { status, overdue_seconds: 0, limit: 10, timeout_seconds: 5 });
        for _ in 0..PROBES {
            let seen = prober.probe(&probe, Timestamp(1)).await;
            assert!(matches!(seen, Observation::Unknown { .. }), "{seen:?}");
        }
        assert_eq!(touched.load(Ordering::Relaxed), 0);

        let context = CallContext::within(Duration::from_secs(5));
        let tickets = clients.tickets().unwrap();
        for _ in 0..PROBES {
            tickets.list_tickets(&Filter::default(), &context).await.unwrap_err();
        }
        assert!(touched.load(Ordering::Relaxed) > 0, "a client shares its breaker");
    }
}
