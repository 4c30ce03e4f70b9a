//! The configuration of a platform, and the addresses of the running one.

use std::io;
use std::net::SocketAddr;

use crate::kubernetes::KubernetesConfig;
use crate::opa::{OpaConfig, PolicyError, ViolationsForm};
use crate::orchestrator::{OrchestratorConfig, UnknownWorkflow};
use crate::seed::{NAMESPACE, Seed, SeedError};
use crate::service::Service;
use crate::tickets::{Dialect, TicketsConfig};
use crate::tls::TlsError;

/// How a platform behaves and where it listens.
///
/// The default behaves as the integration guide describes the services, on free ports, in plain text, without a loaded
/// policy, with a control port and the seed [`Seed::unhealthy_worker`].
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
    /// The control port; 0 takes a free one, `None` leaves it out.
    pub control_port: Option<u16>,
    /// The initial state.
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

impl PlatformConfig {
    /// The services as they are deployed, which differ from the guide.
    ///
    /// - tickets: [`Dialect::Deployed`] under the prefix `/api/v1`
    /// - orchestrator: an unknown workflow is reported as PENDING and can be paused, REPLANNING is never reported
    /// - policy server: violations come as an object keyed by their JSON texts
    /// - Kubernetes: workers belong to a Deployment and are found by label ([`Seed::with_deployed_workers`])
    pub fn like_deployed() -> Self {
        Self {
            tickets: TicketsConfig {
                dialect: Dialect::Deployed,
                prefix: "/api/v1".to_owned(),
                ..TicketsConfig::default()
            },
            orchestrator: OrchestratorConfig {
                unknown_workflow: UnknownWorkflow::Pending,
                hides_replanning: true,
                ..OrchestratorConfig::default()
            },
            opa: OpaConfig { violations: ViolationsForm::Object, ..OpaConfig::default() },
            seed: Seed::unhealthy_worker().with_deployed_workers(),
            ..Self::default()
        }
    }
}

/// Why a platform could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// `start` was called outside of a tokio runtime.
    #[error("no tokio runtime to serve on")]
    Runtime(#[from] tokio::runtime::TryCurrentError),
    /// The port cannot be listened on.
    #[error("{service}: cannot listen on 127.0.0.1:{port}")]
    Bind {
        /// A service's name, or `control`.
        service: &'static str,
        /// The requested port.
        port: u16,
        /// The reason of the operating system.
        #[source]
        source: io::Error,
    },
    /// The prefix is not a path.
    #[error("tickets.prefix: `{prefix}`, expected a path such as /api/v1, or nothing")]
    Prefix {
        /// The requested prefix.
        prefix: String,
    },
    /// The seed is invalid.
    #[error("seed: {0}")]
    Seed(#[from] SeedError),
    /// The policy cannot be compiled.
    #[error("opa.{0}")]
    Policy(#[from] PolicyError),
    /// The TLS material of the orchestrator cannot be used.
    #[error("orchestrator.{0}")]
    Tls(#[from] TlsError),
}

/// The addresses of the running services.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// The ticket service's base URL, with its prefix.
    pub tickets_url: String,
    /// The dialect of the ticket service.
    pub tickets_dialect: Dialect,
    /// The address of the orchestrator.
    pub orchestrator: SocketAddr,
    /// Whether the orchestrator accepts TLS only.
    pub orchestrator_tls: bool,
    /// The Kubernetes API's base URL.
    pub kubernetes_url: String,
    /// The address of the policy server.
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

    /// The environment variables that point the engine at these services.
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
            ("KUBERNETES_NAMESPACE", NAMESPACE.to_owned()),
        ];
        pairs.map(|(name, value)| (name.to_owned(), value)).into()
    }
}
