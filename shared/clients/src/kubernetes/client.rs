//! The client, and its query for a pod's health.

use std::time::Duration;

use tracing::Instrument;

use super::SERVICE;
use super::access::{self, EksAccess};
use super::health::PodHealth;
use super::transport;
use crate::breaker::{Breaker, Clock, Settings, State, system_clock};
use crate::call::{CallContext, Wiring};
use crate::config::KubernetesConfig;
use crate::error::Error;

/// Longest DNS label (RFC 1123).
const MAX_LABEL_BYTES: usize = 63;

/// Longest DNS name (RFC 1123).
const MAX_NAME_BYTES: usize = 253;

/// The pods of a cluster.
pub struct Client {
    pub(super) kube: kube::Client,
    pub(super) breaker: Breaker,
    pub(super) timeout: Duration,
    /// The variable that says where the API is.
    pub(super) variable: &'static str,
    namespace: String,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}

impl Client {
    /// Reads credentials and certificate authorities; connects at the first call. Access to EKS needs `eks`.
    ///
    /// # Errors
    /// `Invalid`, naming the variable, if a file cannot be read, or if no access is configured and this process does not run in a pod.
    pub async fn new(config: &KubernetesConfig, eks: Option<&EksAccess>, wiring: &Wiring) -> Result<Self, Error> {
        Self::with_clock(config, eks, wiring, system_clock()).await
    }

    /// [`Client::new`] with a clock for the breaker.
    ///
    /// # Errors
    /// Those of [`Client::new`].
    pub async fn with_clock(
        config: &KubernetesConfig,
        eks: Option<&EksAccess>,
        wiring: &Wiring,
        clock: Clock,
    ) -> Result<Self, Error> {
        let endpoint = access::resolve(&config.access, eks).await?;
        Ok(Self {
            kube: transport::client(&endpoint, eks)?,
            breaker: Breaker::new(SERVICE, Settings::default(), wiring, clock),
            timeout: config.timeout,
            variable: access::variable(&config.access),
            namespace: config.namespace.clone(),
        })
    }

    /// The state of this client's circuit breaker.
    pub fn breaker_state(&self) -> State {
        self.breaker.state()
    }

    /// Reads the health of a pod. `namespace` defaults to the configured one.
    ///
    /// # Errors
    /// `Unavailable` if the API does not respond, `Refused` if it denies the read. A missing pod is `Ok` and unhealthy.
    pub async fn pod_health(
        &self,
        pod_name: &str,
        namespace: Option<&str>,
        context: &CallContext,
    ) -> Result<PodHealth, Error> {
        let span = tracing::info_span!("self_healing.kubernetes.check_worker_health", pod_name);
        async {
            let namespace = self.checked_namespace("worker_id", pod_name, namespace)?;
            let pod = self.get_pod(namespace, pod_name, context).await?;
            Ok(pod.as_ref().map_or_else(PodHealth::missing, PodHealth::from_pod))
        }
        .instrument(span)
        .await
    }

    /// Returns the namespace to use, after checking that both names are safe in a URL path.
    pub(super) fn checked_namespace<'a>(
        &'a self,
        field: &'static str,
        name: &str,
        namespace: Option<&'a str>,
    ) -> Result<&'a str, Error> {
        let namespace = namespace.filter(|name| !name.is_empty()).unwrap_or(&self.namespace);
        if !is_dns_name(name) {
            let problem = format!(
                "{name:?} is not a pod name: expected at most 253 of a-z, 0-9, \"-\" and \".\", in labels of 1 to 63 characters"
            );
            return Err(Error::Invalid { field, problem });
        }
        if !is_dns_label(namespace) {
            let problem = format!(
                "{namespace:?} is not a namespace: expected at most 63 of a-z, 0-9 and \"-\", with \"-\" neither first nor last"
            );
            return Err(Error::Invalid { field: "namespace", problem });
        }
        Ok(namespace)
    }
}

/// Whether `text` is a DNS label (RFC 1123), as the name of a namespace must be.
pub fn is_dns_label(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty()
        && text.len() <= MAX_LABEL_BYTES
        && text.bytes().all(inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// Whether `text` is a DNS subdomain (RFC 1123), as the name of a pod must be: labels separated by dots.
pub fn is_dns_name(text: &str) -> bool {
    text.len() <= MAX_NAME_BYTES && text.split('.').all(is_dns_label)
}
