//! The clients of one program.

use std::sync::Arc;

use clients::config::{Config, Invalid, Strings};
use clients::port::StoredBreaker;
use clients::{Observer, Wiring, identity, kubernetes, orchestrator, policy, tickets};
use runtime::port::{BreakerStore, Clock, SystemClock};

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
        cause: clients::Error,
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

    /// The wall clock, which attempts' deadlines are set by.
    pub fn clock() -> Arc<dyn Clock> {
        Arc::new(SystemClock)
    }
}

fn of(part: &'static str) -> impl Fn(clients::Error) -> Error {
    move |cause| Error::Client { part, cause }
}
