//! The client, and its question: is this pod well?

use std::time::Duration;

use tracing::Instrument;

use super::SERVICE;
use super::access::{self, EksAccess};
use super::health::PodHealth;
use super::name::{is_dns_label, is_dns_name};
use super::transport;
use crate::breaker::{Breaker, Clock, Settings, State, system_clock};
use crate::call::{CallContext, Wiring};
use crate::config::KubernetesConfig;
use crate::error::Error;

/// The pods of a cluster.
pub struct Client {
    pub(super) kube: kube::Client,
    pub(super) breaker: Breaker,
    pub(super) timeout: Duration,
    namespace: String,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}

impl Client {
    /// Reads credentials and authorities; connects at the first call. `eks` is needed where the configuration names a cluster.
    ///
    /// # Errors
    /// `Invalid`, naming the variable, where a file cannot be read or this is no pod.
    pub async fn new(config: &KubernetesConfig, eks: Option<&EksAccess>, wiring: &Wiring) -> Result<Self, Error> {
        Self::with_clock(config, eks, wiring, system_clock()).await
    }

    /// As [`Client::new`], with the breaker's time given.
    pub async fn with_clock(
        config: &KubernetesConfig,
        eks: Option<&EksAccess>,
        wiring: &Wiring,
        clock: Clock,
    ) -> Result<Self, Error> {
        let place = access::place(&config.access, eks).await?;
        Ok(Self {
            kube: transport::client(&place, eks)?,
            breaker: Breaker::new(SERVICE, Settings::default(), wiring, clock),
            timeout: config.timeout,
            namespace: config.namespace.clone(),
        })
    }

    pub fn breaker_state(&self) -> State {
        self.breaker.state()
    }

    /// Whether the pod is well. `namespace` is the configured one where none is given.
    ///
    /// # Errors
    /// `Unavailable` where the API does not answer, `Refused` where it does not let us look. A missing pod is an answer.
    pub async fn pod_health(
        &self,
        pod_name: &str,
        namespace: Option<&str>,
        context: &CallContext,
    ) -> Result<PodHealth, Error> {
        let span = tracing::info_span!("self_healing.kubernetes.check_worker_health", pod_name);
        async {
            let namespace = self.checked("worker_id", pod_name, namespace)?;
            let pod = self.get_pod(namespace, pod_name, context).await?;
            Ok(pod.as_ref().map_or_else(PodHealth::missing, PodHealth::of))
        }
        .instrument(span)
        .await
    }

    /// The namespace to look in, once both names are such that they can go in a path.
    pub(super) fn checked<'a>(
        &'a self,
        field: &'static str,
        name: &str,
        namespace: Option<&'a str>,
    ) -> Result<&'a str, Error> {
        let namespace = namespace.filter(|name| !name.is_empty()).unwrap_or(&self.namespace);
        if !is_dns_name(name) {
            let problem =
                format!("{name:?} is no pod name: at most 253 of a-z, 0-9, - and ., no label empty or over 63");
            return Err(Error::Invalid { field, problem });
        }
        if !is_dns_label(namespace) {
            let problem = format!("{namespace:?} is no namespace: at most 63 of a-z, 0-9 and -, - not first or last");
            return Err(Error::Invalid { field: "namespace", problem });
        }
        Ok(namespace)
    }
}
