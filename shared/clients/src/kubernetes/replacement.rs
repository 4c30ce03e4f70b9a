//! The pod that takes the place of a deleted one.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::client::{Client, FoundPod};
use super::health::PodHealth;
use super::model::Metadata;
use super::restart::{RestartIntent, controller};
use crate::call::CallContext;
use crate::error::Error;

/// Interval between polls for the replacement: starts at the first, doubles up to the second.
const FIRST_POLL: Duration = Duration::from_millis(100);
const LONGEST_POLL: Duration = Duration::from_secs(2);

/// The label that all pods of one replica set share, and no others of its Deployment.
const TEMPLATE_LABEL: &str = "pod-template-hash";

/// Labels that are unique to one pod of a controller.
const PER_POD_LABELS: [&str; 4] = [
    "statefulset.kubernetes.io/pod-name",
    "apps.kubernetes.io/pod-index",
    "batch.kubernetes.io/job-completion-index",
    "controller-revision-hash",
];

/// What took the place of a deleted pod by the caller's deadline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replacement {
    /// This pod, which is ready.
    Ready(PodHealth),
    /// Not enough ready pods.
    Missing {
        /// How many pods of the controller are gone since the restart was planned, this one included.
        gone: usize,
        /// How many pods of the controller that came since then are ready.
        ready: usize,
        /// The last health read of one that is not ready; `None` if none appeared.
        last_seen: Option<PodHealth>,
    },
}

/// What a replacement is recognised by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Successor {
    /// It has the name of the deleted pod, and another uid.
    SameName,
    /// It has the same controller, and is none of the pods that were there before.
    Sibling {
        /// The uid of the controller.
        owner: String,
        /// A label selector that matches all pods of the controller, and maybe others.
        labels: String,
        /// The uids of the pods that the controller replaces when they go, the deleted one among them.
        replaceable: BTreeSet<String>,
        /// The uids of the other pods: the controller is replacing them already.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        leaving: BTreeSet<String>,
    },
}

impl Successor {
    /// `siblings` are the pods of the controller now, `old` is the one to delete.
    pub(super) fn among(siblings: Vec<Metadata>, old: &FoundPod, owner: String, labels: String) -> Self {
        // The controller replaces a pod from the moment that it is being deleted or has ended: its replacement may exist by now.
        let replaced_since = if old.health.has_ended() {
            created_at(&old.metadata).map(|at| at + 1)
        } else {
            deletion_requested_at(&old.metadata)
        };
        let mut replaceable = BTreeSet::from([old.health.uid.clone()]);
        let mut leaving = BTreeSet::new();
        for pod in siblings {
            let is_newer = replaced_since.is_some_and(|since| created_at(&pod).is_some_and(|at| at >= since));
            let is_leaving = deletion_requested_at(&pod)
                .is_some_and(|requested| replaced_since.is_none_or(|since| requested < since));
            match pod.uid {
                Some(uid) if uid == old.health.uid || is_newer => {}
                Some(uid) => {
                    if is_leaving { &mut leaving } else { &mut replaceable }.insert(uid);
                }
                None => {}
            }
        }
        Self::Sibling { owner, labels, replaceable, leaving }
    }
}

/// What was seen of the replacements at one time.
#[derive(Debug, Default)]
struct Progress {
    gone: BTreeSet<String>,
    /// In the order of their creation.
    ready: Vec<PodHealth>,
    last_seen: Option<PodHealth>,
}

impl Progress {
    /// The replacement of the pod `uid`, once every pod that is gone has a ready one: of several restarts of one controller's pods, each
    /// gets another pod, and none is content with a pod that another one lacks.
    fn replacement_of(&self, uid: &str) -> Option<&PodHealth> {
        let place = self.gone.iter().position(|gone| gone == uid)?;
        if self.ready.len() >= self.gone.len() { self.ready.get(place) } else { None }
    }
}

impl Client {
    /// Polls until the replacement is ready or the caller's deadline has passed. A failed poll is retried.
    pub async fn await_replacement(&self, intent: &RestartIntent, context: &CallContext) -> Replacement {
        let mut progress = Progress::default();
        let mut wait = FIRST_POLL;
        loop {
            match self.progress(intent, context).await {
                Ok(seen) => progress = seen,
                Err(error) => tracing::warn!(pod_name = intent.name, %error, "kubernetes.poll_failed"),
            }
            if let Some(ready) = progress.replacement_of(&intent.uid) {
                return Replacement::Ready(ready.clone());
            }
            let left = context.deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let Progress { gone, ready, last_seen } = progress;
                return Replacement::Missing { gone: gone.len().max(1), ready: ready.len(), last_seen };
            }
            tokio::time::sleep(wait.min(left)).await;
            wait = (wait * 2).min(LONGEST_POLL);
        }
    }

    async fn progress(&self, intent: &RestartIntent, context: &CallContext) -> Result<Progress, Error> {
        let RestartIntent { namespace, name, uid, successor } = intent;
        let Successor::Sibling { owner, labels, replaceable, leaving } = successor else {
            let mut progress = Progress { gone: [uid.clone()].into(), ..Progress::default() };
            let pod = self.get_pod(namespace, name, context).await?;
            let new = pod.map(|pod| PodHealth::from_pod(&pod)).filter(|new| new.uid != *uid);
            match new {
                Some(new) if new.healthy => progress.ready.push(new),
                new => progress.last_seen = new,
            }
            return Ok(progress);
        };
        let mut siblings = self.siblings(namespace, labels, owner, context).await?;
        siblings.sort_by_key(|pod| (created_at(pod), pod.uid.clone()));
        let mut progress = Progress { gone: replaceable.clone(), ..Progress::default() };
        for pod in siblings {
            let (Some(name), Some(uid)) = (pod.name, pod.uid) else { continue };
            if replaceable.contains(&uid) {
                if pod.deletion_timestamp.is_none() {
                    progress.gone.remove(&uid);
                }
            } else if !leaving.contains(&uid) {
                let Some(pod) = self.get_pod(namespace, &name, context).await? else { continue };
                let health = PodHealth::from_pod(&pod);
                if health.healthy && health.uid == uid {
                    progress.ready.push(health);
                } else {
                    progress.last_seen = Some(health);
                }
            }
        }
        Ok(progress)
    }

    /// The pods of the controller `owner`.
    pub(super) async fn siblings(
        &self,
        namespace: &str,
        labels: &str,
        owner: &str,
        context: &CallContext,
    ) -> Result<Vec<Metadata>, Error> {
        let pods = self.list_metadata(namespace, labels, context).await?.into_iter().map(|pod| pod.metadata);
        Ok(pods.filter(|pod| controller(pod).is_some_and(|found| found.uid == owner)).collect())
    }

    /// A label selector that matches all pods of the same controller; it may match others too.
    pub(super) fn sibling_labels(&self, metadata: &Metadata) -> String {
        let worker = self.worker_selector.keys();
        let labels = metadata.labels.iter().flatten();
        if let Some((name, value)) = labels.clone().find(|(name, _)| *name == TEMPLATE_LABEL) {
            return format!("{name}={value}");
        }
        // A worker's label may be the worker's own, and a replacement another worker.
        let shared = labels.filter(|(name, _)| {
            let name = name.as_str();
            !PER_POD_LABELS.contains(&name) && !worker.contains(&name)
        });
        shared.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(",")
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
