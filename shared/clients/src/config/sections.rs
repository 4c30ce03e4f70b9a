//! The configuration of each client.

use std::path::PathBuf;
use std::time::Duration;

use super::value::{BaseUrl, Environment, SpiffeId};
use crate::breaker;

/// The execution ticket service.
#[derive(Debug, Clone)]
pub struct TicketConfig {
    pub url: BaseUrl,
    pub timeout: Duration,
    pub dialect: Dialect,
    pub breaker: breaker::Settings,
}

/// What the ticket service understands; the fact sheet on wire contracts has both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// `POST …/reallocate`, `PATCH /tickets/{id}`.
    Guide,
    /// `PATCH /tickets/{id}/status` alone, with fewer fields.
    StatusPatch,
}

/// The orchestrator.
#[derive(Debug, Clone)]
pub struct OrchestratorConfig {
    /// An IPv6 address is in brackets.
    pub host: String,
    pub port: u16,
    pub use_tls: bool,
    pub timeout: Duration,
    pub breaker: breaker::Settings,
    pub environment: Environment,
    /// The one id that the server may have.
    pub server_id: SpiffeId,
    pub jwt_audience: String,
}

/// Who this process is.
#[derive(Debug, Clone)]
pub struct IdentityConfig {
    pub trust_domain: String,
    pub source: IdentitySource,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdentitySource {
    WorkloadApi { socket: String },
    Files(PemPaths),
    SecretsManager { secret_id: String },
    None,
}

/// An identity in PEM files, which something else keeps fresh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PemPaths {
    pub chain: PathBuf,
    pub key: PathBuf,
    pub bundle: PathBuf,
    pub jwt: Option<PathBuf>,
}

/// Validation of actions.
#[derive(Debug, Clone)]
pub struct PolicyConfig {
    /// An IPv6 address is in brackets.
    pub host: String,
    pub port: u16,
    pub enabled: bool,
    pub fail_open: bool,
    pub timeout: Duration,
    /// Besides the four that are always validated.
    pub extra_actions: Vec<String>,
}

/// The Kubernetes API.
#[derive(Debug, Clone)]
pub struct KubernetesConfig {
    pub access: KubernetesAccess,
    pub namespace: String,
    pub timeout: Duration,
}

/// How the Kubernetes API is found, the first of these that is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KubernetesAccess {
    Url(BaseUrl),
    Kubeconfig(PathBuf),
    Eks { cluster: String },
    InCluster,
}
