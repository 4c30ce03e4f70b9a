//! A restart: the pod is deleted, and its controller puts another in its place.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use tracing::Instrument;

use super::SERVICE;
use super::api::Deletion;
use super::client::Client;
use super::health::PodHealth;
use crate::call::CallContext;
use crate::error::{Effect, Error, Refusal, RefusalKind};

/// Time between two looks for the replacement: first short, then longer.
const FIRST_POLL: Duration = Duration::from_millis(100);
const LONGEST_POLL: Duration = Duration::from_secs(2);

/// Labels that differ from one pod of a controller to the next.
const OWN_LABELS: [&str; 4] = [
    "statefulset.kubernetes.io/pod-name",
    "apps.kubernetes.io/pod-index",
    "batch.kubernetes.io/job-completion-index",
    "controller-revision-hash",
];

/// One pod, and no later one of its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodRef {
    pub namespace: String,
    pub name: String,
    pub uid: String,
}

/// How a restart ended, once the pod was deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Restart {
    /// Another pod of the same controller is ready.
    Replaced { old: PodRef, new: PodRef },
    /// The time was up first. `last_seen` is the replacement's state, where there was one.
    NotBack { old: PodRef, last_seen: Option<PodHealth> },
}

impl Client {
    /// Deletes the pod and waits, until the caller's deadline, for a ready pod of the same controller that was not there before.
    ///
    /// # Errors
    /// `Refused` of kind `NotFound` where there is no such pod, and of kind `Precondition` where nobody would replace it: such a
    /// pod is left alone.
    pub async fn restart_pod(
        &self,
        pod_name: &str,
        namespace: Option<&str>,
        context: &CallContext,
    ) -> Result<Restart, Error> {
        let span = tracing::info_span!("self_healing.kubernetes.restart_pod", pod_name);
        async {
            let namespace = self.checked("pod_name", pod_name, namespace)?;
            let Some(pod) = self.get_pod(namespace, pod_name, context).await? else {
                return Err(refused(RefusalKind::NotFound, "404", "there is no such pod"));
            };
            let Some(uid) = pod.metadata.uid.clone() else {
                return Err(refused(RefusalKind::BadAnswer, "200", "the pod has no uid"));
            };
            let Some(controller) = controller(&pod.metadata) else {
                let message = "the pod has no controller that would replace it";
                return Err(refused(RefusalKind::Precondition, "no controller", message));
            };
            let labels = selector(&pod.metadata);
            let siblings = self.pods_of(namespace, &labels, &controller, context).await?;
            let known: BTreeSet<String> = siblings.into_iter().map(|pod| pod.uid).chain([uid.clone()]).collect();
            let old = PodRef { namespace: namespace.to_owned(), name: pod_name.to_owned(), uid };
            match self.delete_pod(namespace, pod_name, &old.uid, context).await? {
                Deletion::Done => tracing::info!(pod_name, uid = old.uid, "kubernetes.pod_deleted"),
                Deletion::AlreadyGone => tracing::info!(pod_name, uid = old.uid, "kubernetes.pod_already_gone"),
            }
            Ok(self.await_replacement(old, &labels, &controller, &known, context).await)
        }
        .instrument(span)
        .await
    }

    /// Looks until a new pod is ready or the time is up. An API that does not answer meanwhile is asked again.
    async fn await_replacement(
        &self,
        old: PodRef,
        labels: &str,
        controller: &str,
        known: &BTreeSet<String>,
        context: &CallContext,
    ) -> Restart {
        let mut last_seen = None;
        let mut wait = FIRST_POLL;
        loop {
            match self.replacement(&old.namespace, labels, controller, known, context).await {
                Ok(Some((new, health))) if health.healthy => return Restart::Replaced { old, new },
                Ok(Some((_, health))) => last_seen = Some(health),
                Ok(None) => {}
                Err(error) => tracing::warn!(pod_name = old.name, %error, "kubernetes.poll_failed"),
            }
            let left = context.deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Restart::NotBack { old, last_seen };
            }
            tokio::time::sleep(wait.min(left)).await;
            wait = (wait * 2).min(LONGEST_POLL);
        }
    }

    /// A pod of the controller that was not there before, the healthy one where there are several.
    async fn replacement(
        &self,
        namespace: &str,
        labels: &str,
        controller: &str,
        known: &BTreeSet<String>,
        context: &CallContext,
    ) -> Result<Option<(PodRef, PodHealth)>, Error> {
        let mut found = None;
        for new in self.pods_of(namespace, labels, controller, context).await? {
            if known.contains(&new.uid) {
                continue;
            }
            let Some(pod) = self.get_pod(namespace, &new.name, context).await? else { continue };
            let health = PodHealth::of(&pod);
            let is_it = pod.metadata.uid.as_deref() == Some(new.uid.as_str());
            if is_it && health.healthy {
                return Ok(Some((new, health)));
            }
            found = Some((new, health));
        }
        Ok(found)
    }

    async fn pods_of(
        &self,
        namespace: &str,
        labels: &str,
        owner: &str,
        context: &CallContext,
    ) -> Result<Vec<PodRef>, Error> {
        let pods = self.list_pods(namespace, labels, context).await?;
        Ok(pods
            .into_iter()
            .filter(|pod| controller(&pod.metadata).as_deref() == Some(owner))
            .filter_map(|pod| {
                Some(PodRef { namespace: namespace.to_owned(), name: pod.metadata.name?, uid: pod.metadata.uid? })
            })
            .collect())
    }
}

/// The uid of the controller that owns the pod.
fn controller(metadata: &ObjectMeta) -> Option<String> {
    let owners = metadata.owner_references.as_ref()?;
    owners.iter().find(|owner| owner.controller == Some(true)).map(|owner| owner.uid.clone())
}

/// A selector for the pods of the same controller, as far as labels can tell.
fn selector(metadata: &ObjectMeta) -> String {
    let labels = metadata.labels.iter().flatten().filter(|(name, _)| !OWN_LABELS.contains(&name.as_str()));
    labels.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(",")
}

fn refused(kind: RefusalKind, code: &str, message: &str) -> Error {
    Error::Refused(Refusal {
        service: SERVICE,
        operation: "restart_pod",
        kind,
        code: code.to_owned(),
        message: message.to_owned(),
        effect: Effect::NotApplied,
    })
}
