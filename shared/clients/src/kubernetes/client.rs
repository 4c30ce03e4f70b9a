//! The client, how it finds a pod by name, and where it may delete pods.

use std::time::Duration;

use super::SERVICE;
use super::access::{self, EksAccess};
use super::health::PodHealth;
use super::model::Metadata;
use super::transport;
use crate::breaker::{Breaker, Clock, Settings, State, system_clock};
use crate::call::{CallContext, Wiring};
use crate::config::{KubernetesConfig, SYSTEM_NAMESPACES, WorkerSelector, keys};
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
    pub(super) worker_selector: WorkerSelector,
    namespace: String,
    restart_namespaces: Option<Vec<String>>,
}

/// A pod that was found by its name.
#[derive(Debug, Clone)]
pub struct FoundPod {
    /// The namespace in which it was found.
    pub namespace: String,
    /// Its health, name and uid.
    pub health: PodHealth,
    pub(super) metadata: Metadata,
}

/// The configuration does not allow the deletion of pods in the namespace.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "pods in namespace {namespace:?} are never restarted: {} {allowed}; name the namespace there if its pods may be deleted",
    keys::ENV_KUBERNETES_NAMESPACES
)]
pub struct NamespaceNotAllowed {
    /// The namespace of the pod.
    pub namespace: String,
    /// The value of `KUBERNETES_NAMESPACES`, or what its absence means.
    pub allowed: String,
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
        let resolved = access::resolve(&config.access, eks).await?;
        Ok(Self {
            kube: transport::client(&resolved, eks)?,
            breaker: Breaker::new(SERVICE, Settings::default(), wiring, clock),
            timeout: config.timeout,
            variable: access::variable(&config.access),
            worker_selector: config.worker_selector.clone(),
            namespace: config.namespace.clone(),
            restart_namespaces: config.restart_namespaces.clone(),
        })
    }

    /// The state of this client's circuit breaker.
    pub fn breaker_state(&self) -> State {
        self.breaker.state()
    }

    /// Reads the health of a pod; `None` if it does not exist. `namespace` defaults to the configured one.
    ///
    /// # Errors
    /// Those of [`Client::find_pod`].
    pub async fn pod_health(
        &self,
        pod_name: &str,
        namespace: Option<&str>,
        context: &CallContext,
    ) -> Result<Option<PodHealth>, Error> {
        Ok(self.find_pod(pod_name, namespace, context).await?.map(|pod| pod.health))
    }

    /// Reads a pod; `None` if it does not exist. `namespace` defaults to the configured one.
    ///
    /// # Errors
    /// `Unavailable` if the API does not respond, `Refused` if it denies the read, `Invalid` if a name could not be one.
    pub async fn find_pod(
        &self,
        pod_name: &str,
        namespace: Option<&str>,
        context: &CallContext,
    ) -> Result<Option<FoundPod>, Error> {
        self.check_pod_name(pod_name, namespace)?;
        let namespace = self.checked_namespace(namespace)?;
        let pod = self.get_pod(namespace, pod_name, context).await?;
        Ok(pod.map(|pod| FoundPod {
            namespace: namespace.to_owned(),
            health: PodHealth::from_pod(&pod),
            metadata: pod.metadata,
        }))
    }

    /// Checks that both names are safe in a URL path.
    ///
    /// # Errors
    /// `Invalid`, naming `pod_name` or `namespace`.
    pub fn check_pod_name(&self, pod_name: &str, namespace: Option<&str>) -> Result<(), Error> {
        if is_dns_name(pod_name) {
            return self.checked_namespace(namespace).map(drop);
        }
        let problem = format!(
            "{pod_name:?} is not a pod name: expected at most 253 of a-z, 0-9, \"-\" and \".\", in labels of 1 to 63 characters"
        );
        Err(Error::Invalid { field: "pod_name", problem })
    }

    /// Checks that pods of the namespace may be deleted. `namespace` defaults to the configured one.
    ///
    /// # Errors
    /// The configuration does not allow it.
    pub fn check_deletable(&self, namespace: Option<&str>) -> Result<(), NamespaceNotAllowed> {
        let namespace = self.namespace_or_default(namespace);
        let is_allowed = match &self.restart_namespaces {
            Some(allowed) => allowed.iter().any(|allowed| allowed == namespace),
            None => namespace == self.namespace && !SYSTEM_NAMESPACES.contains(&namespace),
        };
        if is_allowed {
            return Ok(());
        }
        let allowed = match &self.restart_namespaces {
            Some(allowed) => format!("is {:?}", allowed.join(",")),
            None => format!(
                "is not set, which allows {} {:?} unless it is a system namespace",
                keys::ENV_KUBERNETES_NAMESPACE,
                self.namespace
            ),
        };
        Err(NamespaceNotAllowed { namespace: namespace.to_owned(), allowed })
    }

    /// Returns the namespace to use, after checking that it is safe in a URL path.
    pub(super) fn checked_namespace<'a>(&'a self, namespace: Option<&'a str>) -> Result<&'a str, Error> {
        let namespace = self.namespace_or_default(namespace);
        if !is_dns_label(namespace) {
            let problem = format!(
                "{namespace:?} is not a namespace: expected at most 63 of a-z, 0-9 and \"-\", with \"-\" neither first nor last"
            );
            return Err(Error::Invalid { field: "namespace", problem });
        }
        Ok(namespace)
    }

    fn namespace_or_default<'a>(&'a self, namespace: Option<&'a str>) -> &'a str {
        namespace.filter(|name| !name.is_empty()).unwrap_or(&self.namespace)
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
