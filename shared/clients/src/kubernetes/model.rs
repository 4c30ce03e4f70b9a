//! The fields of a pod that this crate reads: its controller, times, and the states of its containers.
//!
//! Source: the Kubernetes API reference, "Pod v1 core". A missing field and a `null` mean the same.

use std::collections::BTreeMap;

use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Pod {
    #[serde(default)]
    pub metadata: Metadata,
    pub status: Option<PodStatus>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Metadata {
    pub name: Option<String>,
    pub uid: Option<String>,
    pub labels: Option<BTreeMap<String, String>>,
    pub annotations: Option<BTreeMap<String, String>>,
    pub owner_references: Option<Vec<Owner>>,
    pub creation_timestamp: Option<Time>,
    /// When a pod that is being deleted is killed: the time of the request plus the grace period.
    pub deletion_timestamp: Option<Time>,
    pub deletion_grace_period_seconds: Option<i64>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Owner {
    pub kind: String,
    pub uid: String,
    pub controller: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PodStatus {
    pub phase: Option<String>,
    pub reason: Option<String>,
    pub conditions: Option<Vec<Condition>>,
    pub init_container_statuses: Option<Vec<ContainerStatus>>,
    pub container_statuses: Option<Vec<ContainerStatus>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Condition {
    #[serde(rename = "type")]
    pub kind: String,
    pub status: String,
    pub reason: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ContainerStatus {
    #[serde(default)]
    pub restart_count: i32,
    pub state: Option<ContainerState>,
    pub last_state: Option<ContainerState>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ContainerState {
    pub waiting: Option<Reason>,
    pub terminated: Option<Reason>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Reason {
    pub reason: Option<String>,
}

/// A time by the API server's clock (RFC 3339).
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Time(pub jiff::Timestamp);

impl TryFrom<String> for Time {
    type Error = jiff::Error;

    fn try_from(text: String) -> Result<Self, jiff::Error> {
        text.parse().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_null_field_reads_as_missing_and_unknown_fields_are_ignored() {
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"name": "c", "ports": null}]},
            "metadata": {"name": "n", "labels": null, "ownerReferences": null, "managedFields": [{"manager": "kubelet"}],
                "creationTimestamp": "2026-01-01T00:00:00Z", "deletionTimestamp": null},
            "status": {"phase": "Running", "containerStatuses": null, "conditions": null, "qosClass": "Burstable"},
        });
        let pod: Pod = serde_json::from_value(pod).unwrap();
        assert_eq!(pod.metadata.creation_timestamp.unwrap().0.as_second(), 1_767_225_600);
        assert!(pod.metadata.labels.is_none() && pod.metadata.deletion_timestamp.is_none());
        assert_eq!(pod.status.unwrap().phase.as_deref(), Some("Running"));
    }

    #[test]
    fn a_malformed_time_is_an_error() {
        let pod = json!({"metadata": {"creationTimestamp": "yesterday"}});
        assert!(serde_json::from_value::<Pod>(pod).is_err());
    }
}
