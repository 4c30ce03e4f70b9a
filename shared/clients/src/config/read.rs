//! Reads the variables into the configuration.

mod identity;

use std::path::PathBuf;
use std::time::Duration;

use super::keys;
use super::reader::Reader;
use super::sections::{
    Config, Dialect, KubernetesAccess, KubernetesConfig, OrchestratorConfig, PolicyConfig, PolicyFallback, TicketConfig,
};
use super::selector::WorkerSelector;
use super::value::{self, BaseUrl, Environment, SpiffeId};
use crate::breaker;
use identity::IdentityPart;

/// Reads everything; `None` after a fault. Every variable is read before the first `?`, so that all faults are found.
pub(super) fn config(reader: &mut Reader<'_>) -> Option<Config> {
    let environment = reader.required(keys::ENV_ENVIRONMENT, Environment::parse);
    let tickets = tickets(reader);
    let orchestrator = OrchestratorPart::read(reader, environment.as_ref());
    let identity = IdentityPart::read(reader);
    let policy = policy(reader);
    let kubernetes = kubernetes(reader);
    let (identity, server_id, jwt_audience) = identity.finish()?;
    let environment = environment?;
    Some(Config {
        tickets: tickets?,
        orchestrator: orchestrator.finish(environment.clone(), server_id, jwt_audience)?,
        identity,
        policy: policy?,
        kubernetes: kubernetes?,
        environment,
    })
}

fn tickets(reader: &mut Reader<'_>) -> Option<TicketConfig> {
    let url = reader.required(keys::ENV_TICKETS_URL, BaseUrl::parse);
    let timeout = reader.required(keys::ENV_TICKETS_TIMEOUT, value::seconds);
    let dialect = reader.required(keys::ENV_TICKETS_API, |text| match text {
        "guide" => Ok(Dialect::Guide),
        "status_patch" => Ok(Dialect::StatusPatch),
        _ => Err("guide or status_patch".to_owned()),
    });
    let breaker = breaker_settings(reader, keys::ENV_TICKETS_BREAKER_THRESHOLD, keys::ENV_TICKETS_BREAKER_RESET);
    Some(TicketConfig { url: url?, timeout: timeout?, dialect: dialect?, breaker: breaker? })
}

fn breaker_settings(
    reader: &mut Reader<'_>,
    threshold: &'static str,
    reset: &'static str,
) -> Option<breaker::Settings> {
    let threshold = reader.required(threshold, value::threshold);
    let reset = reader.required(reset, value::seconds);
    Some(breaker::Settings { threshold: threshold?, reset: reset? })
}

struct OrchestratorPart {
    host: Option<String>,
    port: Option<u16>,
    use_tls: Option<bool>,
    timeout: Option<Duration>,
    breaker: Option<breaker::Settings>,
}

impl OrchestratorPart {
    fn read(reader: &mut Reader<'_>, environment: Option<&Environment>) -> Self {
        let host = reader.required(keys::ENV_ORCHESTRATOR_HOST, value::host);
        let port = reader.required(keys::ENV_ORCHESTRATOR_PORT, value::port);
        let use_tls = reader.required(keys::ENV_ORCHESTRATOR_USE_TLS, value::boolean);
        if use_tls == Some(false)
            && let Some(environment) = environment
            && environment.requires_tls()
        {
            let expected = format!("true, because {} is {environment}", keys::ENV_ENVIRONMENT);
            reader.fault(keys::ENV_ORCHESTRATOR_USE_TLS, Some("false"), &expected);
        }
        let timeout = reader.required(keys::ENV_ORCHESTRATOR_TIMEOUT, value::seconds);
        let breaker =
            breaker_settings(reader, keys::ENV_ORCHESTRATOR_BREAKER_THRESHOLD, keys::ENV_ORCHESTRATOR_BREAKER_RESET);
        Self { host, port, use_tls, timeout, breaker }
    }

    fn finish(self, environment: Environment, server_id: SpiffeId, jwt_audience: String) -> Option<OrchestratorConfig> {
        Some(OrchestratorConfig {
            host: self.host?,
            port: self.port?,
            use_tls: self.use_tls?,
            timeout: self.timeout?,
            breaker: self.breaker?,
            environment,
            server_id,
            jwt_audience,
        })
    }
}

fn policy(reader: &mut Reader<'_>) -> Option<PolicyConfig> {
    let host = reader.required_or_empty(keys::ENV_OPA_HOST, value::host);
    let port = reader.required(keys::ENV_OPA_PORT, value::port);
    let enabled = reader.required(keys::ENV_OPA_ENABLED, value::boolean);
    let fail_open = reader.required(keys::ENV_OPA_FAIL_OPEN, value::boolean);
    let fallback = reader.required(keys::ENV_OPA_FALLBACK, |text| match text {
        "bundled" => Ok(PolicyFallback::Bundled),
        "none" => Ok(PolicyFallback::None),
        _ => Err("bundled or none".to_owned()),
    });
    if let (Some(None), Some(PolicyFallback::None)) = (&host, fallback) {
        let expected = format!("bundled, because {} is empty and no policy could decide", keys::ENV_OPA_HOST);
        reader.fault(keys::ENV_OPA_FALLBACK, Some("none"), &expected);
    }
    let timeout = reader.required(keys::ENV_OPA_TIMEOUT, value::seconds);
    let extra_actions = reader.required(keys::ENV_OPA_VALIDATED_ACTIONS, value::names);
    Some(PolicyConfig {
        host: host?,
        port: port?,
        enabled: enabled?,
        fail_open: fail_open?,
        fallback: fallback?,
        timeout: timeout?,
        extra_actions: extra_actions?,
    })
}

fn kubernetes(reader: &mut Reader<'_>) -> Option<KubernetesConfig> {
    let url = reader.optional(keys::ENV_KUBERNETES_API_URL, BaseUrl::parse);
    let kubeconfig = reader.optional(keys::ENV_KUBECONFIG, value::text);
    let cluster = reader.optional(keys::ENV_EKS_CLUSTER_NAME, value::text);
    let namespace = reader.required(keys::ENV_KUBERNETES_NAMESPACE, value::namespace);
    let restart_namespaces = reader.optional(keys::ENV_KUBERNETES_NAMESPACES, value::namespaces);
    let worker_selector = reader.required(keys::ENV_KUBERNETES_WORKER_SELECTOR, WorkerSelector::parse);
    let timeout = reader.required(keys::ENV_KUBERNETES_TIMEOUT, value::seconds);
    let access = match (url?, kubeconfig?, cluster?) {
        (Some(url), _, _) => KubernetesAccess::Url(url),
        (None, Some(path), _) => KubernetesAccess::Kubeconfig(PathBuf::from(path)),
        (None, None, Some(cluster)) => KubernetesAccess::Eks { cluster },
        (None, None, None) => KubernetesAccess::InCluster,
    };
    Some(KubernetesConfig {
        access,
        namespace: namespace?,
        restart_namespaces: restart_namespaces?,
        worker_selector: worker_selector?,
        timeout: timeout?,
    })
}
