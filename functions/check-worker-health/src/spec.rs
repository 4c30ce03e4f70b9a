//! The action's description, for playbooks and for the engine.

use heal_runtime::{ActionSpec, OutputType, Safety};
use serde_json::json;

/// The `type` that playbooks name.
pub const NAME: &str = "check_worker_health";

/// The action's description.
pub fn spec() -> ActionSpec {
    ActionSpec {
        name: NAME,
        description: "Looks whether a worker's pod is healthy.",
        parameters: json!({
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "worker_id": {"type": "string", "minLength": 1, "description": "The worker, which is its pod's name."},
                "namespace": {"type": "string", "minLength": 1, "description": "Its namespace, KUBERNETES_NAMESPACE by default."},
            },
            "required": ["worker_id"],
        }),
        outputs: &[
            ("healthy", OutputType::Boolean),
            ("worker_unhealthy", OutputType::Boolean),
            ("found", OutputType::Boolean),
            // The pod found; null if no pod matches the worker.
            ("pod_name", OutputType::Any),
            ("pod_uid", OutputType::Any),
            ("phase", OutputType::String),
            // Null where it is healthy.
            ("reason", OutputType::Any),
            ("restarts", OutputType::Integer),
        ],
        safety: Safety::ReadOnly,
        inherits: &["namespace"],
        default_timeout_seconds: 30,
        critical: false,
    }
}
