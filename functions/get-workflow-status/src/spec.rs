//! The action's description, for playbooks and for the engine.

use heal_runtime::{ActionSpec, OutputType, Safety};
use serde_json::json;

/// The `type` that playbooks name.
pub const NAME: &str = "get_workflow_status";

/// The action's description.
pub fn spec() -> ActionSpec {
    ActionSpec {
        name: NAME,
        description: "Reads where a workflow stands.",
        parameters: json!({
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "workflow_id": {"type": "string", "minLength": 1, "description": "The workflow."},
                "include_tickets": {
                    "type": "boolean",
                    "description": "Whether its tickets are counted, true by default; where not, there are no `tickets_…` outputs.",
                },
            },
            "required": ["workflow_id"],
        }),
        outputs: &[
            ("state", OutputType::String),
            ("plan_id", OutputType::String),
            ("progress_percent", OutputType::Number),
            ("current_priority", OutputType::Integer),
            ("is_terminal", OutputType::Boolean),
            ("is_paused", OutputType::Boolean),
            ("tickets_total", OutputType::Integer),
            ("tickets_completed", OutputType::Integer),
            ("tickets_pending", OutputType::Integer),
            ("tickets_running", OutputType::Integer),
            ("tickets_failed", OutputType::Integer),
            // Epoch milliseconds.
            ("started_at", OutputType::Integer),
            ("updated_at", OutputType::Integer),
            // Null where the workflow has no service level.
            ("sla_remaining_seconds", OutputType::Any),
        ],
        safety: Safety::ReadOnly,
        inherits: &["workflow_id"],
        default_timeout_seconds: 30,
        service: heal_clients::orchestrator::SERVICE,
        critical: false,
    }
}
