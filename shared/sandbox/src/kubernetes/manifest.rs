//! The API object of a pod.

use serde_json::{Value, json};

use super::pod::Pod;
use crate::wire::rfc3339;

/// The time that a deleted pod has to end, in seconds: Kubernetes' default.
const GRACE_SECONDS: i64 = 30;

/// The image of every container.
const IMAGE: &str = "worker:1.0.0";

/// The Pod object; `deleted_at` (epoch milliseconds) marks a terminating pod.
pub(super) fn manifest(pod: &Pod, resource_version: u64, deleted_at: Option<i64>) -> Value {
    let mut metadata = json!({
        "name": pod.name,
        "namespace": pod.namespace,
        "uid": pod.uid,
        "resourceVersion": resource_version.to_string(),
        "creationTimestamp": rfc3339(pod.created_at),
        "labels": pod.labels,
    });
    if let (Some(owner), Some(fields)) = (&pod.owner, metadata.as_object_mut()) {
        let reference = json!([{
            "apiVersion": owner.api_version(),
            "kind": owner.kind,
            "name": owner.name,
            "uid": owner.uid(),
            "controller": true,
            "blockOwnerDeletion": true,
        }]);
        fields.insert("ownerReferences".to_owned(), reference);
    }
    if let (Some(at), Some(fields)) = (deleted_at, metadata.as_object_mut()) {
        // The API states when the pod is killed at the latest.
        fields.insert("deletionTimestamp".to_owned(), rfc3339(at + GRACE_SECONDS * 1_000).into());
        fields.insert("deletionGracePeriodSeconds".to_owned(), GRACE_SECONDS.into());
    }
    json!({
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": metadata,
        "spec": {
            "nodeName": "node-1",
            "restartPolicy": "Always",
            "containers": [{"name": "worker", "image": IMAGE, "resources": {}}],
        },
        "status": status(pod),
    })
}

fn status(pod: &Pod) -> Value {
    let ready = if pod.ready { "True" } else { "False" };
    let since = rfc3339(pod.created_at);
    let condition = |kind: &str, status: &str| json!({"type": kind, "status": status, "lastProbeTime": null, "lastTransitionTime": since});
    json!({
        "phase": pod.phase,
        "conditions": [
            condition("Initialized", "True"),
            condition("Ready", ready),
            condition("ContainersReady", ready),
            condition("PodScheduled", "True"),
        ],
        "hostIP": "10.0.0.1",
        "startTime": since,
        "containerStatuses": [{
            "name": "worker",
            "image": IMAGE,
            "imageID": "",
            "ready": pod.ready,
            "started": pod.ready,
            "restartCount": pod.restarts,
            "state": state(pod),
            "lastState": last_state(pod),
        }],
        "qosClass": "BestEffort",
    })
}

fn state(pod: &Pod) -> Value {
    match (&pod.waiting_reason, pod.phase.as_str()) {
        (Some(reason), _) => {
            json!({"waiting": {"reason": reason, "message": format!("the container is waiting: {reason}")}})
        }
        (None, "Pending") => json!({"waiting": {"reason": "ContainerCreating"}}),
        (None, "Succeeded") => json!({"terminated": {"exitCode": 0, "reason": "Completed"}}),
        (None, "Failed") => json!({"terminated": {"exitCode": 1, "reason": "Error"}}),
        (None, _) => json!({"running": {"startedAt": rfc3339(pod.created_at)}}),
    }
}

fn last_state(pod: &Pod) -> Value {
    match pod.terminated_reason.as_deref() {
        // 137 is 128 + SIGKILL.
        Some(reason) => {
            let exit_code = if reason == "OOMKilled" { 137 } else { 1 };
            json!({"terminated": {"exitCode": exit_code, "reason": reason}})
        }
        None => json!({}),
    }
}
