//! The action's description, for playbooks and for the engine.

use heal_runtime::{ActionSpec, OutputType, Safety};
use serde_json::json;

/// The `type` that playbooks name.
pub const NAME: &str = "update_ticket_status";

/// How long the same status of the same ticket is left alone after it was written, in milliseconds: a ticket may
/// well go through several statuses in that time.
pub const COOLDOWN_MS: u64 = 30 * 1_000;

/// The action's description.
pub fn spec() -> ActionSpec {
    ActionSpec {
        name: NAME,
        description: "Sets the status of a ticket.",
        parameters: json!({
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "ticket_id": {"type": "string", "minLength": 1, "description": "The ticket."},
                "status": {
                    "type": "string",
                    "pattern": "^(?i:pending|running|completed|failed|compensating|compensated)$",
                    "description": "The new status, in any case; the service is told in upper case.",
                },
                "result": {"description": "What the ticket gave, any JSON."},
                "error_message": {"type": "string", "minLength": 1, "description": "Why the ticket failed."},
                "metadata": {
                    "type": "object",
                    "description": "Further facts for the ticket's record; the engine's own go before them.",
                },
            },
            "required": ["ticket_id", "status"],
        }),
        outputs: &[("status", OutputType::String), ("previous_status", OutputType::Any)],
        safety: Safety::Probe,
        inherits: &[],
        default_timeout_seconds: 30,
        service: heal_clients::tickets::SERVICE,
        critical: true,
    }
}
