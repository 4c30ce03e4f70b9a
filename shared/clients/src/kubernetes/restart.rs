//! Restart of a pod: deletes it by its uid and waits for its controller to replace it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tracing::Instrument;

use super::SERVICE;
use super::api::Deletion;
use super::client::{Client, FoundPod};
use super::model::{Metadata, Owner};
use super::replacement::{Replacement, Successor};
use crate::call::CallContext;
use crate::error::{Effect, Error, OutageKind, Refusal, RefusalKind, chain};
use crate::port::reserve_time_for_confirmation;

/// The kind of the controllers whose pods come back under the same name.
const KEEPS_NAMES: &str = "StatefulSet";
static NOTHING: BTreeMap<String, String> = BTreeMap::new();

/// A pod that is about to be deleted, and how its replacement will be recognised.
///
/// Stored before the deletion: after a crash, another process compares the uid to learn whether the pod was deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestartIntent {
    /// The namespace of the pod.
    pub namespace: String,
    /// The name, which a later pod may take over.
    pub name: String,
    /// The uid of the pod to delete; no later pod has it.
    pub uid: String,
    pub(super) successor: Successor,
}

/// The outcome of a restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Restart {
    /// The pod was deleted.
    Deleted {
        /// What took its place.
        replacement: Replacement,
        /// The answer to the deletion was lost; a read showed that it had happened.
        answer_lost: bool,
    },
    /// The pod did not exist any more: somebody else deleted it.
    AlreadyGone,
    /// The name belongs to a later pod, which stays: somebody else deleted the one that was meant.
    AlreadyReplaced,
}

impl RestartIntent {
    /// The intent as it is stored.
    pub fn to_json(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    /// Reads a stored intent.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn from_json(stored: &Value) -> Result<Self, String> {
        Self::deserialize(stored).map_err(|error| format!("failed to read the stored intent: {}", chain(&error)))
    }
}

impl Client {
    /// Reads what the replacement of `pod` will be recognised by. Deletes nothing.
    ///
    /// # Errors
    /// `Refused` of kind `Precondition` if the pod has no controller that would replace it, `Unavailable` if the API does not respond.
    pub async fn plan_restart(&self, pod: &FoundPod, context: &CallContext) -> Result<RestartIntent, Error> {
        let FoundPod { namespace, health, metadata } = pod;
        if health.uid.is_empty() {
            return Err(refused(RefusalKind::BadAnswer, "200", "the pod has no uid"));
        }
        let Some(controller) = controller(metadata) else {
            let message = "the pod has no controller that would replace it";
            return Err(refused(RefusalKind::Precondition, "no controller", message));
        };
        let successor = if controller.kind == KEEPS_NAMES {
            Successor::SameName
        } else {
            let labels = self.sibling_labels(metadata);
            let siblings = self.siblings(namespace, &labels, &controller.uid, context).await?;
            Successor::among(siblings, pod, controller.uid.clone(), labels)
        };
        let (name, uid) = (health.name.clone(), health.uid.clone());
        Ok(RestartIntent { namespace: namespace.clone(), name, uid, successor })
    }

    /// How many pods the controller of `pod` has: as `intent` counted them, or by one list.
    ///
    /// # Errors
    /// `Unavailable` if the API does not respond, `Refused` if it denies the list or the pod has no controller.
    pub async fn count_siblings(
        &self,
        pod: &FoundPod,
        intent: &RestartIntent,
        context: &CallContext,
    ) -> Result<u32, Error> {
        let pods = match (&intent.successor, pod.controller_uid()) {
            (Successor::Sibling { replaceable, leaving, .. }, _) => replaceable.len() + leaving.len(),
            (Successor::SameName, Some(owner)) => {
                let labels = self.sibling_labels(&pod.metadata);
                self.siblings(&pod.namespace, &labels, owner, context).await?.len()
            }
            (Successor::SameName, None) => {
                return Err(refused(RefusalKind::Precondition, "no controller", "the pod has no controller"));
            }
        };
        Ok(u32::try_from(pods).unwrap_or(u32::MAX))
    }

    /// Deletes the pod with the intent's uid and waits, until the caller's deadline, for its replacement.
    ///
    /// # Errors
    /// `Refused` if the API denies the deletion; `Unavailable` if it does not respond, with an unknown effect unless a read proved that
    /// nothing happened.
    pub async fn restart(&self, intent: &RestartIntent, context: &CallContext) -> Result<Restart, Error> {
        let span = tracing::info_span!("self_healing.kubernetes.restart_pod", pod_name = intent.name);
        async {
            let answer_lost = match self.delete(intent, context).await? {
                (Deletion::Gone, false) => return Ok(Restart::AlreadyGone),
                (Deletion::Replaced, false) => return Ok(Restart::AlreadyReplaced),
                (Deletion::Requested | Deletion::Gone | Deletion::Replaced, answer_lost) => answer_lost,
            };
            tracing::info!(pod_name = intent.name, uid = intent.uid, answer_lost, "kubernetes.pod_deleted");
            let replacement = self.await_replacement(intent, context).await;
            Ok(Restart::Deleted { replacement, answer_lost })
        }
        .instrument(span)
        .await
    }

    /// Whether the pod with the intent's uid is gone or being deleted.
    ///
    /// # Errors
    /// `Unavailable` if the API does not respond, `Refused` if it denies the read.
    pub async fn is_deleted(&self, intent: &RestartIntent, context: &CallContext) -> Result<bool, Error> {
        let pod = self.get_pod(&intent.namespace, &intent.name, context).await?;
        Ok(pod.is_none_or(|pod| {
            let is_another = pod.metadata.uid.as_deref() != Some(intent.uid.as_str());
            is_another || pod.metadata.deletion_timestamp.is_some()
        }))
    }

    /// Deletes the pod. After a lost answer, reads whether the pod is deleted, which the flag says, and repeats the call once if the
    /// connection broke and the pod is still there.
    async fn delete(&self, intent: &RestartIntent, context: &CallContext) -> Result<(Deletion, bool), Error> {
        let RestartIntent { namespace, name, uid, .. } = intent;
        let mut answer_lost = false;
        loop {
            let call = reserve_time_for_confirmation(context);
            let error = match self.delete_pod(namespace, name, uid, &call).await {
                Err(error) if error.effect() == Effect::Unknown => error,
                answer => return answer.map(|deletion| (deletion, answer_lost && deletion != Deletion::Requested)),
            };
            let may_repeat = !answer_lost && is_reset(&error);
            answer_lost = true;
            match self.is_deleted(intent, context).await {
                Ok(true) => return Ok((Deletion::Requested, true)),
                Ok(false) if may_repeat => {}
                Ok(false) | Err(_) => return Err(error),
            }
        }
    }
}

fn is_reset(error: &Error) -> bool {
    match error {
        Error::Unavailable(outage) => outage.kind == OutageKind::Reset,
        Error::Invalid { .. } | Error::Misconfigured(_) | Error::Refused(_) => false,
    }
}

impl FoundPod {
    /// The uid of its controller, if it has one.
    pub fn controller_uid(&self) -> Option<&str> {
        controller(&self.metadata).map(|owner| owner.uid.as_str())
    }

    /// Its labels.
    pub fn labels(&self) -> &BTreeMap<String, String> {
        self.metadata.labels.as_ref().unwrap_or(&NOTHING)
    }

    /// Its annotations.
    pub fn annotations(&self) -> &BTreeMap<String, String> {
        self.metadata.annotations.as_ref().unwrap_or(&NOTHING)
    }
}

/// The controller that owns the pod.
pub(super) fn controller(metadata: &Metadata) -> Option<&Owner> {
    metadata.owner_references.iter().flatten().find(|owner| owner.controller == Some(true))
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_stored_intent_of_an_earlier_build_is_read_and_written_as_it_is() {
        for stored in [
            json!({"namespace": "n", "name": "w-1", "uid": "u", "successor": "same_name"}),
            json!({"namespace": "n", "name": "w-7d9f8-x2k4q", "uid": "u", "successor": {"sibling": {
                "owner": "o", "labels": "pod-template-hash=7d9f8", "replaceable": ["a", "u"], "leaving": ["b"]}}}),
        ] {
            assert_eq!(RestartIntent::from_json(&stored).unwrap().to_json(), stored);
        }
        let error = RestartIntent::from_json(&json!({"namespace": "n"})).unwrap_err();
        assert!(error.contains("missing field `name`"), "{error}");
    }
}
