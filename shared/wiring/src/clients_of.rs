//! The clients of one program.

use std::sync::Arc;

use heal_clients::config::{Config, Invalid, Strings};
use heal_clients::port::StoredBreaker;
use heal_clients::{Observer, Wiring, checks, identity, kubernetes, orchestrator, policy, tickets};
use heal_runtime::port::{BreakerStore, Clock, SystemClock};

use crate::aws;

/// What cannot be put together, and of which part.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("configuration")]
    Configuration(#[from] Invalid),
    /// AWS does not give what the configuration names of it.
    #[error("{part}")]
    Aws {
        part: &'static str,
        #[source]
        cause: aws::AwsError,
    },
    #[error("{part}")]
    Client {
        part: &'static str,
        #[source]
        cause: heal_clients::Error,
    },
}

/// Makes clients that share identity, breakers and observer.
#[derive(Debug)]
pub struct Clients {
    config: Config,
    wiring: Wiring,
}

impl Clients {
    /// Reads the whole configuration, and finds out who this program is. Connects to AWS only where the configuration names something of it.
    ///
    /// # Errors
    /// Every fault of the configuration at once; or the identity cannot be had.
    pub async fn new(
        strings: &dyn Strings,
        breakers: Arc<dyn BreakerStore>,
        observer: Arc<dyn Observer>,
    ) -> Result<Self, Error> {
        let config = Config::read(strings)?;
        let secrets = aws::secret_reader(&config.identity).await;
        let secrets = secrets.map_err(|cause| Error::Aws { part: "identity", cause })?;
        let identity = identity::provider(&config.identity, secrets).map_err(of("identity"))?;
        let breaker_store = Some(Arc::new(StoredBreaker::new(breakers, &config)) as _);
        Ok(Self { wiring: Wiring { observer, breaker_store, identity }, config })
    }

    pub const fn config(&self) -> &Config {
        &self.config
    }

    pub const fn wiring(&self) -> &Wiring {
        &self.wiring
    }

    pub fn tickets(&self) -> Result<Arc<tickets::Client>, Error> {
        tickets::Client::new(&self.config.tickets, &self.wiring).map(Arc::new).map_err(of("ticket service"))
    }

    pub fn orchestrator(&self) -> Result<Arc<orchestrator::Client>, Error> {
        orchestrator::Client::new(&self.config.orchestrator, &self.wiring).map(Arc::new).map_err(of("orchestrator"))
    }

    pub fn policy(&self) -> Result<Arc<policy::Client>, Error> {
        policy::Client::new(&self.config.policy, &self.wiring).map(Arc::new).map_err(of("policy"))
    }

    /// Asks AWS for the cluster where the configuration names one of EKS.
    pub async fn kubernetes(&self) -> Result<Arc<kubernetes::Client>, Error> {
        let eks = aws::cluster(&self.config.kubernetes).await;
        let eks = eks.map_err(|cause| Error::Aws { part: "Kubernetes", cause })?;
        let client = kubernetes::Client::new(&self.config.kubernetes, eks.as_ref(), &self.wiring).await;
        client.map(Arc::new).map_err(of("Kubernetes"))
    }

    /// What scheduled checks look through. It leaves the breakers that others meet in alone: a check writes no rows but its own, and what it
    /// looks at now and then says nothing to those who work.
    pub fn prober(&self) -> Arc<checks::Prober> {
        let wiring = Wiring { breaker_store: None, ..self.wiring.clone() };
        Arc::new(checks::Prober::new(&self.config, &wiring))
    }

    /// The wall clock, which attempts' deadlines are set by.
    pub fn clock() -> Arc<dyn Clock> {
        Arc::new(SystemClock)
    }
}

fn of(part: &'static str) -> impl Fn(heal_clients::Error) -> Error {
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

    /// Nobody listens there.
    const NOWHERE: [(&str, &str); 2] =
        [("EXECUTION_TICKET_SERVICE_URL", "http://127.0.0.1:1"), ("SPIFFE_IDENTITY_SOURCE", "none")];
    /// More than open a breaker.
    const LOOKS: usize = 8;

    #[tokio::test]
    async fn checks_leave_the_shared_breakers_alone() {
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
        for _ in 0..LOOKS {
            let seen = prober.probe(&probe, Timestamp(1)).await;
            assert!(matches!(seen, Observation::Unknown { .. }), "{seen:?}");
        }
        assert_eq!(touched.load(Ordering::Relaxed), 0);

        let context = CallContext::within(Duration::from_secs(5));
        let tickets = clients.tickets().unwrap();
        for _ in 0..LOOKS {
            tickets.list_tickets(&Filter::default(), &context).await.unwrap_err();
        }
        assert!(touched.load(Ordering::Relaxed) > 0, "the others meet in them");
    }
}
