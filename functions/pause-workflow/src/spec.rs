//! The action's description, for playbooks and for the engine.

use heal_runtime::{ActionSpec, OutputType, Safety};
use serde_json::json;

/// The `type` that playbooks name.
pub const NAME: &str = "pause_workflow";

/// Seconds of the longest pause that can be asked for: 30 days. A longer one is open-ended.
pub const MAX_PAUSE_SECONDS: u32 = 30 * 24 * 60 * 60;

/// How long a workflow is left alone after it was paused, in milliseconds.
pub const COOLDOWN_MS: u64 = 60 * 1_000;

/// The action's description.
pub fn spec() -> ActionSpec {
    ActionSpec {
        name: NAME,
        description: "Pauses a workflow, for a while or until it is resumed.",
        parameters: json!({
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "workflow_id": {"type": "string", "minLength": 1, "description": "The workflow."},
                "reason": {"type": "string", "minLength": 1, "description": "Why, for the workflow's history."},
                "duration_seconds": {
                    "type": "integer",
                    "minimum": 0,
                    "maximum": MAX_PAUSE_SECONDS,
                    "description": "Seconds after which the workflow resumes by itself; 0 or nothing: when someone resumes it.",
                },
            },
            "required": ["workflow_id"],
        }),
        outputs: &[
            ("paused", OutputType::Boolean),
            // Epoch milliseconds; null where the pause is open-ended.
            ("scheduled_resume_at", OutputType::Any),
        ],
        safety: Safety::Idempotent,
        inherits: &["workflow_id"],
        default_timeout_seconds: 30,
        service: heal_clients::orchestrator::SERVICE,
        critical: false,
    }
}
