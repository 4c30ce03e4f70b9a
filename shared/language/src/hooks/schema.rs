//! A JSON Schema of `hooks.yaml`, for editors.
//!
//! It checks less than [`read`](super::read): no templates, no playbooks. Reading refuses whatever the schema refuses.

use heal_hooks::{Source, limit};
use serde_json::{Map, Value, json};

use super::SOURCES;
use crate::name::NAME_BYTES;

/// JSON Schema (draft 2020-12) of the hooks.
pub fn schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Hooks of the self-healing engine",
        "description": "Which alerts of other systems become which incidents. Without rules nothing does.",
        "type": ["object", "null"],
        "additionalProperties": false,
        "properties": {
            "sources": sources(),
            "rules": {
                "description": "The first rule that fits an alert decides; an alert that none fits is ignored, and counted.",
                "type": ["array", "null"],
                "maxItems": limit::RULES,
                "items": rule(),
            },
        },
    })
}

fn sources() -> Value {
    let source = json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["secrets"],
        "properties": {
            "secrets": {
                "description": "Where the secrets are: the current one first, then those that it replaces.",
                "type": "array",
                "minItems": 1,
                "maxItems": limit::SECRETS,
                "items": {"type": "string", "pattern": "^(env:[A-Za-z0-9_]+|secretsmanager:arn:.+)$"},
            },
            "window_seconds": {
                "description": format!("How far the time of a signed delivery may be away from ours. Default: {}.", limit::WINDOW_SECONDS),
                "type": "integer",
                "minimum": 1,
                "maximum": limit::WINDOW_SECONDS_MOST,
            },
        },
    });
    let signing = Source::ALL.into_iter().filter(|source| source.can_sign());
    let properties: Map<String, Value> = signing.map(|name| (name.as_str().to_owned(), source.clone())).collect();
    json!({
        "description": "How deliveries are verified. A source that is not here takes deliveries of identified callers only.",
        "type": ["object", "null"],
        "additionalProperties": false,
        "properties": properties,
    })
}

fn rule() -> Value {
    let names = SOURCES.map(|(name, _)| name);
    let plain = json!({"type": ["string", "number", "boolean"]});
    let condition = |description: &str| {
        json!({
            "description": description,
            "anyOf": [{"type": "boolean"}, {"type": "string", "pattern": "^\\s*\\{\\{[\\s\\S]*\\}\\}\\s*$"}],
        })
    };
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["name", "incident"],
        "properties": {
            "name": {"type": "string", "pattern": format!("^[a-z0-9_-]{{1,{NAME_BYTES}}}$")},
            "sources": {
                "description": "Whose alerts. Default: everybody's.",
                "anyOf": [{"enum": names}, {"type": "array", "minItems": 1, "items": {"enum": names}}],
            },
            "match": {
                "description": "Labels, each with the texts that it may have.",
                "type": "object",
                "maxProperties": limit::MATCHES,
                "additionalProperties": {
                    "anyOf": [plain.clone(), {"type": "array", "minItems": 1, "maxItems": limit::MATCH_TEXTS, "items": plain}],
                },
            },
            "condition": condition("What else has to hold, such as \"{{ labels.env == 'live' }}\"."),
            "fingerprint": {
                "description": "What stays the same from an alert's first report to its last, for sources that do not say it: generic, cloudevents.",
                "type": "string",
            },
            "resolved": condition("Whether the alert is over, for sources that do not say it."),
            "incident": {
                "description": "The incident without its id; every text in it is a template of labels, annotations, group, payload, source, status, starts_at and fingerprint.",
                "type": "object",
                "required": ["incident_type"],
                "properties": {"incident_type": {"type": "string", "minLength": 1, "not": {"pattern": "\\{[{%#]"}}},
                "propertyNames": {"not": {"enum": ["incident_id", "incident", "item", "run_id", "steps"]}},
            },
        },
    })
}
