//! The table of the clients' environment variables. `docs/configuration.md` documents the same table; a test compares the two.

use std::fmt;

/// One environment variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// The form of its value.
    pub kind: Kind,
    /// The programs that read it.
    pub readers: Readers,
    /// The value if it is unset. `None`: no value, or a value derived from other variables.
    pub default: Option<&'static str>,
    /// One line about its effect.
    pub purpose: &'static str,
}

/// The form of a variable's value; `docs/configuration.md` says what each accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`, and their usual synonyms.
    Boolean,
    /// One of the words that the purpose lists.
    Choice,
    /// A whole number of days.
    Days,
    /// A host name or an IP address.
    Host,
    /// Names separated by commas.
    Names,
    /// A file or a folder.
    Path,
    /// A TCP port.
    Port,
    /// A whole number of seconds.
    Seconds,
    /// Text that is never shown.
    Secret,
    /// Any other text.
    Text,
    /// A count of failures.
    Threshold,
    /// An `http` or `https` URL.
    Url,
}

/// The programs that read a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readers {
    /// `heal` and the Lambda functions.
    Both,
    /// The Lambda functions alone.
    Functions,
    /// `heal` alone.
    Heal,
}

impl Readers {
    /// Whether `heal` is one of them.
    pub const fn include_heal(self) -> bool {
        matches!(self, Self::Both | Self::Heal)
    }

    /// Whether the Lambda functions are among them.
    pub const fn include_functions(self) -> bool {
        matches!(self, Self::Both | Self::Functions)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Boolean => "boolean",
            Self::Choice => "choice",
            Self::Days => "days",
            Self::Host => "host",
            Self::Names => "names",
            Self::Path => "path",
            Self::Port => "port",
            Self::Seconds => "seconds",
            Self::Secret => "secret",
            Self::Text => "text",
            Self::Threshold => "threshold",
            Self::Url => "URL",
        })
    }
}

/// Declares a documented constant for each variable, and the table `VARIABLES` of all.
#[macro_export]
macro_rules! variables {
    ($($key:ident = $name:literal, $kind:ident, $readers:ident, $default:expr, $purpose:literal;)+) => {
        $(#[doc = $purpose] pub const $key: &str = $name;)+

        /// The variables declared here, in the order in which they are read and described.
        pub const VARIABLES: &[$crate::config::Variable] = &[$($crate::config::Variable {
            name: $name,
            kind: $crate::config::Kind::$kind,
            readers: $crate::config::Readers::$readers,
            default: $default,
            purpose: $purpose,
        },)+];
    };
}

variables! {
    ENV_ENVIRONMENT = "ENVIRONMENT", Text, Both, Some("development"),
        "Deployment environment; `production` and `staging` refuse plain-text gRPC";

    ENV_TICKETS_URL = "EXECUTION_TICKET_SERVICE_URL", Url, Both, Some("http://execution-ticket-service:8000"),
        "Base URL of the execution ticket service; a path in it is kept as a prefix";
    ENV_TICKETS_TIMEOUT = "EXECUTION_TICKET_SERVICE_TIMEOUT", Seconds, Both, Some("30"),
        "Seconds for one call to the ticket service, response included";
    ENV_TICKETS_API = "EXECUTION_TICKET_SERVICE_API", Choice, Both, Some("guide"),
        "Dialect of the ticket service: `guide` or `status_patch`";
    ENV_TICKETS_BREAKER_THRESHOLD = "EXECUTION_TICKET_CIRCUIT_BREAKER_THRESHOLD", Threshold, Both, Some("5"),
        "Consecutive failures of the ticket service that open its circuit breaker";
    ENV_TICKETS_BREAKER_RESET = "EXECUTION_TICKET_CIRCUIT_BREAKER_RESET_SECONDS", Seconds, Both, Some("60"),
        "Seconds until an open breaker of the ticket service lets one trial call through";

    ENV_ORCHESTRATOR_HOST = "ORCHESTRATOR_GRPC_HOST", Host, Both, Some("orchestrator-dynamic.svc.cluster.local"),
        "Host of the orchestrator's gRPC service";
    ENV_ORCHESTRATOR_PORT = "ORCHESTRATOR_GRPC_PORT", Port, Both, Some("50052"),
        "Port of the orchestrator's gRPC service";
    ENV_ORCHESTRATOR_USE_TLS = "ORCHESTRATOR_GRPC_USE_TLS", Boolean, Both, Some("true"),
        "Mutual TLS towards the orchestrator";
    ENV_ORCHESTRATOR_TIMEOUT = "ORCHESTRATOR_GRPC_TIMEOUT_SECONDS", Seconds, Both, Some("10"),
        "Seconds for one call to the orchestrator";
    ENV_ORCHESTRATOR_BREAKER_THRESHOLD = "ORCHESTRATOR_CIRCUIT_BREAKER_THRESHOLD", Threshold, Both, Some("5"),
        "Consecutive failures of the orchestrator that open its circuit breaker";
    ENV_ORCHESTRATOR_BREAKER_RESET = "ORCHESTRATOR_CIRCUIT_BREAKER_RESET_SECONDS", Seconds, Both, Some("60"),
        "Seconds until an open breaker of the orchestrator lets one trial call through";

    ENV_SPIFFE_SOURCE = "SPIFFE_IDENTITY_SOURCE", Choice, Both, Some("workload_api"),
        "Source of this process's identity: `workload_api`, `files`, `secrets_manager` or `none`";
    ENV_SPIFFE_TRUST_DOMAIN = "SPIFFE_TRUST_DOMAIN", Text, Both, Some("neural-hive.local"),
        "Trust domain of the platform";
    ENV_SPIFFE_ENDPOINT_SOCKET = "SPIFFE_ENDPOINT_SOCKET", Text, Heal, Some("unix:///run/spire/sockets/agent.sock"),
        "Socket of the SPIFFE Workload API, `unix:///path`, a bare `/path` or `tcp://ip:port`";
    ENV_SPIFFE_SERVER_ID = "ORCHESTRATOR_SPIFFE_ID", Text, Both, None,
        "SPIFFE ID that the orchestrator must have; by default `spiffe://<trust domain>/ns/neural-hive-orchestration/sa/orchestrator-dynamic`";
    ENV_SPIFFE_JWT_AUDIENCE = "SPIFFE_JWT_AUDIENCE", Text, Both, None,
        "Audience of the JWT-SVID sent with calls to the orchestrator; by default `orchestrator-dynamic.<trust domain>`";
    ENV_SPIFFE_CERT_FILE = "SPIFFE_X509_SVID_FILE", Path, Heal, None,
        "PEM file of the certificate chain, leaf first (source `files`)";
    ENV_SPIFFE_KEY_FILE = "SPIFFE_X509_SVID_KEY_FILE", Path, Heal, None,
        "PEM file of the private key (source `files`)";
    ENV_SPIFFE_BUNDLE_FILE = "SPIFFE_TRUST_BUNDLE_FILE", Path, Heal, None,
        "PEM file of the trust domain's authorities (source `files`)";
    ENV_SPIFFE_JWT_FILE = "SPIFFE_JWT_SVID_FILE", Path, Heal, None,
        "File of a JWT-SVID that another process renews (source `files`, optional)";
    ENV_SPIFFE_SECRET_ID = "SPIFFE_SECRET_ID", Text, Both, None,
        "Name or ARN of the secret that holds the X.509-SVID (source `secrets_manager`)";

    ENV_OPA_HOST = "OPA_HOST", Host, Both, Some("opa.svc.cluster.local"),
        "Host of the OPA server; empty: no server, the bundled policy decides alone";
    ENV_OPA_PORT = "OPA_PORT", Port, Both, Some("8181"),
        "Port of the OPA server";
    ENV_OPA_ENABLED = "OPA_ENABLED", Boolean, Both, Some("true"),
        "Whether actions are validated; `false` allows every action, with a warning";
    ENV_OPA_FAIL_OPEN = "OPA_FAIL_OPEN", Boolean, Both, Some("true"),
        "Whether an action is allowed, with a warning, when no policy can decide";
    ENV_OPA_FALLBACK = "OPA_FALLBACK", Choice, Both, Some("bundled"),
        "What decides when the OPA server does not: `bundled`, the policy in this process, or `none`";
    ENV_OPA_TIMEOUT = "OPA_TIMEOUT_SECONDS", Seconds, Both, Some("2"),
        "Seconds for one query to the OPA server";
    ENV_OPA_VALIDATED_ACTIONS = "OPA_VALIDATED_ACTIONS", Names, Both, Some(""),
        "Actions to validate besides the guide's four, separated by commas";

    ENV_KUBERNETES_API_URL = "KUBERNETES_API_URL", Url, Both, None,
        "URL of a Kubernetes API that needs no credentials, such as `kubectl proxy` or the sandbox";
    ENV_KUBECONFIG = "KUBECONFIG", Path, Heal, None,
        "Kubeconfig file, used where `KUBERNETES_API_URL` is unset";
    ENV_EKS_CLUSTER_NAME = "EKS_CLUSTER_NAME", Text, Both, None,
        "EKS cluster, used where neither of the two above is set; without all three, the pod's service account is used";
    ENV_KUBERNETES_NAMESPACE = "KUBERNETES_NAMESPACE", Text, Both, Some("default"),
        "Namespace of a pod if the action names none";
    ENV_KUBERNETES_NAMESPACES = "KUBERNETES_NAMESPACES", Text, Both, None,
        "Namespaces whose pods may be restarted, separated by commas; by default `KUBERNETES_NAMESPACE` alone, unless it is a system namespace";
    ENV_KUBERNETES_WORKER_SELECTOR = "KUBERNETES_WORKER_SELECTOR", Text, Both, Some("self-healing.io/worker-id={worker_id}"),
        "Label selector that finds the pods of a worker whose id is not a pod's name, with `{worker_id}` in it";
    ENV_KUBERNETES_TIMEOUT = "KUBERNETES_TIMEOUT_SECONDS", Seconds, Both, Some("10"),
        "Seconds for one call to the Kubernetes API";
}
