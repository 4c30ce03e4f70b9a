//! The action's description, for playbooks and for the engine.

use heal_runtime::{ActionSpec, OutputType, Safety};
use serde_json::json;

/// The `type` that playbooks name.
pub const NAME: &str = "trigger_replanning";

/// How long a workflow, or a plan whose workflow is not named, is not replanned again, in milliseconds. A replanning shows in no state of
/// the workflow, so only this prevents a second one from undoing the first.
pub const COOLDOWN_MS: u64 = 5 * 60 * 1_000;

/// The action's description.
pub fn spec() -> ActionSpec {
    let text = |description: &str| json!({"type": "string", "minLength": 1, "description": description});
    ActionSpec {
        name: NAME,
        description: "Has the plan of a workflow made again.",
        parameters: json!({
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "plan_id": {
                    "type": ["string", "null"],
                    "description": "The plan; where it is left out, empty or null, the one that the workflow has.",
                },
                "workflow_id": text("The workflow; where it is given, its state is looked at first."),
                "reason": text("Why, for the plan's record and the policy; by default the playbook and the incident."),
                "trigger_type": {
                    "type": "string",
                    "pattern": "^(?i:(trigger_type_)?(drift|failure|strategic|sla_violation|resource_constraint))$",
                    "description": "What set it off, in any case, with or without TRIGGER_TYPE_ before it; FAILURE by default.",
                },
                "priority": {"type": "integer", "minimum": 1, "maximum": 10, "description": "10 is the most urgent; 5 by default."},
                "preserve_progress": {"type": "boolean", "description": "Whether what is done stays done; true by default."},
            },
            "anyOf": [
                {"required": ["plan_id"], "properties": {"plan_id": {"type": "string", "minLength": 1}}},
                {"required": ["workflow_id"]},
            ],
        }),
        outputs: &[
            // Null where nothing was triggered, or where only the workflow's state told that it was.
            ("replanning_id", OutputType::Any),
            // Epoch milliseconds; null where nothing was triggered. Where only the state told, the workflow's last change.
            ("triggered_at", OutputType::Any),
            // The orchestrator's estimate, where it gives one.
            ("estimated_completion_seconds", OutputType::Any),
        ],
        safety: Safety::Probe,
        inherits: &["workflow_id"],
        default_timeout_seconds: 30,
        service: heal_clients::orchestrator::SERVICE,
        critical: true,
    }
}
