//! A JSON Schema of `guardrails.yaml`, for editors.
//!
//! It checks less than [`read`](super::read): no playbooks, no templates, and not whether a rule can fire. Reading refuses whatever the
//! schema refuses.

use std::collections::BTreeSet;

use heal_engine::catalog::{Catalog, Safety};
use heal_guard::{KEY_NAMES, Repeats, limit};
use serde_json::{Map, Value, json};

use super::people::LEVELS;
use crate::name::NAME_BYTES;

/// JSON Schema (draft 2020-12) of the guardrails over the actions of `catalog`.
pub fn schema(catalog: &Catalog) -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Guardrails of the self-healing engine",
        "description": "The bounds of what it does by itself. Every key has a safe default, so an empty file is safe.",
        "type": ["object", "null"],
        "additionalProperties": false,
        "properties": {
            "cooldowns": cooldowns(catalog),
            "budgets": {
                "description": "At most so many effects in any window of time.",
                "type": ["array", "null"],
                "maxItems": limit::BUDGETS,
                "items": budget(catalog),
            },
            "repeats": repeats(),
            "approvals": approvals(),
            "autonomy": {
                "description": "How far a playbook may act by itself; one rule a playbook. Default: auto.",
                "type": ["array", "null"],
                "items": autonomy(),
            },
            "storms": storms(catalog),
        },
    })
}

/// Completion proposes the actions that change something; the others are known too.
fn cooldowns(catalog: &Catalog) -> Value {
    let rule = |description: &str| {
        json!({
            "description": description,
            "type": "object",
            "additionalProperties": false,
            "required": ["seconds"],
            "properties": {
                "seconds": whole("Seconds from the end of an effect; 0: no cooldown.", 0, limit::WINDOW_SECONDS),
            },
        })
    };
    let properties: Map<String, Value> = catalog
        .iter()
        .map(|spec| {
            let description = match spec.safety {
                Safety::ReadOnly => format!("{} It only reads, so a cooldown has no effect.", spec.description),
                Safety::Idempotent | Safety::Probe | Safety::Unknown => spec.description.to_owned(),
            };
            (spec.name.to_owned(), rule(&description))
        })
        .collect();
    json!({
        "description": "How long an action leaves a target alone after an effect, where the action's own cooldown is not wanted.",
        "type": ["object", "null"],
        "additionalProperties": false,
        "properties": properties,
    })
}

fn budget(catalog: &Catalog) -> Value {
    let actions: Vec<&str> = catalog.iter().map(|spec| spec.name).collect();
    let services: BTreeSet<&str> = catalog.iter().map(|spec| spec.service).collect();
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["name", "max", "window_seconds"],
        "properties": {
            "name": {
                "description": "Unique; a renamed budget starts to count anew.",
                "type": "string",
                "pattern": format!("^[a-z0-9_-]{{1,{NAME_BYTES}}}$"),
            },
            "actions": names("The actions that count. Default: all.", &json!({"enum": actions})),
            "playbooks": names("The playbooks whose runs count. Default: all.", &json!({"type": "string", "minLength": 1})),
            "services": names("The services whose actions count. Default: all.", &json!({"enum": services})),
            "key": {
                "description": format!(
                    "What is counted apart: a template over {}. Default: one counter for all.", KEY_NAMES.join(", ")
                ),
                "type": "string",
                "minLength": 1,
            },
            "max": whole("Effects that a window may have.", 1, limit::BUDGET_MAX.into()),
            "window_seconds": whole("The sliding window.", 1, limit::WINDOW_SECONDS),
        },
    })
}

fn repeats() -> Value {
    let Repeats { escalate_at, window_seconds } = Repeats::default();
    json!({
        "description": "When the same playbook on the same target is handed to a person.",
        "type": ["object", "null"],
        "additionalProperties": false,
        "properties": {
            "escalate_at": whole(
                &format!("The run of this number in the window ends ESCALATED before any effect. Default: {escalate_at}."),
                limit::REPEATS_LEAST.into(),
                limit::REPEATS.into(),
            ),
            "window_seconds": whole(
                &format!("Default: {window_seconds}."),
                limit::REPEATS_WINDOW_LEAST_SECONDS,
                limit::WINDOW_SECONDS,
            ),
        },
    })
}

fn approvals() -> Value {
    json!({
        "description": "Who may approve.",
        "type": ["object", "null"],
        "additionalProperties": false,
        "properties": {
            "groups": {
                "description": "Groups of people, by name.",
                "type": ["object", "null"],
                "maxProperties": limit::GROUPS,
                "propertyNames": {"pattern": format!("^[a-z0-9_-]{{1,{NAME_BYTES}}}$")},
                "additionalProperties": {
                    "type": "array",
                    "minItems": 1,
                    "maxItems": limit::MEMBERS,
                    "items": {
                        "description": "local:USER of the operating system, or iam:SENDER as SQS names the caller.",
                        "type": "string",
                        "maxLength": limit::IDENTITY_BYTES,
                        "pattern": "^(local|iam):.*\\S",
                    },
                },
            },
        },
    })
}

fn autonomy() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["playbook", "level"],
        "properties": {
            "playbook": {"type": "string", "minLength": 1},
            "level": {
                "description": "off: no run · shadow: decides, and changes nothing · approve: a person approves first · auto: acts.",
                "enum": LEVELS.map(|(word, _)| word),
            },
        },
    })
}

fn storms(catalog: &Catalog) -> Value {
    let rule = json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "targets": whole("Distinct targets in a window that are a storm; 0: never. Default: 5.", 0, limit::STORM_TARGETS.into()),
            "window_seconds": whole("Default: 300.", limit::STORM_WINDOW_LEAST_SECONDS, limit::STORM_WINDOW_SECONDS),
            "quiet_seconds": whole(
                "Seconds without a new target after which the storm is over, at least the window. Default: 600.",
                limit::STORM_WINDOW_LEAST_SECONDS,
                limit::STORM_WINDOW_SECONDS,
            ),
            "trickle": whole("Effects that go on in each window. Default: 1.", 0, limit::STORM_TRICKLE.into()),
        },
    });
    let services: BTreeSet<&str> = catalog.iter().map(|spec| spec.service).collect();
    let properties: Map<String, Value> = services.into_iter().map(|name| (name.to_owned(), rule.clone())).collect();
    json!({
        "description": "When so many targets of a service are sick that healing it is held but for a trickle. Default: kubernetes only.",
        "type": ["object", "null"],
        "additionalProperties": false,
        "properties": properties,
    })
}

fn names(description: &str, items: &Value) -> Value {
    json!({"description": description, "type": "array", "minItems": 1, "maxItems": limit::NAMES, "items": items})
}

fn whole(description: &str, least: u64, most: u64) -> Value {
    json!({"description": description, "type": "integer", "minimum": least, "maximum": most})
}
