//! The JSON Schema of the file, for editors.

use heal_engine::catalog::Catalog;
use heal_engine::event::RunOutcome;
use heal_engine::notice::{ChannelKind, NoticeEvent, Shape, limit};
use heal_engine::severity::Severity;
use serde_json::{Map, Value, json};

use super::route::{KEYS, KEYS_OF_DIGEST, KEYS_OF_QUIET, OUTCOMES};

/// The JSON Schema of `notify.yaml`.
pub fn schema(catalog: &Catalog) -> Value {
    let mut services: Vec<&str> = catalog.iter().map(|spec| spec.service).collect();
    services.sort_unstable();
    services.dedup();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Notifications of heal: who is told of what",
        "type": ["object", "null"],
        "additionalProperties": false,
        "properties": {
            "channels": {
                "description": "Where notices are sent, by name.",
                "type": ["object", "null"],
                "maxProperties": limit::CHANNELS,
                "additionalProperties": {"oneOf": ChannelKind::ALL.map(channel)},
            },
            "routes": {
                "description": "A notice goes to the channels of every route that admits it, once to each.",
                "type": ["array", "null"],
                "maxItems": limit::ROUTES,
                "items": {
                    "type": "object",
                    "additionalProperties": false,
                    "required": ["to"],
                    "properties": {
                        KEYS[0]: list("Names of channels.", &json!({"type": "string", "minLength": 1})),
                        KEYS[1]: list("Events; all without it.", &json!({"enum": NoticeEvent::ALL.map(NoticeEvent::as_str)})),
                        KEYS[2]: list("Severities; all without it.", &json!({"enum": Severity::ALL.map(Severity::as_str)})),
                        KEYS[3]: list("Playbooks; all without it.", &json!({"type": "string", "minLength": 1})),
                        KEYS[4]: list("Services that the playbook's actions call.", &json!({"enum": services})),
                        KEYS[5]: list("How the run ended.", &json!({"enum": OUTCOMES.map(RunOutcome::as_str)})),
                        KEYS[6]: quiet(),
                        KEYS[7]: digest(),
                    },
                },
            },
        },
    })
}

fn channel(kind: ChannelKind) -> Value {
    let mut properties = Map::new();
    properties.insert("type".to_owned(), json!({"const": kind.as_str()}));
    for setting in kind.settings() {
        let pattern = match setting.shape {
            Shape::Secret => "^(env:[A-Za-z_][A-Za-z0-9_]*|secretsmanager:\\S+)$",
            Shape::Url => "^https?://[^@]+$",
            Shape::Smtp => "^(smtp|smtps|smtp\\+plain)://[^@]+$",
            Shape::Text => "\\S",
        };
        let schema = json!({
            "description": setting.about, "type": "string", "maxLength": limit::SETTING_BYTES, "pattern": pattern,
        });
        properties.insert(setting.key.to_owned(), schema);
    }
    let required = kind.settings().iter().filter(|setting| setting.required).map(|setting| setting.key);
    let required: Vec<&str> = ["type"].into_iter().chain(required).collect();
    json!({"type": "object", "additionalProperties": false, "required": required, "properties": properties})
}

fn clock() -> Value {
    json!({"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$"})
}

fn digest() -> Value {
    let list = json!({"type": "array", "minItems": 1, "maxItems": limit::DIGEST_TIMES, "items": clock()});
    json!({
        "description": "Times of every day at which the route's notices are told, all at once; questions are told as they are asked.",
        "type": "object",
        "additionalProperties": false,
        "required": KEYS_OF_DIGEST,
        "properties": {
            KEYS_OF_DIGEST[0]: {"anyOf": [list, clock()]},
            KEYS_OF_DIGEST[1]: {"description": "A name such as Europe/Berlin.", "type": "string", "minLength": 1},
        },
    })
}

fn quiet() -> Value {
    let clock = clock();
    json!({
        "description": "Hours of every day in which the route's notices wait for the end of them.",
        "type": "object",
        "additionalProperties": false,
        "required": KEYS_OF_QUIET,
        "properties": {
            KEYS_OF_QUIET[0]: clock,
            KEYS_OF_QUIET[1]: clock,
            KEYS_OF_QUIET[2]: {"description": "A name such as Europe/Berlin.", "type": "string", "minLength": 1},
        },
    })
}

fn list(description: &str, items: &Value) -> Value {
    let names = json!({"type": "array", "minItems": 1, "maxItems": limit::NAMES, "items": items});
    json!({"description": description, "anyOf": [names, items]})
}
