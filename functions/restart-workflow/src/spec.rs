//! The action's description, for playbooks and for the engine.

use heal_runtime::{ActionSpec, OutputType, Safety};
use serde_json::json;

/// The `type` that playbooks name.
pub const NAME: &str = "restart_workflow";

/// How long a workflow is left alone after it was resumed, in milliseconds: one that is paused again so soon was paused
/// for a reason.
pub const COOLDOWN_MS: u64 = 5 * 60 * 1_000;

/// The action's description.
pub fn spec() -> ActionSpec {
    ActionSpec {
        name: NAME,
        description: "Resumes a paused workflow.",
        parameters: json!({
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "workflow_id": {"type": "string", "minLength": 1, "description": "The workflow."},
                "reason": {"type": "string", "minLength": 1, "description": "Why, for the workflow's history."},
            },
            "required": ["workflow_id"],
        }),
        outputs: &[
            ("resumed", OutputType::Boolean),
            ("state", OutputType::String),
            // Null where it was not paused, or where only the state told that it was resumed.
            ("pause_duration_seconds", OutputType::Any),
            // Epoch milliseconds; null where it was not paused.
            ("resumed_at", OutputType::Any),
        ],
        safety: Safety::Probe,
        inherits: &["workflow_id"],
        default_timeout_seconds: 30,
        service: heal_clients::orchestrator::SERVICE,
        critical: true,
    }
}
