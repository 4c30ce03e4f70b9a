//! The configuration of each client, read and checked.

use std::path::PathBuf;
use std::time::Duration;

use super::selector::WorkerSelector;
use super::value::{BaseUrl, Environment, SpiffeId};
use crate::breaker;

/// The configuration of all clients.
#[derive(Debug, Clone)]
pub struct Config {
    /// The deployment environment.
    pub environment: Environment,
    /// The execution ticket service.
    pub tickets: TicketConfig,
    /// The orchestrator.
    pub orchestrator: OrchestratorConfig,
    /// The identity of this process.
    pub identity: IdentityConfig,
    /// The validation of actions.
    pub policy: PolicyConfig,
    /// The Kubernetes API.
    pub kubernetes: KubernetesConfig,
}

/// The execution ticket service.
#[derive(Debug, Clone)]
pub struct TicketConfig {
    /// Base URL; a path in it is a prefix of every path.
    pub url: BaseUrl,
    /// For one call, response included.
    pub timeout: Duration,
    /// Which routes the service has.
    pub dialect: Dialect,
    /// The circuit breaker's limits.
    pub breaker: breaker::Settings,
}

/// The routes that the ticket service has.
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
    /// Host name or address; an IPv6 address is in brackets.
    pub host: String,
    /// Port of the gRPC service.
    pub port: u16,
    /// Mutual TLS; plain text otherwise.
    pub use_tls: bool,
    /// For one call.
    pub timeout: Duration,
    /// The circuit breaker's limits.
    pub breaker: breaker::Settings,
    /// The deployment environment, which may require TLS.
    pub environment: Environment,
    /// SPIFFE ID that the server must have.
    pub server_id: SpiffeId,
    /// Audience of the JWT-SVID sent with each call.
    pub jwt_audience: String,
}

/// The identity of this process.
#[derive(Debug, Clone)]
pub struct IdentityConfig {
    /// Trust domain of the platform.
    pub trust_domain: String,
    /// Where the identity comes from.
    pub source: IdentitySource,
}

/// Where the identity comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdentitySource {
    /// The SPIFFE Workload API.
    WorkloadApi {
        /// `unix:///path` or `tcp://ip:port`.
        socket: String,
    },
    /// PEM files on the disk.
    Files(PemPaths),
    /// A secret of AWS Secrets Manager.
    SecretsManager {
        /// Name or ARN of the secret.
        secret_id: String,
    },
    /// The process has no identity.
    None,
}

/// An identity in PEM files, which another process renews.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PemPaths {
    /// Certificate chain, leaf first.
    pub chain: PathBuf,
    /// Private key.
    pub key: PathBuf,
    /// Authorities of the trust domain.
    pub bundle: PathBuf,
    /// A JWT-SVID, if there is one.
    pub jwt: Option<PathBuf>,
}

/// Validation of actions.
#[derive(Debug, Clone)]
pub struct PolicyConfig {
    /// Host name or address of the OPA server, an IPv6 address in brackets; `None`: the bundled policy decides alone.
    pub host: Option<String>,
    /// Port of the OPA server.
    pub port: u16,
    /// `false` allows every action.
    pub enabled: bool,
    /// What decides if the OPA server does not.
    pub fallback: PolicyFallback,
    /// Whether an action is allowed when no policy can decide.
    pub fail_open: bool,
    /// For one query.
    pub timeout: Duration,
    /// Names of the actions to validate besides the four that always are.
    pub extra_actions: Vec<String>,
}

/// What decides if the OPA server does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyFallback {
    /// The policy in this process.
    Bundled,
    /// Nothing: [`PolicyConfig::fail_open`] applies.
    None,
}

/// The Kubernetes API.
#[derive(Debug, Clone)]
pub struct KubernetesConfig {
    /// How the API is reached.
    pub access: KubernetesAccess,
    /// Namespace of a pod if the action names none.
    pub namespace: String,
    /// Namespaces whose pods may be deleted; `None`: only `namespace`, unless it is one of [`SYSTEM_NAMESPACES`].
    pub restart_namespaces: Option<Vec<String>>,
    /// Finds the pods of a worker whose id is not a pod's name.
    pub worker_selector: WorkerSelector,
    /// For one call.
    pub timeout: Duration,
}

/// Kubernetes' own namespaces: pods in them may be deleted only where [`KubernetesConfig::restart_namespaces`] names them.
pub const SYSTEM_NAMESPACES: [&str; 3] = ["kube-system", "kube-public", "kube-node-lease"];

/// How the Kubernetes API is reached: the first of these that is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KubernetesAccess {
    /// A URL that needs no credentials.
    Url(BaseUrl),
    /// A kubeconfig file.
    Kubeconfig(PathBuf),
    /// An EKS cluster, described by AWS.
    Eks {
        /// Name of the cluster.
        cluster: String,
    },
    /// The pod's service account.
    InCluster,
}
