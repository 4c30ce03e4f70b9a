//! The action's description, for playbooks and for the engine.

use heal_runtime::{ActionSpec, OutputType, Safety};
use serde_json::json;

use crate::parameters::MAX_TICKETS;

/// The `type` that playbooks name.
pub const NAME: &str = "reallocate_ticket";

/// A ticket is left alone for five minutes after a reallocation, in milliseconds (the guide's policy rules).
pub const COOLDOWN_MS: u64 = 5 * 60 * 1_000;

/// The action's description.
pub fn spec() -> ActionSpec {
    let id = json!({"type": "string", "minLength": 1});
    let described = |description: &str| json!({"type": "string", "minLength": 1, "description": description});
    ActionSpec {
        name: NAME,
        description: "Gives a ticket, or each of several, back to be executed by another worker.",
        parameters: json!({
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "ticket_id": described("The ticket."),
                "affected_tickets": {
                    "type": "array",
                    "items": id,
                    "maxItems": MAX_TICKETS,
                    "description": "Several tickets, each checked and answered for itself.",
                },
                "reason": described("Why, for the ticket's record and the policy."),
                "metadata": {
                    "type": "object",
                    "description": "Further facts for the ticket's record; the engine's own go before them.",
                },
            },
            "required": ["reason"],
            "anyOf": [{"required": ["ticket_id"]}, {"required": ["affected_tickets"]}],
        }),
        outputs: &[
            ("reallocated", OutputType::Array),
            ("denied", OutputType::Array),
            ("status", OutputType::String),
            ("previous_worker", OutputType::Any),
        ],
        safety: Safety::Probe,
        inherits: &[],
        default_timeout_seconds: 60,
        service: heal_clients::tickets::SERVICE,
        critical: true,
    }
}
