//! The action's description, for playbooks and for the engine.

use heal_runtime::{ActionSpec, OutputType, Safety};
use serde_json::json;

/// The `type` that playbooks name.
pub const NAME: &str = "check_worker_health";

/// The action's description.
pub fn spec() -> ActionSpec {
    ActionSpec {
        name: NAME,
        description: "Finds a worker's pod and reads whether it is healthy.",
        parameters: json!({
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "worker_id": {"type": "string", "minLength": 1, "description": "The worker: its pod's name, or its id in the label of KUBERNETES_WORKER_SELECTOR."},
                "namespace": {"type": "string", "minLength": 1, "description": "Its namespace, KUBERNETES_NAMESPACE by default."},
            },
            "required": ["worker_id"],
        }),
        outputs: &[
            // Whether a pod of the worker was found. If not, both of the next two are false.
            ("found", OutputType::Boolean),
            ("healthy", OutputType::Boolean),
            ("worker_unhealthy", OutputType::Boolean),
            // Null where none was found.
            ("pod_name", OutputType::Any),
            ("pod_uid", OutputType::Any),
            // `Missing` where none was found.
            ("phase", OutputType::String),
            // Null where it is healthy, `NotFound` where none was found.
            ("reason", OutputType::Any),
            ("restarts", OutputType::Integer),
        ],
        safety: Safety::ReadOnly,
        inherits: &["namespace"],
        default_timeout_seconds: 30,
        service: heal_clients::kubernetes::SERVICE,
        critical: false,
    }
}
