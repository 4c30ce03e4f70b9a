//! Restart of a pod: deletes it and waits for its controller to replace it.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use tracing::Instrument;

use super::SERVICE;
use super::api::Deletion;
use super::client::Client;
use super::health::PodHealth;
use super::model::Metadata;
use crate::call::CallContext;
use crate::error::{Effect, Error, Refusal, RefusalKind};

/// Interval between polls for the replacement: starts at the first, doubles up to the second.
const FIRST_POLL: Duration = Duration::from_millis(100);
const LONGEST_POLL: Duration = Duration::from_secs(2);

/// Labels that are unique to one pod of a controller.
const PER_POD_LABELS: [&str; 4] = [
    "statefulset.kubernetes.io/pod-name",
    "apps.kubernetes.io/pod-index",
    "batch.kubernetes.io/job-completion-index",
    "controller-revision-hash",
];

/// One pod; a later pod of the same name has another uid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodRef {
    /// The namespace of the pod.
    pub namespace: String,
    /// The name, unique in the namespace at any one time.
    pub name: String,
    /// The uid, unique in the cluster for ever.
    pub uid: String,
}

/// The outcome of a restart after the deletion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Restart {
    /// Another pod of the same controller is ready.
    Replaced {
        /// The deleted pod.
        old: PodRef,
        /// Its replacement.
        new: PodRef,
    },
    /// The deadline passed before a replacement was ready.
    NotBack {
        /// The deleted pod.
        old: PodRef,
        /// The last health read of the replacement; `None` if none appeared.
        last_seen: Option<PodHealth>,
    },
}

impl Client {
    /// Deletes the pod and waits, until the caller's deadline, for a new ready pod of the same controller.
    ///
    /// # Errors
    /// `Refused` of kind `NotFound` if the pod does not exist, and of kind `Precondition` if it has no controller that would replace
    /// it; such a pod is not deleted.
    pub async fn restart_pod(
        &self,
        pod_name: &str,
        namespace: Option<&str>,
        context: &CallContext,
    ) -> Result<Restart, Error> {
        let span = tracing::info_span!("self_healing.kubernetes.restart_pod", pod_name);
        async {
            let namespace = self.checked_namespace("pod_name", pod_name, namespace)?;
            let Some(pod) = self.get_pod(namespace, pod_name, context).await? else {
                return Err(refused(RefusalKind::NotFound, "404", "the pod does not exist"));
            };
            let Some(uid) = pod.metadata.uid.clone() else {
                return Err(refused(RefusalKind::BadAnswer, "200", "the pod has no uid"));
            };
            let Some(controller) = controller(&pod.metadata) else {
                let message = "the pod has no controller that would replace it";
                return Err(refused(RefusalKind::Precondition, "no controller", message));
            };
            let labels = selector(&pod.metadata);
            let old = PodRef { namespace: namespace.to_owned(), name: pod_name.to_owned(), uid };
            let known = self.known_before(&old, &labels, &controller, context).await?;
            match self.delete_pod(namespace, pod_name, &old.uid, context).await? {
                Deletion::Done => tracing::info!(pod_name, uid = old.uid, "kubernetes.pod_deleted"),
                Deletion::AlreadyGone => tracing::info!(pod_name, uid = old.uid, "kubernetes.pod_already_gone"),
            }
            Ok(self.await_replacement(old, &labels, &controller, &known, context).await)
        }
        .instrument(span)
        .await
    }

    /// The uids of the pods that cannot be the replacement: those that the controller created before the deletion of the old pod was
    /// requested. Somebody else may have requested it already, so the replacement may exist by now.
    async fn known_before(
        &self,
        old: &PodRef,
        labels: &str,
        owner: &str,
        context: &CallContext,
    ) -> Result<BTreeSet<String>, Error> {
        let siblings = self.siblings(&old.namespace, labels, owner, context).await?;
        let mut known = BTreeSet::from([old.uid.clone()]);
        if let Some(listed) = siblings.iter().find(|pod| pod.uid.as_deref() == Some(old.uid.as_str())) {
            let requested = deletion_requested_at(listed);
            let older = siblings.into_iter().filter(|pod| requested.is_none() || created_at(pod) < requested);
            known.extend(older.filter_map(|pod| pod.uid));
            return Ok(known);
        }
        // Deleted since it was read. Only a pod that took over its name is certainly its replacement.
        let successor = self.get_pod(&old.namespace, &old.name, context).await?.map(|pod| pod.metadata);
        let Some(successor) = successor.filter(|pod| controller(pod).as_deref() == Some(owner)) else {
            return Err(refused(RefusalKind::NotFound, "404", "the pod was deleted while its siblings were read"));
        };
        known.extend(siblings.into_iter().filter(|pod| pod.uid != successor.uid).filter_map(|pod| pod.uid));
        Ok(known)
    }

    /// Polls until a new pod is ready or the deadline has passed. A failed poll is retried.
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

    /// A pod of the controller that is not in `known`; a healthy one if there are several.
    async fn replacement(
        &self,
        namespace: &str,
        labels: &str,
        controller: &str,
        known: &BTreeSet<String>,
        context: &CallContext,
    ) -> Result<Option<(PodRef, PodHealth)>, Error> {
        let mut found = None;
        for sibling in self.siblings(namespace, labels, controller, context).await? {
            let (Some(name), Some(uid)) = (sibling.name, sibling.uid) else { continue };
            if known.contains(&uid) {
                continue;
            }
            let new = PodRef { namespace: namespace.to_owned(), name, uid };
            let Some(pod) = self.get_pod(namespace, &new.name, context).await? else { continue };
            let health = PodHealth::from_pod(&pod);
            let is_same_pod = pod.metadata.uid.as_deref() == Some(new.uid.as_str());
            if is_same_pod && health.healthy {
                return Ok(Some((new, health)));
            }
            found = Some((new, health));
        }
        Ok(found)
    }

    /// The pods of the controller `owner`.
    async fn siblings(
        &self,
        namespace: &str,
        labels: &str,
        owner: &str,
        context: &CallContext,
    ) -> Result<Vec<Metadata>, Error> {
        let pods = self.list_pods(namespace, labels, context).await?.into_iter().map(|pod| pod.metadata);
        Ok(pods.filter(|pod| controller(pod).as_deref() == Some(owner)).collect())
    }
}

/// When the deletion of the pod was requested, in epoch seconds by the API server's clock. The API states when the pod is killed.
fn deletion_requested_at(metadata: &Metadata) -> Option<i64> {
    let killed = metadata.deletion_timestamp.as_ref()?.0.as_second();
    Some(killed - metadata.deletion_grace_period_seconds.unwrap_or(0))
}

/// When the pod was created, in epoch seconds by the API server's clock.
fn created_at(metadata: &Metadata) -> Option<i64> {
    metadata.creation_timestamp.as_ref().map(|time| time.0.as_second())
}

/// The uid of the controller that owns the pod.
fn controller(metadata: &Metadata) -> Option<String> {
    let owners = metadata.owner_references.as_ref()?;
    owners.iter().find(|owner| owner.controller == Some(true)).map(|owner| owner.uid.clone())
}

/// A label selector for the pods of the same controller; it may match other pods too.
fn selector(metadata: &Metadata) -> String {
    let labels = metadata.labels.iter().flatten().filter(|(name, _)| !PER_POD_LABELS.contains(&name.as_str()));
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
