//! The variables, each with its default and what it is for. This table is what the reference documentation says.

/// One environment variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variable {
    pub name: &'static str,
    /// What holds when it is unset. `None`: nothing, or something derived from other variables.
    pub default: Option<&'static str>,
    pub purpose: &'static str,
}

/// Declares a documented constant for each variable, and the table of all.
macro_rules! variables {
    ($($key:ident = $name:literal, $default:expr, $purpose:literal;)+) => {
        $(#[doc = $purpose] pub const $key: &str = $name;)+

        /// Every variable that the clients read, in the order in which they are read and described.
        pub const VARIABLES: &[Variable] =
            &[$(Variable { name: $name, default: $default, purpose: $purpose },)+];
    };
}

variables! {
    ENV_ENVIRONMENT = "ENVIRONMENT", Some("development"),
        "Where this runs; in `production` and `staging` plain-text gRPC is refused";

    ENV_TICKETS_URL = "EXECUTION_TICKET_SERVICE_URL", Some("http://execution-ticket-service:8000"),
        "Base URL of the execution ticket service, a path in it kept as prefix";
    ENV_TICKETS_TIMEOUT = "EXECUTION_TICKET_SERVICE_TIMEOUT", Some("30"),
        "Seconds for one call to the ticket service, answer included";
    ENV_TICKETS_API = "EXECUTION_TICKET_SERVICE_API", Some("guide"),
        "Dialect of the ticket service: `guide` or `status_patch`";
    ENV_TICKETS_BREAKER_THRESHOLD = "EXECUTION_TICKET_CIRCUIT_BREAKER_THRESHOLD", Some("5"),
        "Consecutive failures of the ticket service that open its circuit breaker";
    ENV_TICKETS_BREAKER_RESET = "EXECUTION_TICKET_CIRCUIT_BREAKER_RESET_SECONDS", Some("60"),
        "Seconds until an open breaker of the ticket service lets one trial call through";

    ENV_ORCHESTRATOR_HOST = "ORCHESTRATOR_GRPC_HOST", Some("orchestrator-dynamic.svc.cluster.local"),
        "Host of the orchestrator's gRPC service";
    ENV_ORCHESTRATOR_PORT = "ORCHESTRATOR_GRPC_PORT", Some("50052"),
        "Port of the orchestrator's gRPC service";
    ENV_ORCHESTRATOR_USE_TLS = "ORCHESTRATOR_GRPC_USE_TLS", Some("true"),
        "Mutual TLS towards the orchestrator";
    ENV_ORCHESTRATOR_TIMEOUT = "ORCHESTRATOR_GRPC_TIMEOUT_SECONDS", Some("10"),
        "Seconds for one call to the orchestrator";
    ENV_ORCHESTRATOR_BREAKER_THRESHOLD = "ORCHESTRATOR_CIRCUIT_BREAKER_THRESHOLD", Some("5"),
        "Consecutive failures of the orchestrator that open its circuit breaker";
    ENV_ORCHESTRATOR_BREAKER_RESET = "ORCHESTRATOR_CIRCUIT_BREAKER_RESET_SECONDS", Some("60"),
        "Seconds until an open breaker of the orchestrator lets one trial call through";

    ENV_SPIFFE_SOURCE = "SPIFFE_IDENTITY_SOURCE", Some("workload_api"),
        "Where this process has its identity from: `workload_api`, `files`, `secrets_manager` or `none`";
    ENV_SPIFFE_TRUST_DOMAIN = "SPIFFE_TRUST_DOMAIN", Some("neural-hive.local"),
        "Trust domain of the platform";
    ENV_SPIFFE_ENDPOINT_SOCKET = "SPIFFE_ENDPOINT_SOCKET", Some("unix:///run/spire/sockets/agent.sock"),
        "Socket of the SPIFFE Workload API, `unix:///path` or `tcp://ip:port`";
    ENV_SPIFFE_SERVER_ID = "ORCHESTRATOR_SPIFFE_ID", None,
        "The one SPIFFE ID that the orchestrator may have; by default `spiffe://<trust domain>/ns/neural-hive-orchestration/sa/orchestrator-dynamic`";
    ENV_SPIFFE_JWT_AUDIENCE = "SPIFFE_JWT_AUDIENCE", None,
        "Audience of the JWT-SVID that calls to the orchestrator carry; by default `orchestrator-dynamic.<trust domain>`";
    ENV_SPIFFE_CERT_FILE = "SPIFFE_X509_SVID_FILE", None,
        "PEM file of the certificate chain, leaf first (source `files`)";
    ENV_SPIFFE_KEY_FILE = "SPIFFE_X509_SVID_KEY_FILE", None,
        "PEM file of the private key (source `files`)";
    ENV_SPIFFE_BUNDLE_FILE = "SPIFFE_TRUST_BUNDLE_FILE", None,
        "PEM file of the trust domain's authorities (source `files`)";
    ENV_SPIFFE_JWT_FILE = "SPIFFE_JWT_SVID_FILE", None,
        "File of a JWT-SVID that something else keeps fresh (source `files`, optional)";
    ENV_SPIFFE_SECRET_ID = "SPIFFE_SECRET_ID", None,
        "Name or ARN of the secret that holds the X.509-SVID (source `secrets_manager`)";

    ENV_OPA_HOST = "OPA_HOST", Some("opa.svc.cluster.local"),
        "Host of the OPA server";
    ENV_OPA_PORT = "OPA_PORT", Some("8181"),
        "Port of the OPA server";
    ENV_OPA_ENABLED = "OPA_ENABLED", Some("true"),
        "Whether actions are validated at all; `false` lets every action through, with a warning";
    ENV_OPA_FAIL_OPEN = "OPA_FAIL_OPEN", Some("true"),
        "Whether an action goes ahead, with a warning, when neither OPA nor the bundled policy can decide";
    ENV_OPA_TIMEOUT = "OPA_TIMEOUT_SECONDS", Some("2"),
        "Seconds for one question to the OPA server, before the bundled policy decides";
    ENV_OPA_VALIDATED_ACTIONS = "OPA_VALIDATED_ACTIONS", Some(""),
        "Actions to validate besides the guide's four, separated by commas";

    ENV_KUBERNETES_API_URL = "KUBERNETES_API_URL", None,
        "Kubernetes API to talk to without credentials, such as `kubectl proxy` or the sandbox";
    ENV_KUBECONFIG = "KUBECONFIG", None,
        "Kubeconfig file, used where `KUBERNETES_API_URL` is unset";
    ENV_EKS_CLUSTER_NAME = "EKS_CLUSTER_NAME", None,
        "EKS cluster, used where neither of the two above is set; without all three the in-cluster account is used";
    ENV_KUBERNETES_NAMESPACE = "KUBERNETES_NAMESPACE", Some("default"),
        "Namespace of a pod where the action names none";
    ENV_KUBERNETES_TIMEOUT = "KUBERNETES_TIMEOUT_SECONDS", Some("10"),
        "Seconds for one call to the Kubernetes API";
}
