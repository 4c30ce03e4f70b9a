//! The action's description, for playbooks and for the engine.

use heal_runtime::{ActionSpec, OutputType, Safety};
use serde_json::json;

/// The `type` that playbooks name.
pub const NAME: &str = "trigger_replanning";

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
                "plan_id": text("The plan; where it is left out, the one that the workflow has."),
                "workflow_id": text("The workflow; where it is given, its state is looked at first."),
                "reason": text("Why, for the plan's record and the policy."),
                "trigger_type": {
                    "type": "string",
                    "pattern": "^(?i:(trigger_type_)?(drift|failure|strategic|sla_violation|resource_constraint))$",
                    "description": "What set it off, in any case, with or without TRIGGER_TYPE_ before it; FAILURE by default.",
                },
                "priority": {"type": "integer", "minimum": 1, "maximum": 10, "description": "10 is the most urgent; 5 by default."},
                "preserve_progress": {"type": "boolean", "description": "Whether what is done stays done; true by default."},
            },
            "required": ["reason"],
            "anyOf": [{"required": ["plan_id"]}, {"required": ["workflow_id"]}],
        }),
        outputs: &[
            // Null where nothing was triggered, or where only the workflow's state told that it was.
            ("replanning_id", OutputType::Any),
        ],
        safety: Safety::Probe,
        inherits: &["workflow_id"],
        default_timeout_seconds: 30,
        critical: true,
    }
}
