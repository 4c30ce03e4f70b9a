//! What a platform is started with, and where it is then found.

use std::io;
use std::net::SocketAddr;

use crate::kubernetes::KubernetesConfig;
use crate::opa::{OpaConfig, PolicyError};
use crate::orchestrator::OrchestratorConfig;
use crate::seed::{Seed, SeedError};
use crate::service::Service;
use crate::tickets::{Dialect, TicketsConfig};
use crate::tls::TlsError;

/// Everything that a platform is started with. The default: free ports, plain text, no policy loaded, a control port,
/// and the seed [`Seed::unhealthy_worker`].
#[derive(Clone, Debug, PartialEq)]
pub struct PlatformConfig {
    /// The ticket service.
    pub tickets: TicketsConfig,
    /// The orchestrator.
    pub orchestrator: OrchestratorConfig,
    /// The Kubernetes API.
    pub kubernetes: KubernetesConfig,
    /// The policy server.
    pub opa: OpaConfig,
    /// The control port; 0 = a free one, absent: none.
    pub control_port: Option<u16>,
    /// The state to start from.
    pub seed: Seed,
}

impl Default for PlatformConfig {
    fn default() -> Self {
        Self {
            tickets: TicketsConfig::default(),
            orchestrator: OrchestratorConfig::default(),
            kubernetes: KubernetesConfig::default(),
            opa: OpaConfig::default(),
            control_port: Some(0),
            seed: Seed::unhealthy_worker(),
        }
    }
}

/// Why a platform did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Called outside of a runtime.
    #[error("no tokio runtime to serve on")]
    Runtime(#[from] tokio::runtime::TryCurrentError),
    /// A port that cannot be listened on.
    #[error("{service}: cannot listen on 127.0.0.1:{port}")]
    Bind {
        /// A service's name, or `control`.
        service: &'static str,
        /// The port asked for.
        port: u16,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// A path prefix that is none.
    #[error("tickets.prefix: `{prefix}`, expected a path such as /api/v1, or nothing")]
    Prefix {
        /// The prefix asked for.
        prefix: String,
    },
    /// The seed.
    #[error("seed: {0}")]
    Seed(#[from] SeedError),
    /// The policy.
    #[error("opa.{0}")]
    Policy(#[from] PolicyError),
    /// The orchestrator's TLS material.
    #[error("orchestrator.{0}")]
    Tls(#[from] TlsError),
}

/// Where the services listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// The ticket service's base URL, with its prefix.
    pub tickets_url: String,
    /// The dialect that it speaks.
    pub tickets_dialect: Dialect,
    /// The orchestrator.
    pub orchestrator: SocketAddr,
    /// Whether it speaks TLS alone.
    pub orchestrator_tls: bool,
    /// The Kubernetes API's base URL.
    pub kubernetes_url: String,
    /// The policy server.
    pub opa: SocketAddr,
    /// The control port's base URL.
    pub control_url: Option<String>,
}

impl Endpoints {
    /// The base URL of a service; of the orchestrator, with the scheme `http` or `https`.
    pub fn url(&self, service: Service) -> String {
        match service {
            Service::Tickets => self.tickets_url.clone(),
            Service::Orchestrator if self.orchestrator_tls => format!("https://{}", self.orchestrator),
            Service::Orchestrator => format!("http://{}", self.orchestrator),
            Service::Kubernetes => self.kubernetes_url.clone(),
            Service::Opa => format!("http://{}", self.opa),
        }
    }

    /// The engine's variables that lead it here.
    pub fn env(&self) -> Vec<(String, String)> {
        let pairs = [
            ("EXECUTION_TICKET_SERVICE_URL", self.tickets_url.clone()),
            ("EXECUTION_TICKET_SERVICE_API", self.tickets_dialect.name().to_owned()),
            ("ORCHESTRATOR_GRPC_HOST", self.orchestrator.ip().to_string()),
            ("ORCHESTRATOR_GRPC_PORT", self.orchestrator.port().to_string()),
            ("ORCHESTRATOR_GRPC_USE_TLS", self.orchestrator_tls.to_string()),
            ("OPA_HOST", self.opa.ip().to_string()),
            ("OPA_PORT", self.opa.port().to_string()),
            ("KUBERNETES_API_URL", self.kubernetes_url.clone()),
        ];
        pairs.map(|(name, value)| (name.to_owned(), value)).into()
    }
}
