//! The action's description, for playbooks and for the engine.

use heal_runtime::{ActionSpec, OutputType, Safety};
use serde_json::json;

/// The `type` that playbooks name.
pub const NAME: &str = "restart_pod";

/// How long a pod of that name is left alone after its deletion, in milliseconds: a pod that has to be deleted again
/// sooner is not healed by it.
pub const COOLDOWN_MS: u64 = 5 * 60 * 1_000;

/// The action's description.
pub fn spec() -> ActionSpec {
    ActionSpec {
        name: NAME,
        description: "Deletes an unhealthy pod and waits until its controller has a ready one again.",
        parameters: json!({
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "pod_name": {"type": "string", "minLength": 1, "description": "The pod."},
                "pod_uid": {"type": "string", "description": "Its uid, as check_worker_health gives it: a later pod of the same name is left alone."},
                "namespace": {"type": "string", "minLength": 1, "description": "Its namespace, KUBERNETES_NAMESPACE by default; one of KUBERNETES_NAMESPACES."},
                "force": {"type": "boolean", "description": "Whether a healthy pod is restarted too; false by default."},
            },
            "required": ["pod_name"],
        }),
        outputs: &[
            // The name of the ready pod that took its place; null where nothing was to be done.
            ("replaced_by", OutputType::Any),
        ],
        safety: Safety::Probe,
        inherits: &["namespace"],
        // A container's image has to be pulled and its probes have to pass.
        default_timeout_seconds: 90,
        service: heal_clients::kubernetes::SERVICE,
        critical: false,
    }
}
