//! The health of a pod, derived from its status.

use serde::Serialize;

use super::model::{ContainerStatus, Pod, PodStatus};

/// Reasons of a waiting container that end without intervention.
const STARTING: [&str; 2] = ["ContainerCreating", "PodInitializing"];

/// The health of one pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PodHealth {
    /// Running, ready, and not being deleted.
    pub healthy: bool,
    /// Kubernetes' phase, such as `Running`.
    pub phase: String,
    /// Whether the pod's condition `Ready` is `True`.
    pub ready: bool,
    /// Why the pod is not healthy, such as `CrashLoopBackOff`; `None` if it is healthy.
    pub reason: Option<String>,
    /// Restarts of all containers, init containers excluded.
    pub restarts: i32,
    /// Reason of the last termination of a container, such as `OOMKilled`, even if it is running again.
    pub last_termination: Option<String>,
    /// The name, unique in the namespace at any one time.
    pub name: String,
    /// The uid, unique in the cluster for ever.
    pub uid: String,
    /// Whether the pod is being deleted.
    pub terminating: bool,
}

impl PodHealth {
    /// Whether the pod has ended and will not run again: its controller has replaced it, if it is going to.
    pub fn has_ended(&self) -> bool {
        matches!(self.phase.as_str(), "Succeeded" | "Failed")
    }

    pub(super) fn from_pod(pod: &Pod) -> Self {
        let empty = PodStatus::default();
        let status = pod.status.as_ref().unwrap_or(&empty);
        let phase = status.phase.clone().unwrap_or_else(|| "Unknown".to_owned());
        let ready = condition(status, "Ready").is_some_and(|(value, _)| value == "True");
        let deleting = pod.metadata.deletion_timestamp.is_some();
        let healthy = phase == "Running" && ready && !deleting;
        let last_termination =
            containers(status).find_map(|container| container.last_state.as_ref()?.terminated.as_ref()?.reason.clone());
        let reason = (!healthy).then(|| {
            if deleting { "Terminating".to_owned() } else { reason(status, &phase, last_termination.as_deref()) }
        });
        Self {
            healthy,
            ready,
            reason,
            restarts: status.container_statuses.iter().flatten().map(|container| container.restart_count).sum(),
            last_termination,
            name: pod.metadata.name.clone().unwrap_or_default(),
            uid: pod.metadata.uid.clone().unwrap_or_default(),
            terminating: deleting,
            phase,
        }
    }
}

/// The most specific reason in the status. In order: a container's (waiting or terminated), the pod's, the last termination's, a
/// condition's.
fn reason(status: &PodStatus, phase: &str, last_termination: Option<&str>) -> String {
    let state = |container: &ContainerStatus| {
        let state = container.state.as_ref()?;
        let waiting = state.waiting.as_ref().and_then(|waiting| waiting.reason.clone());
        let ended = state.terminated.as_ref().and_then(|ended| ended.reason.clone());
        waiting.or(ended)
    };
    let reasons: Vec<String> = containers(status).filter_map(state).filter(|reason| reason != "Completed").collect();
    let stuck = reasons.iter().find(|reason| !STARTING.contains(&reason.as_str()));
    stuck
        .cloned()
        .or_else(|| status.reason.clone())
        .or_else(|| last_termination.map(str::to_owned))
        .or_else(|| reasons.first().cloned())
        .or_else(|| condition(status, "PodScheduled").filter(|(value, _)| *value == "False").and_then(|(_, why)| why))
        .or_else(|| condition(status, "Ready").and_then(|(_, why)| why))
        .unwrap_or_else(|| if phase == "Running" { "NotReady".to_owned() } else { phase.to_owned() })
}

fn containers(status: &PodStatus) -> impl Iterator<Item = &ContainerStatus> {
    status.init_container_statuses.iter().flatten().chain(status.container_statuses.iter().flatten())
}

/// Value and reason of a condition.
fn condition<'a>(status: &'a PodStatus, kind: &str) -> Option<(&'a str, Option<String>)> {
    let found = status.conditions.iter().flatten().find(|condition| condition.kind == kind)?;
    Some((&found.status, found.reason.clone()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn health(status: &Value) -> PodHealth {
        PodHealth::from_pod(&serde_json::from_value(json!({"metadata": {"uid": "u"}, "status": status})).unwrap())
    }

    fn container(restarts: i32, state: &Value, last: &Value) -> Value {
        json!({"name": "c", "image": "i", "imageID": "", "ready": false, "restartCount": restarts,
            "state": state, "lastState": last})
    }

    #[test]
    fn a_running_and_ready_pod_is_healthy_even_after_restarts() {
        let status = json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [container(2, &json!({"running": {}}), &json!({"terminated": {"exitCode": 137, "reason": "OOMKilled"}}))]});
        let health = health(&status);
        assert!(health.healthy && health.reason.is_none());
        assert_eq!((health.restarts, health.last_termination.as_deref()), (2, Some("OOMKilled")));
    }

    #[test]
    fn the_reason_is_the_most_specific_one_in_the_status() {
        let waiting = |reason: &str| json!({"waiting": {"reason": reason}});
        let oom = json!({"terminated": {"exitCode": 137, "reason": "OOMKilled"}});
        let not_ready = json!([{"type": "Ready", "status": "False", "reason": "ContainersNotReady"}]);
        for (status, reason) in [
            (
                json!({"phase": "Running", "conditions": not_ready, "containerStatuses": [container(7, &waiting("CrashLoopBackOff"), &oom)]}),
                "CrashLoopBackOff",
            ),
            (
                json!({"phase": "Pending", "containerStatuses": [container(0, &waiting("ImagePullBackOff"), &json!({}))]}),
                "ImagePullBackOff",
            ),
            (
                json!({"phase": "Running", "conditions": not_ready, "containerStatuses": [container(1, &json!({"running": {}}), &oom)]}),
                "OOMKilled",
            ),
            (json!({"phase": "Running", "conditions": not_ready}), "ContainersNotReady"),
            (json!({"phase": "Running"}), "NotReady"),
            (
                json!({"phase": "Pending", "containerStatuses": [container(0, &waiting("ContainerCreating"), &json!({}))]}),
                "ContainerCreating",
            ),
            (
                json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]}),
                "Unschedulable",
            ),
            (json!({"phase": "Failed", "reason": "Evicted"}), "Evicted"),
            (json!({"phase": "Succeeded"}), "Succeeded"),
            (
                json!({"phase": "Pending", "initContainerStatuses": [container(3, &waiting("CrashLoopBackOff"), &json!({}))]}),
                "CrashLoopBackOff",
            ),
            (json!({}), "Unknown"),
        ] {
            let health = health(&status);
            assert!(!health.healthy, "{status}");
            assert_eq!(health.reason.as_deref(), Some(reason), "{status}");
        }
    }

    #[test]
    fn a_pod_that_is_being_deleted_is_not_healthy_however_ready_it_looks() {
        let pod = json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"},
            "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}});
        let health = PodHealth::from_pod(&serde_json::from_value(pod).unwrap());
        assert_eq!((health.healthy, health.reason.as_deref()), (false, Some("Terminating")));
    }
}
