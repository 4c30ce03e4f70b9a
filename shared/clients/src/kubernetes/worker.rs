//! The search for a worker's pod: by name, then by label.

use tracing::Instrument;

use super::client::{Client, is_dns_name};
use super::health::PodHealth;
use crate::call::CallContext;
use crate::error::Error;

/// The result of a search for a worker's pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkerSearch {
    /// The worker's pod; of several, the one that [`Client::find_worker`] prefers.
    Found(PodHealth),
    /// No pod matches: whether the worker is healthy is not known.
    NotFound {
        /// The namespace that was searched.
        namespace: String,
        /// The label selector that was tried; `None` if no label can have the worker's id as its value.
        selector: Option<String>,
    },
}

impl Client {
    /// Finds the pod of a worker and reads its health. `namespace` defaults to the configured one.
    ///
    /// A worker's id is its pod's name, or a label's value (the configured selector). Of several pods with the label, an unhealthy one
    /// stands for the worker; pods that have ended or are being deleted stand for it only if there are no others.
    ///
    /// # Errors
    /// `Unavailable` if the API does not respond, `Refused` if it denies the read, `Invalid` if `namespace` is not a namespace's name.
    pub async fn find_worker(
        &self,
        worker_id: &str,
        namespace: Option<&str>,
        context: &CallContext,
    ) -> Result<WorkerSearch, Error> {
        let span = tracing::info_span!("self_healing.kubernetes.check_worker_health", worker_id);
        async {
            let namespace = self.checked_namespace(namespace)?;
            if is_dns_name(worker_id)
                && let Some(pod) = self.get_pod(namespace, worker_id, context).await?
            {
                return Ok(WorkerSearch::Found(PodHealth::from_pod(&pod)));
            }
            let selector = self.worker_selector.for_worker(worker_id);
            let pods = match &selector {
                Some(labels) => self.list_worker_pods(namespace, labels, context).await?,
                None => Vec::new(),
            };
            let found = pods.iter().map(PodHealth::from_pod).min_by(|a, b| key(a).cmp(&key(b)));
            Ok(found.map_or_else(
                || WorkerSearch::NotFound { namespace: namespace.to_owned(), selector },
                WorkerSearch::Found,
            ))
        }
        .instrument(span)
        .await
    }
}

/// Orders the pods of one worker; the first stands for it.
fn key(pod: &PodHealth) -> (u8, &str) {
    let rank = if pod.terminating {
        3
    } else if pod.has_ended() {
        2
    } else {
        u8::from(pod.healthy)
    };
    (rank, &pod.name)
}
